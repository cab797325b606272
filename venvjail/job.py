"""Entry's parent half (host PID namespace): be the command to whoever started it.

The command stays in the entry's process group, so what the terminal sends (Ctrl-C, Ctrl-Z, a new
window size) reaches it without help.  Passed on is what somebody sent to the entry alone.  Who
sends a signal to the whole group by kill(2) cannot be told from that: such a one comes twice.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal  # the same names, with types
    from typing import Any
else:
    import _signal  # signal itself imports enum, a noticeable part of the entry's start

_TTY_FDS = (0, 1, 2)
# si_code of a signal that the kernel, and so the terminal, sent; siginfo in sigaction(2).
_SI_KERNEL = 0x80
# Not passed on: those that cannot be caught, that tell of a fault of the entry's own, or that
# Python ignores.
_OWN = {
    _signal.SIGKILL,
    _signal.SIGSTOP,
    _signal.SIGCHLD,
    _signal.SIGBUS,
    _signal.SIGFPE,
    _signal.SIGILL,
    _signal.SIGSEGV,
    _signal.SIGSYS,
    _signal.SIGTRAP,
    _signal.SIGXCPU,
    _signal.SIGPIPE,
    _signal.SIGXFSZ,
}
WAITED = set(_signal.valid_signals()) - _OWN | {_signal.SIGCHLD}
_TERMINAL_STOPS = (_signal.SIGTTIN, _signal.SIGTTOU)


class Caller:
    """What the command inherits from the entry's caller, while the entry has it otherwise."""

    __slots__ = ("_mask", "_sigchld", "_tether", "modes", "terminal")

    def __init__(self) -> None:
        """To be made before the fork.

        Blocks SIGCHLD alone: a signal to our group that comes while others were blocked would be
        pending here and lost for the command, which inherits no pending ones.  What is not blocked
        is taken before the fork or by both (copy_process() in kernel/fork.c).
        """
        self._sigchld = _signal.getsignal(_signal.SIGCHLD)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # ignored, children reap themselves
        self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGCHLD})
        self.tie()
        # Before the command can make itself the foreground and change the modes.
        self.terminal = foreground_terminal(posix.getpgrp())
        self.modes = _modes(self.terminal)

    def tie(self) -> None:
        """What the next child is to be asked whether its parent has died is this process."""
        self._tether = posix.pipe2(posix.O_NONBLOCK | posix.O_CLOEXEC)

    def restore_signals(self) -> None:
        """In the child: the caller's mask, and the dispositions that Python changed at its start.

        What the caller had for SIGPIPE and SIGXFSZ is not known any more; the default is usual.
        """
        for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(number, _signal.SIG_DFL)
        _signal.signal(_signal.SIGCHLD, self._sigchld)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)

    def entry_is_gone(self) -> bool:
        """In the child, to be asked once: whether the entry died already.

        To be asked after PR_SET_PDEATHSIG, which tells of later deaths only; getppid(2) is 0 from
        the start, since the entry is in no namespace of the child's.
        """
        ours, entrys = self._tether
        posix.close(entrys)
        try:
            return posix.read(ours, 1) == b""
        except BlockingIOError:
            return False


def foreground_terminal(group: int) -> int | None:
    """A descriptor of the terminal whose foreground group we are in."""
    for fd in _TTY_FDS:
        try:
            if posix.tcgetpgrp(fd) == group:
                return fd
        except OSError:
            continue
    return None


def lead(terminal: int) -> None:
    """In the child: lead a process group of its own, the terminal's foreground.

    A shell does that by itself, but first it asks for the process group that it is in.  The
    entry's has no number in the jail, and dash would fail to give it the terminal at its end.
    """
    if posix.getpgrp() == posix.getpid():
        return  # in a session of its own, where the terminal is given to it when it needs it
    posix.setpgid(0, 0)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGTTOU})  # until ``restore_signals``
    posix.tcsetpgrp(terminal, posix.getpid())


def accompany(child: int, caller: Caller) -> int:
    """Wait for ``child`` to end, stopping and continuing with it; its wait status."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, WAITED)
    group = posix.getpgrp()
    terminal = caller.terminal
    while True:
        info = _signal.sigwaitinfo(WAITED)
        if info.si_signo != _signal.SIGCHLD:
            if not _has_got(child, group, info):
                _pass_on(child, info.si_signo)
            continue
        pid, status = posix.waitpid(child, posix.WNOHANG | posix.WUNTRACED)
        if pid == 0:
            continue
        if not posix.WIFSTOPPED(status):
            _take_terminal(terminal, group)
            if posix.WIFSIGNALED(status):
                _restore_modes(terminal, caller.modes)
            return status
        number = posix.WSTOPSIG(status)
        if number in _TERMINAL_STOPS and _hand_over(foreground_terminal(group), child, group):
            # It is in the foreground and made a process group of its own, which the leader of a
            # job, as the entry is in its place, cannot do.
            _pass_on(child, _signal.SIGCONT)
            continue
        if posix.getpgid(child) != group:
            # Else it stopped by a key that stopped all of our group, and where a script or a
            # pipeline is in that, the shell may have the terminal back before we are here.
            _take_terminal(terminal, group)
        _stop_like(child, number, group)
        terminal = foreground_terminal(group)
        _hand_over(terminal, child, group)


def end_like(status: int) -> int:
    """The exit status for a wait status; a command killed by a signal takes the entry with it."""
    if posix.WIFEXITED(status):
        return posix.WEXITSTATUS(status)
    number = posix.WTERMSIG(status)
    if number not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
    posix.kill(posix.getpid(), number)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
    return 128 + number  # the signal did not kill us: the caller had it ignored


def _has_got(child: int, group: int, info: "_signal.struct_siginfo") -> bool:
    """Whether the command got the signal without our help, as a member of our group.

    The kernel signals the younger members of a group first, so a command that was continued
    together with us is so already.
    """
    if info.si_signo == _signal.SIGCONT:
        options = posix.WCONTINUED | posix.WNOHANG
        return posix.waitid(posix.P_PID, child, options) is not None
    return info.si_code == _SI_KERNEL and posix.getpgid(child) == group


def _pass_on(child: int, number: int) -> None:
    try:
        posix.kill(child, number)
    except ProcessLookupError:
        return  # its end is already on the way to us


def _stop_like(child: int, number: int, group: int) -> None:
    """Stop as the command has stopped, so that the shell sees a stopped job.

    A shell that is suspended stops its own process group.  In a plain venv that is the whole job,
    the script included that started it, so ours has to stop as well.
    """
    alone = posix.getpgid(child) == group
    if alone and was_continued():
        return
    stop(posix.getpid() if alone else 0, number)
    if _signal.SIGCONT not in _signal.sigpending():
        # We are in an orphaned process group, which the terminal's stop signals do not stop
        # (setpgid(2)): nobody would continue the command.
        _pass_on(child, _signal.SIGCONT)


def was_continued() -> bool:
    """Whether our group was continued, by a SIGCONT that we are still to hear.

    Others of the group stop at a key before we do, so the shell may see the job stopped, and
    continue it, before that.  To stop then would take the SIGCONT away (signal(7)), and the shell,
    which sees the others run, would send no other.
    """
    return _signal.SIGCONT in _signal.sigpending()


def stop(who: int, number: int) -> None:
    """Stop this process, or all of its group where ``who`` is 0, by a signal that is blocked."""
    # Raised while blocked, so that it is one with the terminal's own if that is still pending.
    posix.kill(who, number)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number} & WAITED)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, WAITED)


def _hand_over(terminal: int | None, child: int, group: int) -> bool:
    """Give the terminal to the command's process group; False when that is ours, or none is."""
    own = posix.getpgid(child)
    if terminal is None or own == group:
        return False
    try:
        posix.tcsetpgrp(terminal, own)
    except OSError:
        return False  # hung up, or the command is in another session
    return True


def _take_terminal(terminal: int | None, group: int) -> None:
    """Take the terminal back from a shell that made a process group of its own the foreground."""
    if terminal is None:
        return
    try:
        if posix.tcgetpgrp(terminal) != group:
            posix.tcsetpgrp(terminal, group)  # SIGTTOU is blocked
    except OSError:
        return  # hung up meanwhile


def _modes(terminal: int | None) -> "list[Any] | None":
    """The modes of the terminal as the command finds them; tcgetattr(3)."""
    if terminal is None:
        return None
    import termios  # not for commands in a pipe

    try:
        return termios.tcgetattr(terminal)
    except termios.error:
        return None


def _restore_modes(terminal: int | None, modes: "list[Any] | None") -> None:
    """Undo what a killed command, or a program in a killed shell, had made of the terminal.

    Shells do that for a job that was killed, but not when a script of ours is between them and us.
    """
    if terminal is None or modes is None:
        return
    import termios

    try:
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
    except termios.error:
        return  # hung up meanwhile
