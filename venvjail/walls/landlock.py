"""Init (jail) and supervisor (host): Landlock rulesets, the second wall behind the mounts.

A ruleset takes write access away from a process wherever no rule gives it back.  Reading and
executing are left to the mounts.  Where a mount could be got round, as through a descriptor that
the caller has redirected, Landlock still holds: its rules know files, not mounts; landlock(7).

Each process that restricts itself makes a domain of its own, which only its descendants share.
Between two commands of a jail therefore: signals pass (no LANDLOCK_SCOPE_SIGNAL, the PID namespace
confines them), path sockets, pipes and files work, but abstract sockets do not connect and
ptrace(2) is refused, and with it what needs the same rights, such as ``/proc/PID/cwd``.  A domain
cannot be joined, only inherited, and a command has to be its caller's child, for job control.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from venvjail import syscalls
from venvjail.layout import VenvPaths
from venvjail.planning.plan import STANDARD_DEVICES, Facts

# LANDLOCK_ACCESS_FS_*, linux/landlock.h
WRITE_FILE = 1 << 1
REMOVE_DIR = 1 << 4
REMOVE_FILE = 1 << 5
MAKE_CHAR = 1 << 6
MAKE_DIR = 1 << 7
MAKE_REG = 1 << 8
MAKE_SOCK = 1 << 9
MAKE_FIFO = 1 << 10
MAKE_BLOCK = 1 << 11
MAKE_SYM = 1 << 12
REFER = 1 << 13
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15
RESOLVE_UNIX = 1 << 16

#: What is taken away, by the ABI that brought it.
_HANDLED = {
    1: WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_CHAR
    | MAKE_DIR
    | MAKE_REG
    | MAKE_SOCK
    | MAKE_FIFO
    | MAKE_BLOCK
    | MAKE_SYM,
    2: REFER,
    3: TRUNCATE,
    5: IOCTL_DEV,
    9: RESOLVE_UNIX,
}

#: Before ABI 2 (Linux 5.19) every rename and link into another directory fails, for which git and
#: others have no way round: no wall is better than that one.
MINIMUM_ABI = 2

_SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0
_SCOPE_ABI = 6

# A jailed program may restrict itself further and be refused; that is no news for the host's
# audit log, and would fill it.
_RESTRICT_SELF_LOG_SUBDOMAINS_OFF = 1 << 2
_LOG_FLAGS_ABI = 7

TREE = (
    WRITE_FILE
    | TRUNCATE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_SOCK
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
)
"""Everything but device nodes, which nobody but root makes anyway."""
DEVICE = WRITE_FILE | TRUNCATE | IOCTL_DEV
"""TRUNCATE: without it ``> /dev/null`` fails."""
CONTENT = WRITE_FILE | TRUNCATE
_FOR_FILES = WRITE_FILE | TRUNCATE | IOCTL_DEV | RESOLVE_UNIX
"""What may be allowed for something that is no directory."""


class Grant(NamedTuple):
    """The rights ``access`` for ``path`` and all below it."""

    path: str
    access: int


def jail_grants(facts: Facts) -> tuple[Grant, ...]:
    """Where a jailed process may write, as paths in the jail."""
    trees = [
        *facts.temporaries,
        facts.home,
        *facts.home_aliases,
        *facts.writable,
        *((facts.project,) if facts.project is not None else ()),
        facts.paths.env,
        "/dev/shm",
        "/dev/mqueue",  # also for mq_open(3), which goes by no path
        f"/run/user/{facts.uid}",
        *facts.runtimes,
    ]
    # Each device by itself too: a standard stream that the caller redirected to /dev/null is that
    # file below the host's /dev, and programs open it anew as /dev/stdout.
    devices = ["/dev", *(f"/dev/{name}" for name in STANDARD_DEVICES), *facts.devices]
    return (
        # The sockets of one command that another may connect to, from Linux 7.1 on; before, what
        # keeps the host's out is that they are covered.
        *(Grant(path, TREE | RESOLVE_UNIX) for path in dict.fromkeys(trees)),
        *(Grant(path, RESOLVE_UNIX) for path in facts.run),
        *(Grant(path, DEVICE) for path in devices),
        Grant("/proc", CONTENT),
    )


def supervisor_grants(paths: VenvPaths, placeholders: Iterable[str]) -> tuple[Grant, ...]:
    """Where the supervisor may write: what it serves and keeps, and placeholders to remove.

    It serves a hostile peer with the user's rights: should it be talked into opening a wrong path,
    the kernel says no.
    """
    parents = dict.fromkeys(os.path.dirname(path) for path in placeholders)
    return (
        *(Grant(path, TREE) for path in (paths.store, paths.state, paths.bin)),
        *(Grant(parent, REMOVE_DIR) for parent in parents),
    )


def abi() -> int:
    """The kernel's Landlock ABI; 0 where it has none, or it is switched off."""
    try:
        return syscalls.landlock_abi()
    except OSError:
        return 0


def usable() -> bool:
    """Whether jailed processes can be confined by Landlock on this kernel."""
    return abi() >= MINIMUM_ABI


def handled(version: int) -> int:
    """The rights that a ruleset of ABI ``version`` takes away."""
    access = 0
    for since, rights in _HANDLED.items():
        if since <= version:
            access |= rights
    return access


def scope(version: int) -> int:
    """What of other domains a ruleset of ABI ``version`` can keep out of reach."""
    return _SCOPE_ABSTRACT_UNIX_SOCKET if version >= _SCOPE_ABI else 0


def applicable(access: int, mode: int) -> int:
    """Those of the rights ``access`` that can be given for a file of ``mode``; st_mode."""
    return access if stat.S_ISDIR(mode) else access & _FOR_FILES


def create(
    grants: Iterable[Grant], extra: Iterable[tuple[int, int]] = (), *, scoped: bool = False
) -> int:
    """A ruleset for this kernel, as a descriptor; OSError where a path cannot be opened.

    ``extra`` are open files with the rights for them.  With ``scoped``, abstract sockets of
    processes outside cannot be connected to, where the kernel can prevent it.
    """
    version = abi()
    known = handled(version)
    ruleset = syscalls.landlock_create_ruleset(known, scope(version) if scoped else 0)
    try:
        for grant in grants:
            fd = syscalls.openat2(
                syscalls.AT_FDCWD, grant.path, os.O_PATH, syscalls.RESOLVE_NO_SYMLINKS
            )
            try:
                _allow(ruleset, fd, grant.access & known)
            finally:
                os.close(fd)
        for fd, access in extra:
            _allow(ruleset, fd, access & known)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _allow(ruleset: int, fd: int, access: int) -> None:
    access = applicable(access, os.fstat(fd).st_mode)
    if access:  # the rest may be rights of newer kernels; a rule without any is refused (ENOMSG)
        syscalls.landlock_allow_beneath(ruleset, fd, access)


def restrict_flags() -> int:
    """The flags for landlock_restrict_self(2) on this kernel."""
    return _RESTRICT_SELF_LOG_SUBDOMAINS_OFF if abi() >= _LOG_FLAGS_ABI else 0


def confine(grants: Iterable[Grant]) -> None:
    """Restrict the calling thread to ``grants`` for good; nothing happens without a Landlock."""
    if not usable():
        return
    ruleset = create(grants)
    try:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.landlock_restrict_self(ruleset, restrict_flags())
    finally:
        os.close(ruleset)


def open_terminals(devices: str = "/dev") -> list[int]:
    """The host's terminals that the user may be at, opened in init before the pivot.

    In the jail they are reached through the caller's standard streams only: ``/dev/stderr`` opens
    the terminal anew, and that has to work.
    """
    paths = [f"{devices}/pts"] if os.path.isdir(f"{devices}/pts") else []
    # Consoles and serial lines belong to who is logged in there.
    for pattern in (f"{devices}/tty[0-9S]*", f"{devices}/hvc*"):
        paths += [path for path in glob.glob(pattern) if os.stat(path).st_uid == os.getuid()]
    return [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in paths]
