"""Entry (host): copy between the caller's terminal and the command's own, and keep job control.

The command's terminal is one of the jail's (``session``), so what a jailed program leaves behind
holds nothing of the caller's.  This process never enters the jail.  What it gets from there are
bytes to print and the modes of a terminal, and it acts on no other part of either: a program can
print whatever it likes, as on a terminal of the caller's, and no more.

Nothing here waits for anything but all of its descriptors at once.
"""

import _socket
import fcntl
import posix
import select
import sys
import termios

from venvjail import job, joining, session
from venvjail.errors import say
from venvjail.signalfd import Signals
from venvjail.terminal import KEYS, NEWLINES, OUTPUT, Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal

_CHUNK = 16384
#: So many bytes may wait to be printed before we read no more of them.
_MOST = 65536
#: What the kernel holds of a pseudo-terminal's output, and more.
_LAST = 131072
_RETRY_MS = 100
_FLUSH_MS = 200
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
        self._master = _receive(link)
        self._modes = terminal.modes
        self._typed = b""
        self._printed = bytearray()
        self._wanted = terminal.is_attached  # whether the command has asked for the terminal
        self._waits = False  # whether it is stopped until it gets it from another relay
        self._is_there = True
        self._is_stopped = False
        self._keyed = False  # whether a key is to stop the command
        self._count = self._obeyed = 0
        self._status: int | None = None
        self._has_typed = False

    def run(self) -> int | None:
        """Relay until the command has ended; its wait status, None where its session died."""
        if self._master is None:
            return None
        if self._terminal.is_attached:
            self._typed = self._terminal.typed_before()
            self._terminal.follow(self._modes, raw=False)
        while self._status is None or self._printed:
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
            while more := self._read_typed():  # the rest of it, lest it comes first
                self._typed += more
            typed = self._unread() + self._typed
            lost = bool(typed) and not (returns_typed and self._terminal.push_back(typed))
        self._terminal.detach()
        self._close_master()
        if lost:
            say(b"what you typed and the command has not read is lost; type it again")

    def _unread(self) -> bytes:
        """What the command was given to read, and has not."""
        if not self._has_typed:
            return b""
        self._tell(session.UNREAD, 0)
        try:
            return self._link.recv(_LAST)[1:]
        except OSError:
            return b""  # it was killed

    # What there is to do

    def _wait(self) -> dict[int, int]:
        poll = select.poll()
        poll.register(self._signals.fd, select.POLLIN)
        if self._status is None:
            poll.register(self._link.fileno(), select.POLLIN)
        if self._master is not None and self._status is None:
            events = select.POLLIN if len(self._printed) < _MOST else 0
            writes = self._typed and self._obeyed == self._count
            poll.register(self._master, events | (select.POLLOUT if writes else 0))
        if self._is_there:
            reads = self._terminal.is_attached and not self._typed and self._status is None
            events = select.POLLIN if reads else 0
            poll.register(self._terminal.fd, events | (select.POLLOUT if self._printed else 0))
        return dict(poll.poll(_RETRY_MS if self._waits else None))

    def _copy(self, ready: dict[int, int]) -> None:
        events = ready.get(self._terminal.fd, 0)
        if self._master is not None and self._status is None:
            self._follow(bool(ready.get(self._master, 0) & select.POLLIN))
            if ready.get(self._master, 0) & select.POLLIN:
                self._read_printed()
            if events & select.POLLIN and self._terminal.is_attached and not self._typed:
                typed = self._read_typed()
                self._hear_signals()  # a key that was pressed before comes first
                self._typed += typed
            self._write_typed()
        self._write_printed()
        if events & _LOST and self._is_there:
            self._lose_terminal(hang_up=self._terminal.is_attached)

    # Bytes

    def _follow(self, more: bool) -> None:
        """Follow the modes of the command's terminal; ``more`` of its output waits to be read.

        What it printed before a change of modes comes after it.  Passing bytes on as they are is
        right for both, so that begins at once, and ends when nothing printed before is left.
        """
        try:
            self._modes = termios.tcgetattr(self._master or -1)
        except termios.error:
            return
        before = self._terminal.adds_returns()
        raw = not before and (more or bool(self._printed))
        self._terminal.follow(self._modes, raw=raw)
        if before and not self._terminal.adds_returns():
            self._printed = self._printed.replace(b"\n", b"\r\n")

    def _read_printed(self) -> bool:
        """Take a part of the command's output; False when there is none now."""
        try:
            data = posix.read(self._master or -1, _CHUNK)
        except OSError:
            return False
        # Both terminals put a carriage return before a newline: one of the two is enough.
        if self._modes[OUTPUT] & NEWLINES == NEWLINES and self._terminal.adds_returns():
            data = data.replace(b"\r\n", b"\n")
        self._printed += data
        return bool(data)

    def _write_printed(self) -> None:
        if self._printed and self._is_there:
            try:
                del self._printed[: posix.write(self._terminal.fd, self._printed)]
            except BlockingIOError:
                return
            except OSError:
                self._lose_terminal(hang_up=self._terminal.is_attached)

    def _read_typed(self) -> bytes:
        try:
            return posix.read(self._terminal.fd, _CHUNK)
        except OSError:
            return b""

    def _write_typed(self) -> None:
        # Not before the command is continued, which would undo that a key has stopped it.
        if self._typed and self._obeyed == self._count:
            self._keyed = False
            self._has_typed = True
            try:
                self._typed = self._typed[posix.write(self._master or -1, self._typed) :]
            except BlockingIOError:
                return
            except OSError:
                self._typed = b""

    def _flush(self) -> None:
        """Print what the command has printed up to now, unless the terminal is stopped."""
        poll = select.poll()
        poll.register(self._terminal.fd, select.POLLOUT)
        size = 0
        while self._is_there and size < _LAST:
            if not self._printed and not self._read_printed():
                return
            size += len(self._printed)
            if not poll.poll(_FLUSH_MS):
                return
            self._write_printed()

    # Signals of ours

    def _hear_signals(self) -> None:
        for number, from_kernel in self._signals.read():
            self._take(number, from_kernel)

    def _take(self, number: int, from_kernel: bool) -> None:
        if self._status is not None:
            if number in _DEADLY:
                self._printed.clear()  # the terminal is stopped, and we are not waited for
            return
        if number == _signal.SIGWINCH:
            self._copy_size()
        if number == _signal.SIGCONT:
            self._resume()
        elif not from_kernel:
            self._tell(session.SIGNAL, number)
        elif number == _signal.SIGHUP:
            if self._is_there:
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
        if number not in _KEY_OF or not self._terminal.is_attached or self._master is None:
            return False
        self._follow(more=True)
        key: bytes = self._modes[KEYS][_KEY_OF[number]]
        if key == b"\0":
            return False
        keyed = self._keyed
        # The key takes back what was typed before it, as in the caller's terminal; but what was
        # read when we attached was typed after it.
        self._typed = key + (b"" if self._obeyed == self._count else self._typed)
        self._write_typed()
        self._keyed = keyed
        return True

    def _copy_size(self) -> None:
        if self._master is not None:
            try:
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, self._terminal.size())
            except OSError:
                return  # hung up

    def _lose_terminal(self, *, hang_up: bool) -> None:
        """The terminal is gone, or the session that it belonged to."""
        self._is_there = False
        self._wanted = False
        self._printed.clear()
        self._terminal.detach()
        if hang_up:
            self._tell(session.GROUP, _signal.SIGHUP)
        self._close_master()

    def _close_master(self) -> None:
        if self._master is not None:
            posix.close(self._master)
            self._master = None

    # The command's session

    def _tell(self, kind: bytes, value: int) -> None:
        try:
            self._link.send(kind + bytes([value]))
        except OSError:
            return  # it died: that is heard next

    def _hear(self) -> bool:
        try:
            message = self._link.recv(_LAST)
        except OSError:
            return False
        kind = message[:1]
        if kind == session.CONTINUED:
            self._obeyed = message[1]
        elif kind == session.STOPPED:
            if message[2] == self._count:  # else we have continued it meanwhile
                self._stop(message[1])
        elif kind == session.ENDED:
            while len(self._printed) < _LAST and self._read_printed():
                pass
            self._status = int.from_bytes(message[1:5], sys.byteorder)
        return bool(message)

    def _stop(self, number: int) -> None:
        """The command has stopped: give it what it waits for, or stop as it has."""
        self._is_stopped = True
        if number in _TERMINAL_STOPS and self._is_there:
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
        if self._master is not None:
            self._flush()
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
        self._follow(more=False)
        if self._modes == self._terminal.modes and self._master is not None:
            # Not changed by the command: it begins with what the terminal has now.
            self._modes = self._terminal.renew_modes()
            try:
                termios.tcsetattr(self._master, termios.TCSANOW, self._modes)
            except termios.error:
                return False
        self._typed += self._terminal.typed_before()
        self._follow(more=False)
        self._copy_size()
        return True

    def _resume(self) -> None:
        self._keyed = False
        self._copy_size()
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
