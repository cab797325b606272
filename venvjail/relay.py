"""Entry (host): stand between the caller's terminal and the command's own, and keep job control.

The command's terminal is one of the jail's (``session``), so what a jailed program leaves behind
holds nothing of the caller's.  This process never enters the jail.  What it gets from there are
bytes to print and the modes of a terminal, and it acts on no other part of either: a program can
print whatever it likes, as on a terminal of the caller's, and no more.

Nothing here waits for anything but all of its descriptors at once.
"""

import _socket
import posix
import select
import sys
import termios

from venvjail import job, joining, session
from venvjail.errors import say
from venvjail.signalfd import Signals
from venvjail.terminal import Terminal
from venvjail.wire import LAST, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal

_RETRY_MS = 100
_KEY_OF: dict[int, int] = {
    _signal.SIGINT: termios.VINTR,
    _signal.SIGQUIT: termios.VQUIT,
    _signal.SIGTSTP: termios.VSUSP,
}
_TERMINAL_STOPS = (_signal.SIGTTIN, _signal.SIGTTOU)
_STOPS = (_signal.SIGTSTP, *_TERMINAL_STOPS)
_DEADLY = (_signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGHUP)
_LOST = select.POLLHUP | select.POLLERR | select.POLLNVAL


def run(fd: int, streams: list[int], start: joining.Start) -> int:
    """Run the command at a terminal of its own; its wait status.

    ``fd`` is the caller's terminal, a descriptor of ours that does not block, and ``streams`` are
    the standard ones that are terminals.
    """
    terminal = Terminal(fd, streams, own_keys=start.command.is_shell)
    link, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    signals = Signals(job.WAITED - {_signal.SIGCHLD})
    if terminal.is_first_choice:
        terminal.attach()
    leader = joining.fork(start.paths)
    if leader == 0:
        link.close()
        session.run(theirs, terminal, start)
    theirs.close()
    relay = Relay(terminal, link, signals)
    try:
        status = relay.run()
    finally:
        # Without the filter a program could type into its own terminal what is given back here.
        relay.finish(returns_typed=bool(start.answer.filter))
    link.close()
    _, end = posix.waitpid(leader, 0)
    return end if status is None else status


class Relay:
    """Between ``terminal`` and the session behind ``link``; ``signals`` are this process's."""

    def __init__(self, terminal: Terminal, link: _socket.socket, signals: Signals) -> None:
        self._terminal = terminal
        self._link = link
        self._signals = signals
        self._wire = Wire(terminal, _receive(link))
        self._wanted = terminal.is_attached  # whether the command has asked for the terminal
        self._waits = False  # whether it is stopped until it gets it from another relay
        self._is_stopped = False
        self._keyed = False  # whether a key is to stop the command
        self._count = self._obeyed = 0
        self._status: int | None = None

    def run(self) -> int | None:
        """Relay until the command has ended; its wait status, None where its session died."""
        if self._wire.master is None:
            return None
        if self._terminal.is_attached:
            self._wire.typed = self._terminal.typed_before()
            self._terminal.follow(self._wire.modes, raw=False)
        while self._status is None or self._wire.printed:
            ready = self._wait()
            self._hear_signals()
            if self._link.fileno() in ready and not self._hear():
                return None
            if self._waits:
                self._serve_waiting()
            self._copy(ready)
        return self._status

    def finish(self, *, returns_typed: bool) -> None:
        """Give the terminal back; with ``returns_typed``, what was typed and not read as well."""
        lost = False
        if self._status is not None and self._terminal.is_attached:
            self._terminal.begin_return()
            while more := self._wire.read_typed():  # the rest of it, lest it comes first
                self._wire.typed += more
            typed = self._unread() + self._wire.typed
            lost = bool(typed) and not (returns_typed and self._terminal.push_back(typed))
        self._terminal.detach()
        self._wire.close()
        if lost:
            say(b"what you typed and the command has not read is lost; type it again")

    def _unread(self) -> bytes:
        """What the command was given to read, and has not."""
        if not self._wire.has_typed:
            return b""
        self._tell(session.UNREAD, 0)
        try:
            return self._link.recv(LAST)[1:]
        except OSError:
            return b""  # it was killed

    # What there is to do

    def _wait(self) -> dict[int, int]:
        poll = select.poll()
        poll.register(self._signals.fd, select.POLLIN)
        if self._status is None:
            poll.register(self._link.fileno(), select.POLLIN)
            self._wire.register(poll, may_write=self._obeyed == self._count)
        else:
            self._wire.register_caller(poll, reads=False)
        return dict(poll.poll(_RETRY_MS if self._waits else None))

    def _copy(self, ready: dict[int, int]) -> None:
        events = ready.get(self._terminal.fd, 0)
        if self._wire.master is not None and self._status is None:
            has_printed = bool(ready.get(self._wire.master, 0) & select.POLLIN)
            self._wire.follow(has_printed)
            if has_printed:
                self._wire.read_printed()
            if events & select.POLLIN and self._terminal.is_attached and not self._wire.typed:
                typed = self._wire.read_typed()
                self._hear_signals()  # a key that was pressed before comes first
                self._wire.typed += typed
            self._write_typed()
        if not self._wire.write_printed():
            self._lose_terminal(hang_up=self._terminal.is_attached)
        if events & _LOST and self._wire.is_there:
            self._lose_terminal(hang_up=self._terminal.is_attached)

    def _write_typed(self) -> None:
        # Not before the command is continued, which would undo that a key has stopped it.
        if self._wire.typed and self._obeyed == self._count:
            self._keyed = False
            self._wire.write_typed()

    # Signals of ours

    def _hear_signals(self) -> None:
        for number, from_kernel in self._signals.read():
            self._take(number, from_kernel)

    def _take(self, number: int, from_kernel: bool) -> None:
        if self._status is not None:
            if number in _DEADLY:
                self._wire.printed.clear()  # the terminal is stopped, and we are not waited for
            return
        if number == _signal.SIGWINCH:
            self._wire.copy_size()
        if number == _signal.SIGCONT:
            self._resume()
        elif not from_kernel:
            self._tell(session.SIGNAL, number)
        elif number == _signal.SIGHUP:
            if self._wire.is_there:
                self._lose_terminal(hang_up=True)
        elif number in _STOPS and self._is_stopped:
            # We were continued, but this came before we could see that: it takes the SIGCONT away.
            self._suspend(posix.getpid(), number)
        elif number != _signal.SIGWINCH:
            self._keyed = number == _signal.SIGTSTP
            if not self._press(number):
                self._tell(session.GROUP, number)

    def _press(self, number: int) -> bool:
        """Type the key for the signal that our terminal made of one; False where there is none."""
        if number not in _KEY_OF or not self._terminal.is_attached or self._wire.master is None:
            return False
        self._wire.follow(more=True)
        key = self._wire.key(_KEY_OF[number])
        if key == b"\0":
            return False
        keyed = self._keyed
        # The key takes back what was typed before it, as in the caller's terminal; but what was
        # read when we attached was typed after it.
        self._wire.typed = key + (b"" if self._obeyed == self._count else self._wire.typed)
        self._write_typed()
        self._keyed = keyed
        return True

    def _lose_terminal(self, *, hang_up: bool) -> None:
        """The terminal is gone, or the session that it belonged to."""
        self._wire.is_there = False
        self._wanted = False
        self._wire.printed.clear()
        self._terminal.detach()
        if hang_up:
            self._tell(session.GROUP, _signal.SIGHUP)
        self._wire.close()

    # The command's session

    def _tell(self, kind: bytes, value: int) -> None:
        try:
            self._link.send(kind + bytes([value]))
        except OSError:
            return  # it died: that is heard next

    def _hear(self) -> bool:
        try:
            message = self._link.recv(LAST)
        except OSError:
            return False
        kind = message[:1]
        if kind == session.CONTINUED:
            self._obeyed = message[1]
        elif kind == session.STOPPED:
            if message[2] == self._count:  # else we have continued it meanwhile
                self._stop(message[1])
        elif kind == session.ENDED:
            self._wire.read_last()
            self._status = int.from_bytes(message[1:5], sys.byteorder)
        return bool(message)

    def _stop(self, number: int) -> None:
        """The command has stopped: give it what it waits for, or stop as it has."""
        self._is_stopped = True
        if number in _TERMINAL_STOPS and self._wire.is_there:
            self._wanted = True
            if self._terminal.is_ours():
                self._waits = True
                self._serve_waiting()
                return
        keyed, self._keyed = self._keyed, False
        # A key has stopped all of our group; else the command has stopped all of its own, which
        # in its place would be ours.
        self._suspend(posix.getpid() if keyed else 0, number)

    def _suspend(self, who: int, number: int) -> None:
        """Stop, as ``job.stop`` does, with the command that has."""
        if self._wire.master is not None and not self._wire.flush():
            self._lose_terminal(hang_up=self._terminal.is_attached)
        self._terminal.detach()
        if who and job.was_continued():
            return
        job.stop(who, number)
        if _signal.SIGCONT not in _signal.sigpending():
            # We are in an orphaned process group, which these signals do not stop (setpgid(2)).
            if number in _TERMINAL_STOPS:
                self._lose_terminal(hang_up=False)
            self._resume()

    def _serve_waiting(self) -> None:
        """Attach for a command that waits for it; another relay may be, or we are put aside."""
        if self._attach():
            self._continue(session.FOREGROUND)
        elif not self._terminal.is_ours():
            self._waits = False
            self._stop(_signal.SIGTTIN)

    def _attach(self) -> bool:
        if not self._terminal.attach():
            return False
        self._wire.follow(more=False)
        # Not changed by the command: it begins with what the terminal has now.
        unchanged = self._wire.modes == self._terminal.modes
        if unchanged and self._wire.master is not None and not self._wire.begin_anew():
            return False
        self._wire.typed += self._terminal.typed_before()
        self._wire.follow(more=False)
        self._wire.copy_size()
        return True

    def _resume(self) -> None:
        self._keyed = False
        self._wire.copy_size()
        has = self._wanted and self._attach()
        self._continue(session.FOREGROUND if has else session.BACKGROUND)

    def _continue(self, kind: bytes) -> None:
        self._waits = self._is_stopped = False
        self._count = (self._count + 1) % 256
        self._tell(kind, self._count)


def _receive(link: _socket.socket) -> int | None:
    """The command's terminal, which the session sends first; None where it has failed to."""
    _, ancillary, _, _ = link.recvmsg(1, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            master = int.from_bytes(data[:4], sys.byteorder)
            posix.set_blocking(master, False)
            return master
    return None
