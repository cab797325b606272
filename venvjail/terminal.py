"""Entry (host): the caller's terminal, which no jailed process gets a descriptor of.

While the relay is attached to it, the terminal passes on what is typed as it is: lines, echo and
editing are made by the command's own terminal.  Three things stay with the caller's, as the
command's has them:

* keys that signal, since they are for the whole job: the script, ``make`` or pipeline around it;
* stopping output by Ctrl-S, which should stop it at once;
* output processing, since others of the job print here too.
"""

import fcntl
import posix
import select
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Modes = list[Any]

#: Indices into what tcgetattr(3) returns.
INPUT, OUTPUT, LOCAL, KEYS = 0, 1, 3, 6
#: Output with both puts a carriage return before each newline.
NEWLINES = termios.OPOST | termios.ONLCR
_SIZE = bytes(8)  # struct winsize
_TTY = posix.makedev(5, 0)  # /dev/tty, the same file for all terminals

_INPUT_OFF = (
    termios.ICRNL
    | termios.INLCR
    | termios.IGNCR
    | termios.ISTRIP
    | termios.INPCK
    | termios.PARMRK
    | termios.IXOFF
)
_INPUT_FOLLOWED = termios.IXON | termios.IXANY
_LOCAL_OFF = termios.ICANON | termios.ECHO | termios.ECHONL | termios.IEXTEN
_LOCAL_FOLLOWED = termios.ISIG | termios.NOFLSH
_KEYS_FOLLOWED = (
    termios.VINTR,
    termios.VQUIT,
    termios.VSUSP,
    termios.VSTART,
    termios.VSTOP,
)


class Terminal:
    """The terminal ``fd``, a descriptor of our own; ``streams`` are the standard ones at one.

    ``modes`` are those that the command's terminal begins with.  With ``own_keys``, keys that
    signal are the command's alone, not for the whole job.
    """

    __slots__ = ("_current", "_own_keys", "_saved", "fd", "modes", "streams")

    def __init__(self, fd: int, streams: list[int], *, own_keys: bool) -> None:
        self._own_keys = own_keys
        self.fd = fd
        self.streams = streams
        self.modes = termios.tcgetattr(fd)
        self._saved: Modes | None = None
        self._current: Modes | None = None

    @property
    def is_attached(self) -> bool:
        return self._saved is not None

    @property
    def is_first_choice(self) -> bool:
        """Whether the command reads here: in a pipeline others of the job may, so it has to ask."""
        return 0 in self.streams and 1 in self.streams

    def is_ours(self) -> bool:
        """Whether our process group is in the foreground, or there is no such thing here."""
        try:
            return posix.tcgetpgrp(self.fd) == posix.getpgrp()
        except OSError:
            return self._is_there()  # not the controlling terminal of our session

    def _is_there(self) -> bool:
        try:
            termios.tcgetattr(self.fd)
        except termios.error:
            return False
        return True

    def attach(self) -> bool:
        """Take the terminal for the command, unless it is another job's or another relay's."""
        if self._saved is None and self.is_ours() and self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB):
            self._saved = termios.tcgetattr(self.fd)
            self._current = self._saved
        return self._saved is not None

    def _lock(self, operation: int) -> bool:
        """Of several relays in a job one reads, and finds and leaves the modes as they were.

        The lock is fcntl(2)'s on the device: it is the process's own, although the descriptor is
        everyone's, and ends with it.  No jailed process can open that device.
        """
        for fd in self.streams:
            if posix.fstat(fd).st_rdev != _TTY:
                try:
                    fcntl.lockf(fd, operation)
                except BlockingIOError:
                    return False
                except OSError:
                    continue  # not open for writing
                return True
        return True

    def renew_modes(self) -> "Modes":
        """The modes that the terminal had when we attached are those to begin with."""
        if self._saved is not None:
            self.modes = self._saved
        return self.modes

    def typed_before(self) -> bytes:
        """The lines that were typed before we attached; an end-of-file as its key.

        To be read as lines still: the mark of an end-of-file is lost with the mode.
        """
        modes = self._saved
        typed = b""
        if modes is not None and modes[LOCAL] & termios.ICANON:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            while poll.poll(0) and len(typed) < 4096:
                try:
                    typed += posix.read(self.fd, 4096) or modes[KEYS][termios.VEOF]
                except OSError:
                    break
        return typed

    def follow(self, command: "Modes", *, raw: bool) -> None:
        """Have the modes for a command whose own terminal has ``command``.

        With ``raw``, output is passed on as it is; else newlines are processed if the command's
        terminal does so as well.
        """
        if self._saved is None:
            return
        modes = [*self._saved[:KEYS], [*self._saved[KEYS]]]
        modes[INPUT] &= ~(_INPUT_OFF | _INPUT_FOLLOWED)
        modes[INPUT] |= command[INPUT] & _INPUT_FOLLOWED
        modes[LOCAL] &= ~(_LOCAL_OFF | _LOCAL_FOLLOWED)
        modes[LOCAL] |= command[LOCAL] & _LOCAL_FOLLOWED
        if self._own_keys:
            modes[LOCAL] &= ~termios.ISIG
        for key in _KEYS_FOLLOWED:
            modes[KEYS][key] = command[KEYS][key]
        modes[KEYS][termios.VMIN], modes[KEYS][termios.VTIME] = 1, 0
        if raw or command[OUTPUT] & NEWLINES != NEWLINES:
            modes[OUTPUT] &= ~termios.OPOST
        else:
            modes[OUTPUT] |= NEWLINES
        self._set(modes)

    def adds_returns(self) -> bool:
        """Whether the terminal puts a carriage return before each newline that we write."""
        try:
            modes = self._current or termios.tcgetattr(self.fd)
        except termios.error:
            return False
        return bool(modes[OUTPUT] & NEWLINES == NEWLINES)

    def _set(self, modes: "Modes") -> None:
        if modes != self._current:
            self._current = modes
            try:
                termios.tcsetattr(self.fd, termios.TCSANOW, modes)
            except termios.error:
                return  # hung up meanwhile

    def detach(self) -> None:
        """Give the terminal back as it was."""
        if self._saved is None:
            return
        if self.is_ours():
            self._set(self._saved)
        self._lock(fcntl.LOCK_UN)
        self._saved = self._current = None

    def begin_return(self) -> None:
        """Take lines again, of what is typed from now on; keys have no effect yet, and no echo."""
        if self._saved is not None and self.is_ours():
            modes = [*self._saved]
            modes[INPUT] &= ~_INPUT_FOLLOWED
            modes[LOCAL] &= ~(_LOCAL_FOLLOWED | termios.ECHO | termios.ECHONL | termios.IEXTEN)
            self._set(modes)

    def push_back(self, typed: bytes) -> bool:
        """Type for the user, after ``begin_return``.

        By TIOCSTI, tty_ioctl(4).  False where the kernel refuses it (``dev.tty.legacy_tiocsti``,
        since Linux 6.2): there is no other way.
        """
        if self._saved is None or not self.is_ours():
            return False
        if self._saved[INPUT] & termios.ICRNL:
            typed = typed.replace(b"\r", b"\n")  # as it would be, had it been typed a moment later
        for byte in typed:
            try:
                fcntl.ioctl(self.fd, termios.TIOCSTI, bytes([byte]))
            except OSError:
                return False
        return True

    def size(self) -> bytes:
        """The size of the window, a ``struct winsize``; all 0 where it is not known."""
        try:
            return fcntl.ioctl(self.fd, termios.TIOCGWINSZ, _SIZE)
        except OSError:
            return _SIZE
