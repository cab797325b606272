"""Entry's parent half (host PID namespace): be the command to whoever started it.

The command stays in the entry's process group, so what the terminal sends (Ctrl-C, Ctrl-Z, a new
window size) reaches it without help.  Passed on is what somebody sent to the entry alone.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal  # the same names, with types
else:
    import _signal  # signal itself imports enum, a noticeable part of the entry's start

_TTY_FDS = (0, 1, 2)
# si_code of a signal that the kernel, and so the terminal, sent; siginfo in sigaction(2).
_SI_KERNEL = 0x80
_FORWARDED = {
    _signal.SIGHUP,
    _signal.SIGINT,
    _signal.SIGQUIT,
    _signal.SIGTERM,
    _signal.SIGUSR1,
    _signal.SIGUSR2,
    _signal.SIGALRM,
    _signal.SIGCONT,
    _signal.SIGTSTP,
    _signal.SIGTTIN,
    _signal.SIGTTOU,
    _signal.SIGWINCH,
}
_WAITED = _FORWARDED | {_signal.SIGCHLD}


def block_signals() -> set[int]:
    """Block what ``accompany`` waits for; the former mask, for ``restore_signals``."""
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # ignored, children would reap themselves
    return {int(number) for number in _signal.pthread_sigmask(_signal.SIG_BLOCK, _WAITED)}


def restore_signals(mask: set[int]) -> None:
    """In the child: the caller's mask, and the dispositions that Python changed at its start."""
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def accompany(child: int) -> int:
    """Wait for ``child`` to end, stopping and continuing with it; its wait status."""
    group = posix.getpgrp()
    terminal = _foreground_terminal(group)
    while True:
        info = _signal.sigwaitinfo(_WAITED)
        if info.si_signo != _signal.SIGCHLD:
            if info.si_code != _SI_KERNEL:
                _pass_on(child, info.si_signo)
            continue
        pid, status = posix.waitpid(child, posix.WNOHANG | posix.WUNTRACED)
        if pid == 0:
            continue
        if not posix.WIFSTOPPED(status):
            _take_terminal(terminal, group)
            return status
        _stop_like(child, posix.WSTOPSIG(status), terminal, group)


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


def _pass_on(child: int, number: int) -> None:
    try:
        posix.kill(child, number)
    except ProcessLookupError:
        return  # its end is already on the way to us


def _stop_like(child: int, number: int, terminal: int | None, group: int) -> None:
    """Stop as the command has stopped, so that the shell sees a stopped job; then both go on."""
    _take_terminal(terminal, group)
    # Raised while blocked, so that it is one with the terminal's own if that is still pending.
    posix.kill(posix.getpid(), number)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number} & _WAITED)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _WAITED)
    try:
        own = posix.getpgid(child)
        if terminal is not None and own != group and posix.tcgetpgrp(terminal) == group:
            posix.tcsetpgrp(terminal, own)
        posix.kill(child, _signal.SIGCONT)
    except OSError:
        return  # the command or the terminal is gone; SIGCHLD says so


def _foreground_terminal(group: int) -> int | None:
    """A descriptor of the terminal whose foreground group we are in."""
    for fd in _TTY_FDS:
        try:
            if posix.tcgetpgrp(fd) == group:
                return fd
        except OSError:
            continue
    return None


def _take_terminal(terminal: int | None, group: int) -> None:
    """Take the terminal back from a shell that made a process group of its own the foreground."""
    if terminal is None:
        return
    try:
        if posix.tcgetpgrp(terminal) != group:
            posix.tcsetpgrp(terminal, group)  # SIGTTOU is blocked
    except OSError:
        return  # hung up meanwhile
