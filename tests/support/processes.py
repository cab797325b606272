"""End the jails that a test started, and tell what does not end with them."""

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

#: Seconds that a jail has to end after its supervisor was told to; it takes a tenth of one.
GRACE = 20.0


class Process:
    """One process, held by a pidfd: a number used again never is taken for it."""

    def __init__(self, pid: int) -> None:
        """Raise ``ProcessLookupError`` where there is no such process."""
        self.pid = pid
        self.fd = os.pidfd_open(pid)
        self.title = _title(pid)

    def __repr__(self) -> str:
        return f"{self.pid} {self.title!r}"

    def kill(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, number)

    def ended(self, deadline: float) -> bool:
        """Wait until the process has ended or ``time.monotonic()`` is ``deadline``."""
        seconds = max(0.0, deadline - time.monotonic())
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Let go of the pidfd."""
        os.close(self.fd)


def stop_jails(below: Path) -> list[str]:
    """End every jail of a venv below ``below``; return what had to be killed one by one.

    The supervisors get SIGTERM, and :data:`GRACE` seconds for themselves and all that descends
    from them, init and the jail's processes among it.
    """
    supervisors = list(_supervisors(below))
    family = [*supervisors, *_descendants(supervisors)]
    for process in supervisors:
        process.kill(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    survivors = [process for process in family if not process.ended(deadline)]
    for process in survivors:
        process.kill(signal.SIGKILL)
        process.ended(time.monotonic() + GRACE)
    for process in family:
        process.close()
    return [repr(process) for process in survivors]


def pid_of(program: str) -> int:
    """The one process of ours whose command line ends with ``program``."""
    (pid,) = (pid for pid in _pids() if _title(pid).endswith(program) and _is_readable(pid))
    return pid


def in_foreground(pid: int) -> bool:
    """Whether the process's group is the foreground of its terminal."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # proc_pid_stat(5): after the name in parentheses state, ppid, pgrp, session, tty_nr and tpgid.
    _, _, group, _, _, foreground, *_ = stat.rpartition(")")[2].split()
    return group == foreground


def all_stopped(group: int) -> bool:
    """Whether every process of the group has been stopped."""
    states = []
    for pid in _pids():
        with suppress(OSError):  # it has ended
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            state, _, of, *_ = stat.rpartition(")")[2].split()
            if of == str(group):
                states.append(state)
    return set(states) == {"T"}


def _is_readable(pid: int) -> bool:
    """Whether the process may be looked into: an entry, whose command line is alike, may not."""
    return os.access(f"/proc/{pid}/fd/0", os.R_OK)


def _supervisors(below: Path) -> Iterator[Process]:
    for pid in _pids():
        if _title(pid).startswith(f"venvjail: supervisor {below}/"):
            with suppress(ProcessLookupError):
                yield Process(pid)


def _descendants(ancestors: Iterable[Process]) -> Iterator[Process]:
    children: dict[int, list[int]] = {}
    for pid in _pids():
        if (parent := _parent(pid)) is not None:
            children.setdefault(parent, []).append(pid)
    pending = [process.pid for process in ancestors]
    while pending:
        for pid in children.get(pending.pop(), []):
            pending.append(pid)
            with suppress(ProcessLookupError):
                yield Process(pid)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _parent(pid: int) -> int | None:
    """Return the parent's pid, ``None`` for a process that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc_pid_stat(5): the name is in parentheses and may hold some itself; then state and ppid.
    return int(stat.rpartition(")")[2].split()[1])


def _title(pid: int) -> str:
    """Return the command line; setproctitle(3) leaves a title padded with NUL bytes."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "surrogateescape")
