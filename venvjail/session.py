"""Entry's child (host PID namespace, else the jail's): leads the command's own session.

The kernel stops no process by Ctrl-Z, and none that reads in the background, unless its parent is
in the same session and could continue it (an orphaned process group; setpgid(2)).  So the command
cannot lead the session of its terminal: this process does, and is the command's parent.  It does
what a shell does for its one job, tells the relay what became of it, and obeys the relay.

It is outside the jail's PID namespace, where no jailed process sees it.
"""

import _socket
import fcntl
import posix
import select
import sys
import termios

from venvjail import job, syscalls
from venvjail.errors import EXIT_NO_JAIL, JailError, say
from venvjail.layout import encode
from venvjail.native import Long, address_of, call
from venvjail.signalfd import Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn

    from venvjail.joining import Start
    from venvjail.terminal import Terminal
else:
    import _signal

# From the relay: one of these and a byte.
SIGNAL = b"s"
"""Signal the command itself.  The byte is the number."""
GROUP = b"g"
"""Signal what is in the foreground, or the command's process group.  The byte is the number."""
FOREGROUND = b"f"
"""Continue the command, in the foreground of its terminal.  The byte counts such messages."""
BACKGROUND = b"b"
"""Continue the command, in the background.  The byte counts, as for FOREGROUND."""
UNREAD = b"u"
"""Tell what was typed and nobody has read; after the end, when no more is typed.  The byte is 0."""
# To the relay.
TERMINAL = b"t"
"""The other side of the command's terminal comes with this message."""
STOPPED = b"p"
"""The command has stopped: the signal's number, and the last count when that was seen."""
CONTINUED = b"c"
"""The command has been continued: the count of the message that said so."""
ENDED = b"e"
"""The command has ended: its wait status in 4 bytes."""

_TYPED = 65536
# What the kernel sends the leader of a session whose terminal is gone: the relay sees to that.
_OF_HANGUP = (_signal.SIGHUP, _signal.SIGCONT)


def open_terminal() -> tuple[int, int, int]:
    """A new terminal of the jail, whose namespaces have been joined: both its sides.

    The caller leads a session, and gets the second as its controlling terminal.  The third is that
    once more, as a description of the caller's own that does not block: what is shared with the
    command, it can change (fcntl(2)), or prevent from being opened again (TIOCEXCL).
    """
    flags = posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW
    master = posix.open("/dev/pts/ptmx", flags | posix.O_NOCTTY)
    call("unlockpt", master)
    name = bytearray(64)
    call("ptsname_r", master, Long(address_of(name)), Long(len(name)))
    path = bytes(name).partition(b"\0")[0]
    slave = posix.open(path, flags)
    try:
        if posix.tcgetpgrp(slave) == posix.getpgrp():
            return master, slave, posix.open(path, flags | posix.O_NOCTTY | posix.O_NONBLOCK)
    except OSError:
        pass  # a process of the jail was quicker, and has it now
    raise JailError("the jail's programs disturb its terminals; run the command again")


def run(link: _socket.socket, terminal: "Terminal", start: "Start") -> "NoReturn":
    """In the child of the relay behind ``link``: start the command and see to it.

    Its terminal is like ``terminal``, the caller's.
    """
    try:
        _run(link, terminal, start)
    except JailError as error:
        say(encode(str(error)))
    except BaseException as error:  # noqa: BLE001 - whatever it is, this process must not go on
        say(f"cannot run the command: {error}".encode("utf-8", "surrogateescape"))
    posix._exit(EXIT_NO_JAIL)


def _run(link: _socket.socket, terminal: "Terminal", start: "Start") -> None:
    foreground = terminal.is_attached
    posix.setsid()
    start.enter()
    master, fd, own = open_terminal()
    termios.tcsetattr(fd, termios.TCSANOW, terminal.modes)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, terminal.size())
    rights = master.to_bytes(4, sys.byteorder)
    link.sendmsg([TERMINAL], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    posix.close(master)
    posix.close(terminal.fd)
    for stream in terminal.streams:
        posix.dup2(fd, stream)
    # After the namespaces were joined, which clears it (prctl(2)).
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)
    if start.caller.entry_is_gone():
        return
    start.caller.tie()
    child = start.fork(lambda: _begin(fd, foreground))
    _set_group(child)
    Session(link, (fd, own), child, start).serve()


def _set_group(child: int) -> None:
    try:
        posix.setpgid(child, child)  # as it does itself: either may be the first to need it
    except OSError:
        return  # it has been executed already


def _begin(fd: int, foreground: bool) -> None:
    """In the command's process: lead a process group, in the foreground if that is wanted."""
    posix.setpgid(0, 0)
    if foreground:
        posix.tcsetpgrp(fd, posix.getpid())  # SIGTTOU is blocked


class Session:
    """The session of the command ``child``.

    ``terminal`` are two descriptors of its terminal: the command's, and one of our own that does
    not block.
    """

    def __init__(
        self, link: _socket.socket, terminal: tuple[int, int], child: int, start: "Start"
    ) -> None:
        self._link = link
        self._start = start
        self._fd, self._reader = terminal
        self._child = child
        self._own = posix.getpgrp()
        self._front = child
        self._count = 0
        self._ended = False
        self._signals = Signals(job.WAITED)

    def serve(self) -> "NoReturn":
        """Serve the relay until it goes."""
        self._link.setblocking(False)
        poll = select.poll()
        for fd in (self._signals.fd, self._link.fileno()):
            poll.register(fd, select.POLLIN)
        while self._hear_relay():
            self._hear_signals()
            poll.poll()
        posix._exit(0)

    def _hear_relay(self) -> bool:
        """Obey all that was said, before what a key may have done since; False at the end."""
        try:
            while message := self._link.recv(2):
                self._obey(message)
        except BlockingIOError:
            return True
        return False

    def _hear_signals(self) -> None:
        for number, from_kernel in self._signals.read():
            if number == _signal.SIGCHLD:
                self._look()
            elif from_kernel and number not in _OF_HANGUP:
                # Ours is in the foreground: the command has not asked for that, or not got it yet.
                self._signal_group(number)

    def _look(self) -> None:
        if self._ended:
            return
        pid, status = posix.waitpid(self._child, posix.WNOHANG | posix.WUNTRACED)
        if pid == 0:
            return
        if posix.WIFSTOPPED(status):
            if self._foreground() not in (0, self._own):
                self._front = self._foreground()
            self._give(self._own)
            self._link.send(STOPPED + bytes([posix.WSTOPSIG(status), self._count]))
            return
        self._ended = True
        self._start.end()
        # When this process ends, the kernel sends SIGHUP to what is in the foreground then.
        self._give(self._own)
        self._link.send(ENDED + status.to_bytes(4, sys.byteorder))

    def _obey(self, message: bytes) -> None:
        kind, number = message[:1], message[-1]
        if self._ended:
            if kind == UNREAD:
                self._link.send(UNREAD + self._unread())
            return
        if kind == SIGNAL:
            _kill(posix.kill, self._child, number)
        elif kind == GROUP:
            self._signal_group(number)
        else:
            self._count = number
            if kind == FOREGROUND and self._foreground() == self._own:
                self._give(self._front)
            _kill(posix.killpg, posix.getpgid(self._child), _signal.SIGCONT)
            self._link.send(CONTINUED + bytes([number]))

    def _signal_group(self, number: int) -> None:
        groups = {self._foreground(), posix.getpgid(self._child)} - {self._own, 0}
        for group in groups:
            _kill(posix.killpg, group, number)

    def _foreground(self) -> int:
        """The process group in the foreground; 0 for none."""
        try:
            return posix.tcgetpgrp(self._fd)
        except OSError:
            return 0  # hung up

    def _give(self, group: int) -> None:
        try:
            posix.tcsetpgrp(self._fd, group)  # SIGTTOU is blocked
        except OSError:
            if group != self._own:
                self._give_to_command()

    def _give_to_command(self) -> None:
        """Where the group that was in the foreground has ended."""
        try:
            posix.tcsetpgrp(self._fd, posix.getpgid(self._child))
        except OSError:
            return  # hung up

    def _unread(self) -> bytes:
        """What was typed and not read: a whole line, the rest of one, anything.

        Without waiting: what the command has left behind may change the modes meanwhile.
        """
        try:
            modes = termios.tcgetattr(self._reader)
            modes[3] &= ~(termios.ICANON | termios.ECHO)
            modes[6][termios.VMIN] = modes[6][termios.VTIME] = 0
            termios.tcsetattr(self._reader, termios.TCSANOW, modes)
        except termios.error:
            return b""  # hung up
        unread = b""
        try:
            while more := posix.read(self._reader, _TYPED):
                unread += more
        except OSError:
            pass  # there is no more, or it is hung up
        return unread.replace(b"\0", b"")  # the marks of end-of-files


def _kill(kill: "Callable[[int, int], None]", target: int, number: int) -> None:
    try:
        kill(target, number)
    except ProcessLookupError:
        return  # its end is on the way to us
