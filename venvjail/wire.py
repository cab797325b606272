"""Entry (host): the bytes between the caller's terminal and the command's own, and their modes.

Used by the relay, which decides when bytes go where; here is how.  Nothing here waits.
"""

import fcntl
import posix
import select
import termios

from venvjail.terminal import KEYS, NEWLINES, OUTPUT, Terminal

_CHUNK = 16384
#: So many bytes may wait to be printed before we read no more of them.
_MOST = 65536
#: What the kernel holds of a pseudo-terminal's output, and more.
LAST = 131072
_FLUSH_MS = 200


class Wire:
    """Between ``terminal``, the caller's, and the descriptor ``master``, which is the command's.

    ``master`` is None once it has been closed.  ``is_there`` says whether the caller's terminal is,
    which the relay finds out.  ``typed`` waits to be read by the command, ``printed`` to be shown
    to the caller.  ``has_typed`` says whether the command was ever given something to read.
    ``modes`` are those that the command's terminal had when it was last looked at.
    """

    def __init__(self, terminal: Terminal, master: int | None) -> None:
        self.terminal = terminal
        self.master = master
        self.modes = terminal.modes
        self.typed = b""
        self.printed = bytearray()
        self.is_there = True
        self.has_typed = False

    def register(self, poll: "select.poll", *, may_write: bool) -> None:
        """Register both sides while the command runs; ``may_write`` what is typed."""
        if self.master is not None:
            events = select.POLLIN if len(self.printed) < _MOST else 0
            writes = self.typed and may_write
            poll.register(self.master, events | (select.POLLOUT if writes else 0))
        self.register_caller(poll, reads=self.terminal.is_attached and not self.typed)

    def register_caller(self, poll: "select.poll", *, reads: bool) -> None:
        """Register the caller's side alone."""
        if self.is_there:
            events = select.POLLIN if reads else 0
            poll.register(self.terminal.fd, events | (select.POLLOUT if self.printed else 0))

    def follow(self, more: bool) -> None:
        """Follow the modes of the command's terminal; ``more`` of its output waits to be read.

        What it printed before a change of modes comes after it.  Passing bytes on as they are is
        right for both, so that begins at once, and ends when nothing printed before is left.
        """
        try:
            self.modes = termios.tcgetattr(self.master or -1)
        except (termios.error, ValueError):  # gone, closed
            return
        before = self.terminal.adds_returns()
        raw = not before and (more or bool(self.printed))
        self.terminal.follow(self.modes, raw=raw)
        if before and not self.terminal.adds_returns():
            self.printed = self.printed.replace(b"\n", b"\r\n")

    def begin_anew(self) -> bool:
        """Give the command the modes that the caller's terminal has now; False if it is gone."""
        self.modes = self.terminal.renew_modes()
        try:
            termios.tcsetattr(self.master or -1, termios.TCSANOW, self.modes)
        except (termios.error, ValueError):
            return False
        return True

    def key(self, which: int) -> bytes:
        """The key that does this at the command's terminal (``termios.VINTR``); NUL for none."""
        key: bytes = self.modes[KEYS][which]
        return key

    def copy_size(self) -> None:
        """Give the command's terminal the size of the caller's."""
        if self.master is not None:
            try:
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, self.terminal.size())
            except OSError:
                return  # hung up

    # What is printed

    def read_printed(self) -> bool:
        """Take a part of the command's output; False when there is none now."""
        data = self._read(_CHUNK)
        # Both terminals put a carriage return before a newline: one of the two is enough.
        if self.modes[OUTPUT] & NEWLINES == NEWLINES and self.terminal.adds_returns():
            if data.endswith(b"\r"):
                data += self._read(1)  # the newline, if that is what was cut off
            data = data.replace(b"\r\n", b"\n")
        self.printed += data
        return bool(data)

    def _read(self, most: int) -> bytes:
        try:
            return posix.read(self.master or -1, most)
        except OSError:
            return b""

    def read_last(self) -> None:
        """Take what the kernel has of the output of a command that has ended."""
        while len(self.printed) < LAST and self.read_printed():
            pass

    def write_printed(self) -> bool:
        """Print a part of the output; False where the caller's terminal turns out to be gone."""
        if self.printed and self.is_there:
            try:
                del self.printed[: posix.write(self.terminal.fd, self.printed)]
            except BlockingIOError:
                return True
            except OSError:
                return False
        return True

    def flush(self) -> bool:
        """Print what the command has printed up to now, unless the terminal is stopped.

        False as of ``write_printed``.
        """
        poll = select.poll()
        poll.register(self.terminal.fd, select.POLLOUT)
        size = 0
        while self.is_there and size < LAST:
            if not self.printed and not self.read_printed():
                return True
            size += len(self.printed)
            if not poll.poll(_FLUSH_MS):
                return True
            if not self.write_printed():
                return False
        return True

    # What is typed

    def read_typed(self) -> bytes:
        """What has been typed since; empty for nothing."""
        try:
            return posix.read(self.terminal.fd, _CHUNK)
        except OSError:
            return b""

    def write_typed(self) -> None:
        """Give a part of what was typed to the command."""
        self.has_typed = True
        try:
            self.typed = self.typed[posix.write(self.master or -1, self.typed) :]
        except BlockingIOError:
            return
        except OSError:
            self.typed = b""

    def close(self) -> None:
        """Close the command's side: its terminal is hung up."""
        if self.master is not None:
            posix.close(self.master)
            self.master = None
