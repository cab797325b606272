"""The seed on ``/tmp``, a sentence a test."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.support.attempts import DONE, all_end, in_jail, on_host
from tests.support.home import SECRET
from tests.support.jail import JailedVenv


@pytest.mark.parametrize("directory", ["/tmp", "/var/tmp"])
def test_tmp_is_read_and_written(jail: JailedVenv, directory: str) -> None:
    """The processes can read and write to the `/tmp` directory."""
    script = "cd $1 && mkdir d && echo text >d/f && mv d/f g && cat g && rm -r d g"
    assert jail.check(["sh", "-c", script, "sh", directory]) == "text\n"


def test_tmp_is_a_directory_of_the_hosts(jail: JailedVenv) -> None:
    """Outside of the jail this directory points to the `/tmp/dirjail-XXXXXX`: what the jail
    writes is there."""
    jail.python("")
    assert jail.tmp.parent == Path("/tmp")
    assert jail.tmp.name.startswith("dirjail-")
    assert len(jail.tmp.name) > len("dirjail-") + 5
    name = f"made-in-{jail.tmp.name}"
    jail.check(["sh", "-c", 'echo x >"/tmp/$1"', "sh", name])
    assert (jail.tmp / name).read_text() == "x\n"
    assert (jail.tmp / name).stat().st_uid == os.getuid()
    assert not os.path.lexists(f"/tmp/{name}")


def test_tmp_shows_what_the_host_puts_there(jail: JailedVenv) -> None:
    """Outside of the jail this directory points to the `/tmp/dirjail-XXXXXX`: what the user
    writes there is in the jail."""
    jail.python("")
    (jail.tmp / "from-host").write_text("for the jail", encoding="utf-8")
    assert jail.check(["cat", "/tmp/from-host"]) == "for the jail"
    assert "from-host" in jail.check(["ls", "/tmp"]).split()


def test_tmp_is_nobody_elses(jail: JailedVenv) -> None:
    """`/tmp/dirjail-XXXXXX`: other users see nothing of it, nor can they make it."""
    jail.python("")
    status = jail.tmp.lstat()
    assert (status.st_uid, status.st_mode & 0o7777) == (os.getuid(), 0o700)


def test_tmp_of_the_host_is_hidden(jail: JailedVenv) -> None:
    """Outside of the jail **this** directory points elsewhere: the host's own `/tmp` is not in
    the jail."""
    with tempfile.NamedTemporaryFile("w", dir="/tmp", prefix="host-") as file:
        file.write(SECRET)
        file.flush()
        assert all_end(on_host(jail.home, "read", [file.name]), DONE)
        assert all_end(in_jail(jail, "read", [file.name]), "ENOENT")
        assert os.path.basename(file.name) not in jail.check(["ls", "-A", "/tmp"])


def test_tmp_is_kept_between_jails(jail: JailedVenv) -> None:
    """`/tmp/dirjail-XXXXXX`: the next jail of the venv has the same."""
    jail.check(["sh", "-c", "echo kept >/tmp/kept"])
    before = jail.tmp
    jail.stop()
    assert jail.check(["cat", "/tmp/kept"]) == "kept\n"
    assert jail.tmp == before


def test_programs_find_tmp(jail: JailedVenv) -> None:
    """The processes can read and write to the `/tmp` directory: also where the caller's TMPDIR is
    a place that the jail does not have."""
    hidden = jail.home.root / "docs"
    variables = {"TMPDIR": str(hidden)}
    made = Path(jail.home.check(["mktemp"], env=variables).strip())
    made.unlink()
    assert made.parent == hidden
    assert jail.check(["mktemp"]).startswith("/tmp/")
    assert jail.check(["mktemp"], env=variables).startswith("/tmp/")
