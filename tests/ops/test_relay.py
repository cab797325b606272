"""The relay between a caller's terminal and a command's session, where one of them fails."""

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
from typing import Any

import pytest

from tests.support.ptys import Ends, hang_up, shown, terminal, terminals
from tests.support.waiting import eventually
from venvjail import relay as relaying
from venvjail import session
from venvjail.relay import Relay
from venvjail.terminal import INPUT, LOCAL


@pytest.fixture
def ends() -> Iterator[Ends]:
    with terminals() as found:
        yield found


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
        "from venvjail.terminal import Terminal; "
        "print(Terminal(0, [0], own_keys=False).attach(), flush=True); "
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
