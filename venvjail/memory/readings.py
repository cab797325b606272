"""Supervisor (host's namespaces), in threads: read how much memory the processes of a jail hold.

Everything is read through the procfs of the jail's PID namespace, by a descriptor that init has
sent: what is found there is of this jail, and nothing else can be.

There are two ways to look.  `rough` takes some microseconds a process and says too much: pages that
a fork shares count for each process that has them.  `exact` takes the rights of ptrace(2), walks
page tables, 14 ms a GiB, and counts a shared page once.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from venvjail.memory.look import Look, Share

_INIT = "1"
_STATUS_BYTES = 16384
_COMMAND_BYTES = 4096

#: Beside the resident pages of its own: page tables, which reading the zero page in all of a large
#: mapping makes as well, and what was swapped out.  proc_pid_status(5).
_PRIVATE = (b"RssAnon", b"VmPTE", b"VmSwap", b"HugetlbPages")
_SHARED = b"RssShmem"
#: The same of smaps_rollup, each page divided by the number of processes that map it.
_EXACT_PRIVATE = (b"Pss_Anon", b"SwapPss", b"Private_Hugetlb", b"Shared_Hugetlb")
_EXACT_SHARED = b"Pss_Shmem"

_ENDED = (FileNotFoundError, ProcessLookupError)

_File = tuple[int, int]
"""Device and inode number."""


class Sources(NamedTuple):
    """Descriptors of what init has opened in the jail."""

    proc: int
    """Its procfs."""
    segments: int
    """``/proc/sysvipc/shm`` of its IPC namespace, or an empty file."""
    files: tuple[int, ...]
    """The file systems in memory that it may write to."""

    @classmethod
    def of(cls, gauges: list[int]) -> Sources:
        """As init has sent them."""
        proc, segments, *files = gauges
        return cls(proc, segments, tuple(files))


class Machine:
    """How much more memory the machine has in files than when it had least.

    A file that is in no file system and that nobody maps, as memfd_create(2) makes them, shows
    nowhere else without the rights to look at each open file.  It may be another program's.
    """

    def __init__(self) -> None:
        self._least = _machine_shared()

    def growth(self) -> int:
        """Bytes."""
        now = _machine_shared()
        self._least = min(now, self._least)
        return now - self._least


def rough(sources: Sources, machine: Machine) -> Look:
    """As much as `exact` would say, or more."""
    shares = []
    for pid in _pids(sources.proc):
        with contextlib.suppress(*_ENDED), _opened(sources.proc, pid) as process:
            shares.append(_rough_share(int(pid), process))
    return Look(tuple(shares), max(_files(sources), machine.growth()))


def exact(sources: Sources, first: Iterable[int], enough: int) -> Look:
    """Each page counted once, each memfd divided among those who have it open.

    The processes ``first`` come first, and who more than ``enough`` bytes were found of are all.
    """
    shares: list[Share] = []
    open_files: list[dict[_File, int]] = []
    found = 0
    for pid in dict.fromkeys([*map(str, first), *_pids(sources.proc)]):
        with contextlib.suppress(*_ENDED), _opened(sources.proc, pid) as process:
            shares.append(_exact_share(int(pid), process))
            open_files.append(_memfds(process))
            found += shares[-1].size
        if found > enough:
            break
    holders = Counter(file for files in open_files for file in files)
    held = (sum(size // holders[file] for file, size in files.items()) for files in open_files)
    # What it has open it may have mapped as well.
    with_files = (
        share._replace(shared=max(share.shared, size))
        for share, size in zip(shares, held, strict=True)
    )
    return Look(tuple(with_files), _files(sources))


def find(proc: int, share: Share) -> tuple[int, str] | None:
    """The process that ``share`` is of: a descriptor that can be signalled, and its command line.

    None where it has ended, also where its pid is that of a smaller process by now.  The descriptor
    stays that of one process, whatever becomes of its number.
    """
    try:
        process = _open(proc, str(share.pid))
    except _ENDED:
        return None
    with contextlib.suppress(*_ENDED):
        if _rough_share(share.pid, process).private >= share.private // 2:
            return process, _command(process)
    os.close(process)
    return None


def _rough_share(pid: int, process: int) -> Share:
    fields = _fields(process, "status")
    if _SHARED not in fields:
        # The first thread may have ended before the others, which hold it all then.
        fields = next((found for found in _threads(process) if _SHARED in found), fields)
    return Share(pid, sum(fields.get(name, 0) for name in _PRIVATE), fields.get(_SHARED, 0))


def _exact_share(pid: int, process: int) -> Share:
    rough_share = _rough_share(pid, process)
    try:
        fields = _fields(process, "smaps_rollup")
        exact_shared = fields[_EXACT_SHARED]
    except (OSError, KeyError):
        return rough_share  # not to be looked into, or its first thread has ended
    tables = _fields(process, "status").get(b"VmPTE", 0)
    private = sum(fields.get(name, 0) for name in _EXACT_PRIVATE)
    return Share(pid, private + tables, exact_shared)


def _threads(process: int) -> Iterator[dict[bytes, int]]:
    for thread in _names(process, "task"):
        with contextlib.suppress(*_ENDED):
            yield _fields(process, f"task/{thread}/status")


def _memfds(process: int) -> dict[_File, int]:
    """Bytes in memory of the files that are in no file system, by identity."""
    found = {}
    with contextlib.suppress(OSError):
        for number in _names(process, "fd"):
            path = f"fd/{number}"
            with contextlib.suppress(OSError):
                if os.readlink(path, dir_fd=process).startswith("/memfd:"):
                    status = os.stat(path, dir_fd=process)
                    found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found


def _files(sources: Sources) -> int:
    used = 0
    for fd in sources.files:
        status = os.fstatvfs(fd)
        used += (status.f_blocks - status.f_bfree) * status.f_frsize
    return used + _segments(sources.segments)


def _segments(table: int) -> int:
    """Bytes in memory of the System V segments, attached or not; proc_sysvipc(5)."""
    text = b""
    while part := os.pread(table, _STATUS_BYTES, len(text)):
        text += part
    if not text:
        return 0
    head, *rows = text.splitlines()
    columns = [head.split().index(name) for name in (b"rss", b"swap")]
    return sum(int(row.split()[column]) for row in rows for column in columns)


def _machine_shared() -> int:
    return _parsed(_read(os.open("/proc/meminfo", os.O_RDONLY | os.O_CLOEXEC)))[b"Shmem"]


def _command(process: int) -> str:
    """The command line, of its program the name alone; empty where it cannot be read."""
    with contextlib.suppress(OSError):
        line = _read(os.open("cmdline", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process))
        program, *arguments = line[:_COMMAND_BYTES].rstrip(b"\0").split(b"\0")
        return os.fsdecode(b" ".join([program.rpartition(b"/")[2], *arguments]))
    return ""


def _pids(proc: int) -> list[str]:
    """The processes of the jail but for init."""
    return [name for name in _names(proc, ".") if name.isdigit() and name != _INIT]


def _names(directory: int, path: str) -> list[str]:
    # Opened anew each time: a descriptor has a position, and threads would share it.
    with _opened(directory, path) as fd:
        return os.listdir(fd)


@contextlib.contextmanager
def _opened(directory: int, path: str) -> Iterator[int]:
    fd = _open(directory, path)
    try:
        yield fd
    finally:
        os.close(fd)


def _open(directory: int, path: str) -> int:
    """Not O_PATH: pidfd_send_signal(2) takes an opened /proc/PID directory."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)


def _fields(process: int, name: str) -> dict[bytes, int]:
    return _parsed(_read(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)))


def _parsed(text: bytes) -> dict[bytes, int]:
    """The fields that are sizes, in bytes; a process's name comes first, and as one line."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        number = value.removesuffix(b" kB").strip()
        if number.isdigit():
            found[name] = int(number) * 1024
    return found


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _STATUS_BYTES)
    finally:
        os.close(fd)
