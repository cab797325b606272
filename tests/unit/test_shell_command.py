"""Which command starts which shell, with rc files of the jail's."""

import pytest

from venvjail.shells import shell_command


@pytest.mark.parametrize("shell", ["/bin/cat", "/usr/bin/env"])
def test_one_that_is_not_known(shell: str) -> None:
    """It gets no rc file."""
    assert shell_command(shell, "/run/venvjail/rc", {}) == ([shell], {})


@pytest.mark.parametrize("shell", ["", "bash", "/nonexistent/zsh", "/etc/passwd"])
def test_one_that_cannot_be_run(shell: str) -> None:
    words, added = shell_command(shell, "/rc", {"ENV": "/own"})
    assert words == ["/bin/sh"]
    assert added["VENVJAIL_ENV"] == "/own"
    assert added["ENV"].startswith("/rc/")
