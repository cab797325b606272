"""What somebody else planted in a predictable place: ESCAPES 16.

Sockets, locks and runtime directories that are not the user's are in tests/jail/test_refusals.py.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv


@pytest.fixture
def stopped(jail: JailedVenv) -> Iterator[JailedVenv]:
    """The shared venv without a running jail; its own /tmp is put back afterwards."""
    jail.python("pass")
    jail.stop()
    link = Path(jail.paths.tmp_link)
    own = link.readlink()
    yield jail
    jail.stop()
    if link.readlink() != own:
        if link.readlink().name.startswith("dirjail-"):
            os.rmdir(link.readlink())
        link.unlink()
        link.symlink_to(own)


def _open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


#: What has taken the place of /tmp/dirjail-XXXXXX, by how it is made.
PLANTS: dict[str, Callable[[Path], None]] = {
    "open to others": _open_to_all,
    "a file": lambda path: path.touch(0o600),
    "a symlink to the user's own": lambda path: path.symlink_to(Path.home()),
    "another user's": lambda path: path.symlink_to("/etc"),
}


@pytest.mark.parametrize("kind", PLANTS)
def test_a_planted_tmp_is_not_used(stopped: JailedVenv, tmp_path: Path, kind: str) -> None:
    """Removed by a cleaner, the directory's name is free for every local user."""
    planted = tmp_path / "dirjail-planted"
    PLANTS[kind](planted)
    Path(stopped.paths.tmp_link).unlink()
    Path(stopped.paths.tmp_link).symlink_to(planted)
    stopped.check(["touch", "/tmp/of-the-jail"])
    assert stopped.tmp != planted
    assert (stopped.tmp / "of-the-jail").exists()
    assert stopped.tmp.stat().st_mode & 0o777 == 0o700
    (stopped.tmp / "of-the-jail").unlink()


def test_control_its_own_is_used_again(stopped: JailedVenv) -> None:
    before = stopped.tmp
    stopped.python("pass")
    assert stopped.tmp == before


def test_a_state_directory_that_others_can_write_to(home: FakeHome) -> None:
    """Whoever can write there chooses the program that serves the jail."""
    with JailedVenv(home) as venv:
        command = [venv.bin / "python", "-c", "print('ran')"]
        venv.state.chmod(0o770)
        done = home.run(command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"venvjail: {venv.state}: others can write to it; run: chmod go-w {venv.state}\n"
        )
        venv.state.chmod(0o700)
        assert home.check(command) == "ran\n"


@pytest.mark.parametrize("place", [".", ".."])
def test_directories_that_a_jail_has_opened_to_all(home: FakeHome, place: str) -> None:
    """For another user of the machine to put a state directory in place that the jail has made."""
    with JailedVenv(home) as venv:
        command = [venv.bin / "python", "-c", "print('ran')"]
        opened = (venv.env / place).resolve()
        venv.check(["chmod", "o+w", opened])
        venv.stop()
        done = home.run(command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"venvjail: {opened}: every user can write to it, ")
        opened.chmod(0o1777)  # as /tmp: nobody can rename what is another's
        assert home.check(command) == "ran\n"


def test_a_state_directory_that_is_a_symlink(home: FakeHome, tmp_path: Path) -> None:
    with JailedVenv(home) as venv:
        command = [venv.bin / "python", "-c", "print('ran')"]
        moved = tmp_path / "state"
        venv.state.rename(moved)
        venv.state.symlink_to(moved)
        done = home.run(command)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{venv.env}: is not a venvjail environment" in done.stderr
        venv.state.unlink()
        moved.rename(venv.state)
        assert home.check(command) == "ran\n"
