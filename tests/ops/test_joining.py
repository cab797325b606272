"""The entry's way into a jail, where it fails: nothing is run, and one line says why."""

import fcntl
import os
import pty
import resource
import socket
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.home import TREE
from tests.support.namespaces import in_namespaces
from tests.support.restricted import DONE, outcome
from venvjail import joining, protocol, syscalls
from venvjail.errors import JailError
from venvjail.layout import VenvPaths

PATHS = VenvPaths("/home/alice/proj/venv")


def refusal(action: Callable[[], object]) -> Callable[[], None]:
    """``action``, for a child process that tells of errors of other kinds only."""

    def act() -> None:
        try:
            action()
        except JailError as error:
            raise AssertionError(f"<{error}>") from None

    return act


def line_of(action: Callable[[], object], restrict: Callable[[], object]) -> str:
    """The line that ``action`` raises JailError with, after ``restrict``."""
    told = outcome(refusal(action), restrict)
    assert "AssertionError: <" in told, told
    return told.partition("AssertionError: <")[2].rstrip().removesuffix(">")


# -- namespaces and fork --------------------------------------------------------------------


def test_a_namespace_that_cannot_be_joined() -> None:
    with open("/proc/self/ns/mnt", "rb") as own:
        line = line_of(
            lambda: joining._enter(PATHS, [(own.fileno(), syscalls.CLONE_NEWNS)]), lambda: None
        )
    assert line == (
        f"cannot join the jail of {PATHS.env}: Operation not permitted (was it started in another "
        f"container or user namespace?); end it: venvjail stop {PATHS.env}"
    )


def test_a_limit_of_processes() -> None:
    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))

    line = line_of(lambda: joining.fork(PATHS), restrict)
    assert line == (f"cannot run in the jail of {PATHS.env}: Resource temporarily unavailable")


def test_an_init_that_has_ended() -> None:
    """No process can be made in its PID namespace any more; the user is told to try again."""

    def restrict() -> None:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWPID)
        if (init := os.fork()) == 0:
            os._exit(0)
        os.waitpid(init, 0)

    line = line_of(lambda: joining.fork(PATHS), restrict)
    assert line.endswith("it has ended meanwhile; run the command again")


def test_capabilities_that_cannot_be_dropped() -> None:
    """Without CAP_SETPCAP the bounding set stays: the command must not start with it."""
    assert outcome(syscalls.drop_capabilities, lambda: None) == "EPERM"
    own = lambda: syscalls.unshare(syscalls.CLONE_NEWUSER)  # noqa: E731
    assert outcome(syscalls.drop_capabilities, own) == DONE


# -- a command whose entry has died ------------------------------------------------------------

ORPHAN = """
import os, signal, sys
from types import SimpleNamespace
from venvjail import joining
gone_read, gone_write = os.pipe()
def prepare(environment):
    os.close(gone_write)
    if sys.argv[1] == "die":
        os.read(gone_read, 1)  # end-of-file: the entry has died
    return ["/bin/echo", "ran"]
answer = SimpleNamespace(
    home=b"/", processes=None, memory=None, ruleset=None, filter=b"", namespaces=[]
)
command = SimpleNamespace(prepare=prepare, directory=b"/", environment={})
start = joining.Start(None, command, answer, None)
child = os.fork()
if child == 0:
    joining._become(start, None)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("fate", "output"), [("live", "ran\n"), ("die", "")])
def test_the_entry_died_before_its_command_began(fate: str, output: str) -> None:
    done = subprocess.run(
        [*in_namespaces(), sys.executable, "-c", f"{INSIDE}{ORPHAN}", fate],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        stdout=subprocess.PIPE,  # until all that have it have ended
        text=True,
        timeout=30,
    )
    assert done.stdout == output
    assert done.returncode == (0 if fate == "live" else -9)


#: Capabilities do not outlive the exec of an ordinary user: namespaces once more.
INSIDE = "from tests.support.namespaces import unshare; unshare(as_root=False)\n"


# -- the terminal ----------------------------------------------------------------------------


def terminal_of(fd: int) -> Callable[[], None]:
    """What `Start.terminal` finds where stdin is ``fd`` and no terminal controls the process."""

    def find() -> None:
        os.setsid()
        os.dup2(fd, 0)
        for number in (1, 2):
            os.dup2(os.open("/dev/null", os.O_RDWR), number)
        start = joining.Start.__new__(joining.Start)
        start.paths = PATHS
        found = start.terminal()
        assert found is not None
        assert found[1] == [0]
        assert os.path.samestat(os.fstat(found[0]), os.fstat(fd))

    return find


def test_a_terminal_that_does_not_control_the_caller() -> None:
    master, slave = pty.openpty()
    assert outcome(terminal_of(slave), lambda: None) == DONE
    os.close(master)
    os.close(slave)


def test_a_terminal_that_cannot_be_opened_anew() -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCEXCL)
    line = line_of(terminal_of(slave), lambda: None)
    assert line.startswith("descriptor 0 is a terminal that cannot be opened: ")
    assert line.endswith(f'[jail] terminal = "shared" in {PATHS.config}')
    os.close(master)
    os.close(slave)


# -- directories and words -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directory", "home", "place", "said"),
    [
        (b"/usr", b"/nonexistent", "/usr", ""),
        (
            b"/missing",
            b"/usr",
            "/usr",
            "/missing is not visible in the jail; the command starts in /usr",
        ),
        (b"/missing", b"/nonexistent", "/", "the command starts in /"),
        (b"", b"/usr", "/usr", ""),
    ],
)
def test_where_the_command_starts(
    directory: bytes,
    home: bytes,
    place: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)  # undone
    joining._change_directory(directory, home)
    assert os.getcwd() == place
    err = capfd.readouterr().err
    assert (said in err) if said else (err == "")


def test_directories_of_the_environment_that_the_jail_has_not() -> None:
    environment = {
        b"HOME": b"/missing",
        b"TMPDIR": b"/missing",
        b"TEMP": b"/usr",
        b"X": b"/missing",
    }
    joining._mend_directories(environment, b"/home/alice")
    assert environment == {b"HOME": b"/home/alice", b"TEMP": b"/usr", b"X": b"/missing"}


# -- what the supervisor says at the end -----------------------------------------------------------


def said_at_the_end(answer: bytes | None, status: int, capfd: pytest.CaptureFixture[str]) -> str:
    class Command:
        directory = b"/"
        arguments = ("x", "y" * 5000)

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        if answer is None:
            theirs.close()
        else:
            theirs.send(answer)
        joining._say_done(PATHS, ours, status, Command)  # type: ignore[arg-type]  # as much of one
    return capfd.readouterr().err


def test_only_notices_are_said(capfd: pytest.CaptureFixture[str]) -> None:
    fields = [b"Zwhat a later version may send", protocol.NOTICE + b"hello"]
    answer = protocol.pack(protocol.OK, fields)
    assert said_at_the_end(answer, 0, capfd) == "venvjail: hello\n"


@pytest.mark.parametrize("answer", [None, b"noise"])
def test_a_jail_that_has_ended(answer: bytes | None, capfd: pytest.CaptureFixture[str]) -> None:
    line = f"venvjail: the jail of {PATHS.env} has ended, and the command with it\n"
    assert said_at_the_end(answer, 9, capfd) == line
    assert said_at_the_end(answer, 15, capfd) == ""
    assert said_at_the_end(answer, 0, capfd) == ""


# -- the answer that lets it in --------------------------------------------------------------------


def test_what_answers_is_no_supervisor() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.send(b"noise")
        with pytest.raises(JailError, match="does not answer as this venvjail does"):
            joining._answer(PATHS, ours)
        ours.settimeout(0.01)
        with pytest.raises(JailError, match="the jail's supervisor does not answer; try: "):
            joining._answer(PATHS, ours)
        theirs.send(protocol.pack(protocol.ERROR, [b"because"]))
        with pytest.raises(JailError, match=r"^because$"):
            joining._answer(PATHS, ours)
        theirs.close()
        assert joining._answer(PATHS, ours) is None
