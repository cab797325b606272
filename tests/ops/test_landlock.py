"""Rulesets on this kernel: what a process that restricts itself can still do, and what not."""

import errno
import fcntl
import os
import socket
import stat
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.requirements import require
from tests.support.restricted import DONE, outcome
from venvjail import syscalls
from venvjail.layout import VenvPaths
from venvjail.walls import landlock
from venvjail.walls.landlock import CONTENT, DEVICE, TREE, Grant


@pytest.fixture(autouse=True)
def _landlock() -> None:
    require(landlock.usable(), "this kernel has no Landlock of ABI 2 or newer")


def restrict(*grants: Grant, **options: bool) -> Callable[[], None]:
    """What restricts the calling process to ``grants``."""

    def action() -> None:
        ruleset = landlock.create(grants, **options)
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.landlock_restrict_self(ruleset, landlock.restrict_flags())

    return action


def unrestricted() -> None:
    """The control."""


def changes(directory: Path) -> dict[str, Callable[[], object]]:
    """Every way to change something below ``directory``, each to be tried once."""
    for name in ("a", "b", "empty"):
        (directory / name).mkdir()
    for name in ("file", "move", "gone", "link"):
        (directory / name).write_text("x")

    def bind() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(directory / "socket"))

    return {
        "write": lambda: (directory / "file").open("r+").close(),
        "truncate": lambda: os.truncate(directory / "file", 0),
        "create": lambda: (directory / "new").touch(),
        "mknod": lambda: os.mknod(directory / "made", stat.S_IFREG | 0o600),  # opens nothing
        "unlink": lambda: (directory / "gone").unlink(),
        "mkdir": lambda: (directory / "dir").mkdir(),
        "rmdir": lambda: (directory / "empty").rmdir(),
        "rename": lambda: (directory / "a").rename(directory / "c"),
        "move": lambda: (directory / "move").rename(directory / "b/move"),
        "link": lambda: os.link(directory / "link", directory / "b/link"),
        "symlink": lambda: (directory / "symlink").symlink_to("x"),
        "mkfifo": lambda: os.mkfifo(directory / "fifo"),
        "socket": bind,
    }


def test_everything_works_in_a_granted_tree_and_nothing_beside_it(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    wall = restrict(Grant(str(inside), TREE))
    for action in changes(inside).values():
        assert outcome(action, wall) == DONE
    attempts = changes(outside)
    for name, action in attempts.items():
        if name == "truncate" and landlock.abi() < 3:
            continue
        assert outcome(action, wall) in ("EACCES", "EXDEV"), name
    for action in attempts.values():
        assert outcome(action, unrestricted) == DONE


def test_reading_and_running_are_not_restricted(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    wall = restrict()
    assert outcome(file.read_text, wall) == DONE
    assert outcome(lambda: os.listdir(tmp_path), wall) == DONE
    assert outcome(lambda: os.posix_spawn("/bin/true", ["true"], {}), wall) == DONE


def test_a_file_can_be_granted_by_itself(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    other.touch()
    wall = restrict(Grant(str(one), TREE))
    assert outcome(lambda: one.write_text("x"), wall) == DONE
    assert outcome(lambda: other.write_text("x"), wall) == "EACCES"


def test_no_device_is_made_even_in_a_granted_tree(tmp_path: Path) -> None:
    """Without a wall, a whiteout is anybody's to make (Linux 5.8), a disk root's alone."""
    wall = restrict(Grant(str(tmp_path), TREE))
    for kind, plain in ((stat.S_IFCHR, DONE), (stat.S_IFBLK, "EPERM")):

        def make(kind: int = kind) -> None:
            os.mknod(tmp_path / str(kind), kind | 0o600, os.makedev(0, 0))

        assert outcome(make, wall) == "EACCES"
        assert outcome(make, unrestricted) == plain


def test_an_open_file_is_granted_as_such(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    fd = os.open(file, os.O_PATH)

    def wall() -> None:
        ruleset = landlock.create([], [(fd, TREE)])
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.landlock_restrict_self(ruleset, 0)

    try:
        assert outcome(lambda: file.write_text("x"), wall) == DONE
        assert outcome(lambda: file.write_text("x"), restrict()) == "EACCES"
    finally:
        os.close(fd)


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    def descriptors() -> list[str]:
        return os.listdir("/proc/self/fd")

    before = descriptors()
    os.close(landlock.create([Grant(str(tmp_path), TREE)]))
    with pytest.raises(FileNotFoundError):
        landlock.create([Grant(str(tmp_path), TREE), Grant(str(tmp_path / "missing"), TREE)])
    assert descriptors() == before

    def same_after() -> None:
        landlock.confine([Grant(str(tmp_path), TREE)])
        assert descriptors() == before_in_child

    # One more is open there, by which the outcome comes back.
    before_in_child: list[str] = []
    assert outcome(same_after, lambda: before_in_child.extend(descriptors())) == DONE


def test_nothing_is_confined_without_landlock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touch() -> None:
        (tmp_path / "file").touch()

    def wall() -> None:
        landlock.confine([])

    assert outcome(touch, wall) == "EACCES"
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    assert outcome(touch, wall) == DONE


def test_a_kernel_that_knows_no_landlock_has_no_abi(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(syscalls, "landlock_abi", absent)
    assert landlock.abi() == 0


def test_terminals_are_the_users_own(tmp_path: Path) -> None:
    """Who is logged in at a console owns it; the link is to a file of root's, as another's is."""
    (tmp_path / "pts").mkdir()
    for name in ("tty", "tty7", "ttyS0", "ttyUSB0", "hvc0", "sda"):
        (tmp_path / name).touch()
    for name in ("tty1", "hvc1"):
        (tmp_path / name).symlink_to("/etc/passwd")
    fds = landlock.open_terminals(str(tmp_path))
    try:
        names = {os.path.basename(os.readlink(f"/proc/self/fd/{fd}")) for fd in fds}
        assert names == {"pts", "tty7", "ttyS0", "hvc0"}
        for fd in fds:
            assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH
            assert not os.get_inheritable(fd)
    finally:
        for fd in fds:
            os.close(fd)
    (tmp_path / "pts").rmdir()
    (tmp_path / "pts").touch()
    for fd in (fds := landlock.open_terminals(str(tmp_path))):
        os.close(fd)
    assert len(fds) == 3


def test_terminals_are_those_of_the_host() -> None:
    require(os.path.isdir("/dev/pts"), "no /dev/pts here")
    fds = landlock.open_terminals()
    try:
        assert os.path.samestat(os.fstat(fds[0]), os.stat("/dev/pts"))
    finally:
        for fd in fds:
            os.close(fd)


def test_devices_work_by_the_rights_for_devices() -> None:
    def discard() -> None:
        os.close(os.open("/dev/null", os.O_WRONLY | os.O_CREAT | os.O_TRUNC))

    assert outcome(discard, restrict(Grant("/dev", DEVICE))) == DONE
    assert outcome(discard, restrict()) == "EACCES"


def test_requests_to_a_device_need_the_right_for_it() -> None:
    require(landlock.abi() >= 5, "this kernel's Landlock does not know of ioctl(2)")

    def request() -> None:
        with open("/dev/null", "r+b", buffering=0) as null:
            fcntl.ioctl(null, termios.TIOCGWINSZ, bytes(8))

    assert outcome(request, restrict(Grant("/dev/null", DEVICE))) == "ENOTTY"
    assert outcome(request, restrict(Grant("/dev/null", CONTENT))) == "EACCES"


def test_a_process_can_set_itself_up_in_proc() -> None:
    def adjust() -> None:
        Path("/proc/self/oom_score_adj").write_text("500")

    assert outcome(adjust, restrict(Grant("/proc", CONTENT))) == DONE
    assert outcome(adjust, restrict()) == "EACCES"


def test_a_grant_whose_path_is_a_symlink_is_refused(tmp_path: Path) -> None:
    (tmp_path / "planted").symlink_to("/")
    with pytest.raises(OSError, match="symbolic links"):
        landlock.create([Grant(str(tmp_path / "planted"), TREE)])


def test_abstract_sockets_of_others_are_out_of_reach(tmp_path: Path) -> None:
    require(landlock.abi() >= 6, "this kernel's Landlock does not scope abstract sockets")
    name = f"\0venvjail-test-{os.getpid()}-{tmp_path.name}"

    def connect() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(name)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        assert outcome(connect, restrict(scoped=True)) == "EPERM"
        assert outcome(connect, restrict()) == DONE


@pytest.fixture
def paths(tmp_path: Path) -> VenvPaths:
    """The directories of a venv in a project, as a supervisor finds them."""
    paths = VenvPaths(str(tmp_path / "proj/venv"))
    for directory in (paths.store, paths.run, paths.bin):
        Path(directory).mkdir(parents=True)
    return paths


def test_supervisor_writes_where_it_has_to(paths: VenvPaths, tmp_path: Path) -> None:
    placeholder = tmp_path / "proj/.git"
    placeholder.mkdir()

    def wall() -> None:
        landlock.confine(landlock.supervisor_grants(paths, [str(placeholder)]))

    for place in (paths.store, paths.bin, paths.run):
        directory = Path(place, "place")
        directory.mkdir()
        for name, action in changes(directory).items():
            assert outcome(action, wall) == DONE, name
    assert outcome(placeholder.rmdir, wall) == DONE


def test_supervisor_cannot_write_elsewhere(paths: VenvPaths, tmp_path: Path) -> None:
    def wall() -> None:
        landlock.confine(landlock.supervisor_grants(paths, []))

    for place in (tmp_path, tmp_path / "proj", Path(paths.env)):
        directory = place / "place"
        directory.mkdir()
        attempts = changes(directory)
        for name, action in attempts.items():
            if name == "truncate" and landlock.abi() < 3:
                continue
            assert outcome(action, wall) in ("EACCES", "EXDEV"), name
        for action in attempts.values():
            assert outcome(action, unrestricted) == DONE
