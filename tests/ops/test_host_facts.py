"""What is gathered of the host before a jail starts, and what is refused: wrong homes, links."""

import os
import pwd
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.namespaces import AS_ROOT, in_namespaces
from tests.support.records import record_of
from tests.support.requirements import require
from venvjail.config import file as configfile
from venvjail.config.model import Config
from venvjail.errors import ConfigError, JailError
from venvjail.layout import VenvPaths
from venvjail.planning import guards, host


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


@pytest.fixture
def paths(top: Path) -> VenvPaths:
    """A venv's, whose state directory is there."""
    found = VenvPaths(str(top / "venv"))
    os.makedirs(found.state)
    return found


def config(top: Path, text: str) -> Config:
    file = top / "config.toml"
    file.write_text(text, encoding="utf-8")
    return configfile.load("/nonexistent", str(file))


# -- the home --------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["", "home/alice", "/", "/etc", "/nonexistent"])
def test_a_home_that_is_no_directory_of_ones_own(variable: str) -> None:
    account = os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
    require(os.path.isdir(account), "the account of the tests has no home")
    assert host.find_home(variable) == account


def test_a_home_of_ones_own(top: Path) -> None:
    (top / "link").symlink_to(top)
    assert host.find_home(f"{top}/link") == str(top)


def test_no_home_at_all(home: FakeHome) -> None:
    """The account is root's, whose home belongs to somebody else in these namespaces."""
    program = "from venvjail.planning.host import find_home; find_home('/etc')"
    done = home.run([*in_namespaces(AS_ROOT), sys.executable, "-c", program])
    assert done.returncode == 1
    line = "neither HOME (/etc) nor the account's home (/root) is a directory of yours"
    assert line in done.stderr


def test_another_home_is_that_of_the_account(top: Path) -> None:
    account = os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
    require(os.path.isdir(account), "the account of the tests has no home")
    assert list(host._other_homes(str(top))) == [account]
    assert list(host._other_homes(account)) == []


def test_an_interpreter_whose_prefix_is_the_home(top: Path, paths: VenvPaths) -> None:
    made = record_of(paths.env, prefix=str(top))
    with pytest.raises(JailError, match="is your home itself"):
        nothing = guards.find((), paths.env, config(top, ""))
        host.gather(
            *(paths, config(top, ""), made, str(top)), guarded=nothing, tmp="/tmp/x", files={}
        )


# -- the session's runtime directory -----------------------------------------------------------


def runtimes(monkeypatch: pytest.MonkeyPatch, value: str, covered: str = "/run") -> list[str]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    return list(host._runtimes((covered,)))


def test_a_runtime_directory(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = top / "runtime"
    directory.mkdir(mode=0o700)
    assert runtimes(monkeypatch, str(directory)) == [str(directory)]
    assert runtimes(monkeypatch, str(directory), covered=str(top)) == []
    directory.chmod(0o755)
    assert runtimes(monkeypatch, str(directory)) == []


@pytest.mark.parametrize("value", ["", "run", "/nonexistent", "/etc/passwd"])
def test_what_is_no_runtime_directory(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtimes(monkeypatch, value) == []


# -- what is writable ----------------------------------------------------------------------------


def test_what_contains_the_home_is_not_writable(top: Path) -> None:
    home = str(top / "home")
    os.mkdir(home)
    with pytest.raises(ConfigError, match=r"contains your home$"):
        host.project(config(top, f'[project]\npath = "{top}"\n'), home)
    with pytest.raises(ConfigError, match=r"contains your home and cannot be writable$"):
        host.writable_trees(config(top, f'[filesystem]\nwritable = ["{top}"]\n'), home)


def test_symlinks_to_what_is_writable(top: Path) -> None:
    """One of the user's own may be a jail's work; one of root's is the machine's."""
    require(os.path.islink("/bin"), "/bin is no symlink on this machine")
    system = config(top, '[filesystem]\nwritable = ["/bin"]\n')
    assert host.writable_trees(system, "/home/alice") == (os.path.realpath("/bin"),)
    (top / "own").symlink_to("/usr/bin")
    own = config(top, f'[filesystem]\nwritable = ["{top}/own"]\n')
    with pytest.raises(ConfigError, match="is a symlink of yours, which a jail may have made"):
        host.writable_trees(own, "/home/alice")


def test_devices_that_lead_elsewhere_are_left_out(top: Path) -> None:
    """``/dev/fd`` is a symlink to a directory of procfs."""
    found = config(top, '[dev]\nallow = ["/dev/fd", "/dev/nul*"]\n')
    assert list(host._devices(found)) == ["/dev/null"]


def test_sockets_that_are_none_any_more(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's table has the names under which sockets were bound, here relative ones."""
    monkeypatch.chdir(top)
    names = ("kept", "replaced", "removed")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind(name)
        (top / "replaced").unlink()
        (top / "replaced").touch()
        (top / "removed").unlink()
        found = set(host._sockets(("/run", "/tmp", "/var/tmp")))
    assert found & {f"{top}/{name}" for name in names} == {f"{top}/kept"}


# -- the store, and the private /tmp ---------------------------------------------------------------


def test_a_store_in_a_directory_that_is_closed(paths: VenvPaths) -> None:
    os.chmod(paths.env, 0o500)
    try:
        with pytest.raises(JailError, match=r"^cannot use .*/venv/home: Permission denied$"):
            host.ensure_store(paths)
    finally:
        os.chmod(paths.env, 0o700)
    host.ensure_store(paths)
    assert os.stat(paths.store).st_mode & 0o777 == 0o700


def test_a_private_tmp_that_was_removed_is_made_anew(paths: VenvPaths) -> None:
    os.symlink("/tmp/dirjail-of-the-tests-gone", paths.tmp_link)
    made = host.private_tmp(paths)
    try:
        assert os.readlink(paths.tmp_link) == made
        assert os.stat(made).st_mode & 0o777 == 0o700
        assert host.private_tmp(paths) == made
        os.chmod(made, 0o755)
        other = host.private_tmp(paths)
        assert other != made
        os.rmdir(other)
    finally:
        os.rmdir(made)


def test_no_private_tmp_is_left_where_it_cannot_be_noted(
    paths: VenvPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = tempfile.mkdtemp

    def remember(**options: str) -> str:
        made.append(make(**options))
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", remember)
    os.chmod(paths.state, 0o500)
    try:
        with pytest.raises(PermissionError):
            host.private_tmp(paths)
    finally:
        os.chmod(paths.state, 0o700)
    assert [os.path.exists(path) for path in made] == [False]


def test_no_directory_is_the_same_as_one_that_is_not_there(top: Path) -> None:
    assert host._same_directory(str(top), str(top))
    assert not host._same_directory(f"{top}/missing", str(top))
