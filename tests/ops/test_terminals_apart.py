"""The caller's terminal and the relay, on pseudo-terminals: what is done where one side fails."""

import os
import select
import signal
import socket
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.support.waiting import eventually
from venvjail import relay as relaying
from venvjail import session, wire
from venvjail.relay import Relay
from venvjail.terminal import INPUT, LOCAL, OUTPUT, Terminal
from venvjail.wire import Wire


class Ends(NamedTuple):
    """Of two terminals: the user's side and the caller's, the relay's side and the command's."""

    user: int
    caller: int
    master: int
    command: int


@pytest.fixture
def ends() -> Iterator[Ends]:
    found = Ends(*os.openpty(), *os.openpty())
    # What the command writes comes in one part then, its newlines as they are.
    modes = termios.tcgetattr(found.command)
    modes[OUTPUT] &= ~termios.OPOST
    termios.tcsetattr(found.command, termios.TCSANOW, modes)
    os.set_blocking(found.caller, False)
    os.set_blocking(found.master, False)
    yield found
    for fd in found:
        try:
            os.close(fd)
        except OSError:
            continue  # by the test


def terminal(ends: Ends) -> Terminal:
    return Terminal(ends.caller, [ends.caller], own_keys=False)


def shown(ends: Ends, size: int) -> bytes:
    """What the user sees, so many bytes of it: the kernel passes on what is written in parts."""
    seen = b""
    while len(seen) < size and select.select([ends.user], [], [], 20)[0]:
        seen += os.read(ends.user, size - len(seen))
    return seen


def hang_up(ends: Ends) -> None:
    os.close(ends.user)


# -- the caller's terminal -------------------------------------------------------------------


def test_one_that_is_not_attached_is_left_alone(ends: Ends) -> None:
    """Another relay of the job has it."""
    found = terminal(ends)
    before = termios.tcgetattr(ends.caller)
    assert found.renew_modes() == before
    found.begin_return()
    found.follow(before, raw=True)
    found.detach()
    assert found.push_back(b"typed") is False
    assert termios.tcgetattr(ends.caller) == before
    assert not select.select([ends.caller], [], [], 0)[0]


def test_what_was_typed_before_is_taken_as_lines_only(ends: Ends) -> None:
    os.write(ends.user, b"one\ntwo")
    lines = terminal(ends)
    assert lines.attach()
    assert lines.typed_before() == b"one\n"
    lines.detach()
    tty.setraw(ends.caller)
    raw = terminal(ends)
    assert raw.attach()
    os.write(ends.user, b"raw")
    assert raw.typed_before() == b""
    assert os.read(ends.caller, 10).endswith(b"raw")


def test_an_end_of_file_is_taken_as_its_key(ends: Ends) -> None:
    os.write(ends.user, b"\x04")
    found = terminal(ends)
    assert found.attach()
    assert found.typed_before() == b"\x04"


def test_one_that_is_gone(ends: Ends) -> None:
    found = terminal(ends)
    assert found.attach()
    hang_up(ends)
    assert not found.is_ours()
    modes = [*found.modes]
    modes[OUTPUT] ^= termios.OPOST
    found.follow(modes, raw=False)  # no error
    found.detach()
    assert found.size() == bytes(8)
    assert found.push_back(b"x") is False


def test_two_relays_of_a_job(ends: Ends) -> None:
    """A lock on the device: whoever has it reads; by /dev/tty none can be had."""
    first = terminal(ends)
    assert first.attach()
    program = (
        "import sys; from venvjail.terminal import Terminal; "
        "print(Terminal(0, [0], own_keys=False).attach())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, stdin=ends.caller, capture_output=True, text=True, timeout=30)
    assert done.stdout == "False\n", done.stderr
    first.detach()
    done = subprocess.run(command, stdin=ends.caller, capture_output=True, text=True, timeout=30)
    assert done.stdout == "True\n", done.stderr


def test_no_stream_but_the_controlling_terminal() -> None:
    """/dev/tty is the same file for all terminals, so no lock is taken on it."""
    program = (
        "import os; from venvjail.terminal import Terminal; fd = os.open('/dev/tty', os.O_RDWR); "
        "print(Terminal(fd, [fd], own_keys=False).attach())"
    )
    pid, user = os.forkpty()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    said = b""
    try:
        while more := os.read(user, 1000):
            said += more
    except OSError:
        pass  # its end
    os.waitpid(pid, 0)
    os.close(user)
    assert said == b"True\r\n"


# -- the bytes between -----------------------------------------------------------------------------


def test_output_to_a_terminal_that_is_stopped(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-S: what the command has printed waits, and the command is not held up for it."""
    monkeypatch.setattr(wire, "_FLUSH_MS", 20)
    monkeypatch.setattr(wire, "LAST", 1 << 60)  # no end but that
    between = Wire(terminal(ends), ends.master)
    os.write(ends.command, b"before\n")
    termios.tcflow(ends.caller, termios.TCOOFF)
    assert between.flush()
    assert between.printed == b"before\n"
    termios.tcflow(ends.caller, termios.TCOON)
    assert between.flush()
    assert between.printed == b""
    assert shown(ends, 8) == b"before\r\n"


def test_output_to_a_terminal_that_is_gone(ends: Ends) -> None:
    between = Wire(terminal(ends), ends.master)
    os.write(ends.command, b"lost\n")
    hang_up(ends)
    assert not between.flush()
    between.is_there = False
    assert between.flush()
    assert between.write_printed()


def test_a_flush_has_an_end(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much the command prints meanwhile."""
    monkeypatch.setattr(wire, "LAST", 4)
    monkeypatch.setattr(wire, "_CHUNK", 3)
    between = Wire(terminal(ends), ends.master)
    os.write(ends.command, b"123456789")
    assert between.flush()
    assert shown(ends, 6) == b"123456"
    assert not select.select([ends.user], [], [], 0)[0]


def test_a_command_whose_terminal_is_gone(ends: Ends) -> None:
    between = Wire(terminal(ends), ends.master)
    between.close()
    assert between.master is None
    between.close()
    between.follow(more=False)
    between.copy_size()
    assert not between.begin_anew()
    assert not between.read_printed()
    between.typed = b"for nobody"
    between.write_typed()
    assert between.typed == b""


def test_a_command_that_does_not_read(ends: Ends) -> None:
    """Its terminal is full: the rest waits."""
    tty.setraw(ends.command)
    between = Wire(terminal(ends), ends.master)
    between.typed = b"x" * 200_000
    for _ in range(100):
        between.write_typed()
    assert 0 < len(between.typed) < 200_000


# -- the relay -------------------------------------------------------------------------------------


class Between:
    """A relay, and what is on its sides."""

    def __init__(self, ends: Ends, stack: ExitStack) -> None:
        self.link, self.leader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(self.link)
        stack.enter_context(self.leader)
        self.leader.settimeout(20)
        self.signals: list[tuple[int, bool]] = []
        own = os.dup(ends.master)
        socket.send_fds(self.leader, [session.TERMINAL], [own])
        os.close(own)
        self.idle, self.wake = os.pipe()
        stack.callback(os.close, self.idle)
        stack.callback(os.close, self.wake)
        signals: Any = SimpleNamespace(fd=self.idle, read=self._heard)
        self.terminal = terminal(ends)
        self.relay = Relay(self.terminal, self.link, signals)  # type: ignore[arg-type]

    def _heard(self) -> list[tuple[int, bool]]:
        heard, self.signals = self.signals, []
        return heard

    def told(self) -> list[bytes]:
        """What the session was told since."""
        messages = []
        while select.select([self.leader], [], [], 0)[0] and (message := self.leader.recv(100)):
            messages.append(message)
        return messages

    def ended(self, status: int) -> None:
        """The command has ended."""
        self.leader.send(session.ENDED + status.to_bytes(4, sys.byteorder))


@pytest.fixture
def between(ends: Ends) -> Iterator[Between]:
    with ExitStack() as stack:
        made = Between(ends, stack)
        yield made
        made.relay._wire.close()


def test_a_session_that_fails_to_open_a_terminal() -> None:
    """It has said why; there is no status of a command then."""
    link, leader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with link, leader:
        leader.close()
        assert relaying._receive(link) is None
    link, leader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with link, leader:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # something else comes along
        leader.send(session.TERMINAL)
        assert relaying._receive(link) is None


def test_a_relay_without_a_terminal_of_the_command(ends: Ends) -> None:
    link, leader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with link, leader:
        leader.close()
        made = Relay(terminal(ends), link, SimpleNamespace(fd=-1))  # type: ignore[arg-type]
        assert made.run() is None
        made.finish(returns_typed=True)


def test_a_session_that_dies(between: Between) -> None:
    between.leader.close()
    assert between.relay.run() is None


def test_the_commands_status(between: Between, ends: Ends) -> None:
    os.write(ends.command, b"last words\n")
    between.ended(256)
    assert between.relay.run() == 256
    assert shown(ends, 12) == b"last words\r\n"


def test_a_message_that_it_does_not_know(between: Between) -> None:
    between.leader.send(b"Z1")
    assert between.relay._hear()
    assert between.told() == []


def test_a_stop_that_is_over_already(between: Between) -> None:
    """The command was continued, by a message that it had not heard when it stopped."""
    between.relay._continue(session.BACKGROUND)
    between.leader.send(session.STOPPED + bytes([signal.SIGTSTP, 0]))
    assert between.relay._hear()
    assert between.told() == [session.BACKGROUND + b"\1"]


def test_after_the_end_signals_only_cut_the_output_off(between: Between) -> None:
    """The terminal is stopped, and whoever waits for us has had enough."""
    relay = between.relay
    relay._status = 0
    relay._wire.printed += b"waits"
    relay._take(signal.SIGWINCH, True)
    relay._take(signal.SIGTSTP, True)
    assert relay._wire.printed == b"waits"
    relay._take(signal.SIGINT, True)
    assert relay._wire.printed == b""
    assert between.told() == []


def test_a_key_that_the_command_has_switched_off(between: Between, ends: Ends) -> None:
    """The signal goes to its job by itself."""
    modes = termios.tcgetattr(ends.command)
    modes[6][termios.VINTR] = b"\0"
    termios.tcsetattr(ends.command, termios.TCSANOW, modes)
    assert between.terminal.attach()
    between.relay._take(signal.SIGINT, True)
    assert between.told() == [session.GROUP + bytes([signal.SIGINT])]


def test_a_key_is_typed_for_the_command(between: Between, ends: Ends) -> None:
    tty.setcbreak(ends.command)
    modes = termios.tcgetattr(ends.command)
    modes[LOCAL] &= ~termios.ISIG
    modes[INPUT] &= ~termios.ICRNL
    termios.tcsetattr(ends.command, termios.TCSANOW, modes)
    assert between.terminal.attach()
    between.relay._take(signal.SIGINT, True)
    assert between.told() == []
    assert os.read(ends.command, 10) == b"\x03"


def test_the_callers_terminal_goes_while_output_waits(between: Between, ends: Ends) -> None:
    """The command hears of it as of a terminal that is hung up."""
    assert between.terminal.attach()
    between.relay._wire.printed += b"lost"
    hang_up(ends)
    between.relay._copy({})
    assert between.told() == [session.GROUP + bytes([signal.SIGHUP])]
    assert between.relay._wire.master is None


def test_what_was_typed_and_cannot_be_given_back(
    between: Between, ends: Ends, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is said; without the filter it is not tried."""
    assert between.terminal.attach()
    between.relay._wire.typed = b"typed"
    between.relay._status = 0
    between.relay.finish(returns_typed=False)
    line = "venvjail: what you typed and the command has not read is lost; type it again\n"
    assert capfd.readouterr().err == line
    assert not between.terminal.is_attached


def test_what_was_typed_and_nobody_tells_of(between: Between) -> None:
    """The session was killed: it does not say what the command has left."""
    relay = between.relay
    relay._wire.has_typed = True
    between.leader.close()
    assert relay._unread() == b""


def test_a_session_that_died_is_not_told(between: Between) -> None:
    between.leader.close()
    between.relay._tell(session.SIGNAL, 15)
    assert not between.relay._hear()


def test_a_command_that_waits_for_a_terminal_that_another_relay_has(
    between: Between, ends: Ends
) -> None:
    """It stays stopped until that one lets it go."""
    program = (
        "import sys; from venvjail.terminal import Terminal; "
        "print(Terminal(0, [0], own_keys=False).attach(), flush=True); sys.stdout.read(0); "
        "import time; time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=ends.caller, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        between.relay._stop(signal.SIGTTIN)
        assert between.told() == []
        assert between.relay._waits
    finally:
        other.kill()
        other.wait(20)
        other.stdout.close()  # type: ignore[union-attr]

    def served() -> bool:
        between.relay._serve_waiting()
        return between.terminal.is_attached

    eventually(served, "the terminal")
    assert between.told() == [session.FOREGROUND + b"\1"]
    assert not between.relay._waits
    between.terminal.detach()
