"""Runs everywhere: the Linux calls that Python does not offer, one thin function each.

Every function raises OSError with the kernel's errno.  glibc exports wrappers for the older
calls; those added since Linux 5.2 have the same number on every architecture
(``include/uapi/asm-generic/unistd.h``), so no table by architecture is needed.

The entry imports this module, so nothing heavy is imported here.
"""

import sys

from venvjail.layout import encode
from venvjail.native import Long, address_of, call, syscall

# unshare(2), setns(2)
CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# mount(2), umount2(2)
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REC = 0x4000
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

# mount_setattr(2)
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8

# open_tree(2), move_mount(2) (not in man-pages before 6.x; see include/uapi/linux/mount.h)
OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = 0o2000000
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100

# openat2(2)
O_PATH = 0o10000000
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10

# prctl(2)
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

# open(2); not os.O_*, since the entry does without the os module
O_CLOEXEC = 0o2000000

_NR_OPEN_TREE = 428
_NR_MOVE_MOUNT = 429
_NR_CLOSE_RANGE = 436
_NR_OPENAT2 = 437
_NR_MOUNT_SETATTR = 442
_NR_LANDLOCK_CREATE_RULESET = 444
_NR_LANDLOCK_ADD_RULE = 445
_NR_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_SECCOMP_MODE_FILTER = 2
_RLIMIT_DATA = 2
_RLIMIT_NPROC = 6  # on all architectures but Alpha, MIPS and SPARC
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


def unshare(flags: int) -> None:
    """Move the caller (for CLONE_NEWPID: its next children) into new namespaces; unshare(2)."""
    call("unshare", flags)


def setns(fd: int, kind: int) -> None:
    """Join the namespace that ``fd`` (an open ``/proc/PID/ns/…`` file) refers to; setns(2)."""
    call("setns", fd, kind)


def close_from(first: int) -> None:
    """Close the descriptors from ``first`` on, however many may be open; close_range(2)."""
    syscall(_NR_CLOSE_RANGE, Long(first), Long(0xFFFFFFFF), 0)


def prctl(option: int, argument: int = 0, third: int = 0) -> None:
    """prctl(2) with integer arguments."""
    call("prctl", option, Long(argument), Long(third), Long(0), Long(0))


def drop_capabilities() -> None:
    """Give up every capability for good: ambient, bounding, then the three sets; capabilities(7).

    The bounding set goes first, since dropping from it needs CAP_SETPCAP.  A capability number
    that the kernel does not know is EINVAL and ends the loop.
    """
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            if capability == 0:
                raise
            break
    clear_capability_sets()


def clear_capability_sets() -> None:
    """Empty the effective, permitted and inheritable sets; capset(2)."""
    header = _LINUX_CAPABILITY_VERSION_3.to_bytes(4, sys.byteorder) + bytes(4)
    call("capset", header, bytes(24))


def mount(source: str, target: str, fstype: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    call("mount", encode(source), encode(target), encode(fstype), Long(flags), encode(data))


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    call("umount2", encode(target), flags)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    call("pivot_root", encode(new_root), encode(put_old))


def openat2(dir_fd: int, path: str, flags: int, resolve: int) -> int:
    """Open ``path`` below ``dir_fd`` with the RESOLVE_* restrictions; openat2(2), Linux 5.6."""
    how = _words(flags | O_CLOEXEC, 0, resolve)
    return syscall(_NR_OPENAT2, dir_fd, encode(path), how, Long(len(how)))


def clone_tree(fd: int) -> int:
    """A detached copy of the mount tree at ``fd``, a bind mount to be attached; open_tree(2)."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE
    return syscall(_NR_OPEN_TREE, fd, b"", flags)


def attach_tree(tree_fd: int, target_fd: int) -> None:
    """Attach the detached mount ``tree_fd`` on top of ``target_fd``; move_mount(2)."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    syscall(_NR_MOVE_MOUNT, tree_fd, b"", target_fd, b"", flags)


def mount_setattr(fd: int, attributes: int, recursive: bool) -> None:
    """Add MOUNT_ATTR_* ``attributes`` to the mount (tree) at ``fd``; mount_setattr(2)."""
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    attr = _words(attributes, 0, 0, 0)
    syscall(_NR_MOUNT_SETATTR, fd, b"", flags, attr, Long(len(attr)))


def limit_processes(most: int) -> None:
    """Lower both RLIMIT_NPROC to ``most``, and raise neither; setrlimit(2).

    It limits the processes and threads of the caller's user in the caller's user namespace, all
    together, and those of namespaces within (since Linux 5.14, commit 21d1c5e386bc).
    """
    _lower(_RLIMIT_NPROC, most)


def limit_memory(most: int) -> None:
    """Lower both RLIMIT_DATA to ``most`` bytes, and raise neither; setrlimit(2).

    It limits what one process has mapped for writing and shares with none (since Linux 4.7, commit
    84638335900f), used or not.
    """
    _lower(_RLIMIT_DATA, most)


def _lower(resource: int, most: int) -> None:
    current = bytearray(16)
    call("getrlimit", resource, Long(address_of(current)))
    limits = (current[:8], current[8:])
    # RLIM_INFINITY is the greatest of all, -1 as an unsigned integer.
    lowered = [min(most, int.from_bytes(limit, sys.byteorder)) for limit in limits]
    call("setrlimit", resource, _words(*lowered))


def landlock_abi() -> int:
    """The version of Landlock that the kernel offers; OSError where it offers none."""
    return syscall(_NR_LANDLOCK_CREATE_RULESET, Long(0), Long(0), _LANDLOCK_CREATE_RULESET_VERSION)


def landlock_create_ruleset(handled: int, scoped: int) -> int:
    """A ruleset that denies the LANDLOCK_ACCESS_FS_* in ``handled``, as a descriptor.

    ``scoped`` are LANDLOCK_SCOPE_*, which kernels before ABI 6 know as 0 only.
    """
    attr = _words(handled, 0, scoped) if scoped else _words(handled)
    return syscall(_NR_LANDLOCK_CREATE_RULESET, attr, Long(len(attr)), 0)


def landlock_allow_beneath(ruleset: int, fd: int, access: int) -> None:
    """Allow the LANDLOCK_ACCESS_FS_* in ``access`` for the file ``fd`` and all beneath it."""
    # struct landlock_path_beneath_attr is packed: 12 bytes.
    attr = _words(access) + fd.to_bytes(4, sys.byteorder)
    syscall(_NR_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, attr, 0)


def landlock_restrict_self(ruleset: int, flags: int) -> None:
    """Confine the calling thread for good; no_new_privs must be set.  landlock(7)."""
    syscall(_NR_LANDLOCK_RESTRICT_SELF, ruleset, flags)


def install_filter(program: bytes) -> None:
    """Filter the calling thread's system calls for good; no_new_privs must be set.  seccomp(2).

    ``program`` is an array of ``struct sock_filter``, 8 bytes each.
    """
    instructions = bytearray(program)
    # struct sock_fprog: a 16-bit length, padding and a pointer.  The machines that have a filter
    # are little-endian, so the length and its padding are one word.
    fprog = bytearray(_words(len(program) // 8, address_of(instructions)))
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address_of(fprog))


def _words(*values: int) -> bytes:
    """A struct of 64-bit integers in the machine's byte order."""
    return b"".join(value.to_bytes(8, sys.byteorder) for value in values)
