"""What a creation that fails says; and where the launcher's code is taken from."""

import os
import sys

import pytest

from venvjail.creation import env_builder, roots
from venvjail.errors import JailError, UserError

ENV = "/home/alice/a b"
AGAIN = "(/home/alice/a b has no pip yet; then run: venvjail --upgrade '/home/alice/a b')"


@pytest.mark.parametrize("status", [2, 125])
def test_a_jail_that_does_not_start(status: int) -> None:
    output = b"noise\nvenvjail: /dev/fuse is missing\n"
    error = env_builder._failure(ENV, ("-m", "ensurepip"), status, output)
    assert isinstance(error, JailError)
    assert (str(error), error.exit_status) == (f"/dev/fuse is missing {AGAIN}", status)


@pytest.mark.parametrize(
    ("status", "output", "last"),
    [
        (1, b"Traceback\nOSError: no\n", "OSError: no"),
        (1, b"", "no output"),
        (
            1,
            b"venvjail: said by a program of the jail's",
            "venvjail: said by a program of the jail's",
        ),
        (125, b"\xff", "\ufffd"),
    ],
)
def test_a_program_that_fails_in_the_jail(status: int, output: bytes, last: str) -> None:
    error = env_builder._failure(ENV, ("-m", "pip"), status, output)
    assert not isinstance(error, JailError)
    line = f"python -m pip: failed in the jail with status {status}: {last} {AGAIN}"
    assert str(error) == line


def test_the_interpreter_of_a_venv_is_not_the_base_one() -> None:
    """As Python 3.10 has it; the jail may hide the venv that it is in."""
    own = os.path.join(sys.prefix, "bin", "python")
    base = env_builder._outside_any_venv(own)
    inside = sys.prefix != sys.base_prefix
    assert base.startswith(sys.base_prefix if inside else sys.prefix)
    assert not inside or not base.startswith(sys.prefix + "/")
    assert env_builder._outside_any_venv("/usr/bin/env") == "/usr/bin/env"


def test_a_module_that_is_missing() -> None:
    line = "the module no_such_module is missing: run: pip install --upgrade venvjail"
    with pytest.raises(UserError, match=f"^{line}$"):
        roots._roots(("json", "no_such_module"), ())
    assert roots._roots(("json",), ("no_such_module",)) == roots._roots(("json",), ())
