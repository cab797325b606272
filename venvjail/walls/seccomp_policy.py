"""Supervisor (host): which system calls a jailed process is refused, as a table.

Everything else is allowed: a jail runs any program, and namespaces, mounts and Landlock say what
it may touch.  The filter closes what those do not reach: the caller's terminal, set-user-ID bits
for other users of the machine, kernel features that are attack surface and little else.

The errno of a refusal is the one that programs are prepared for.  ENOSYS is what an older kernel
answers, so libraries use what came before; EPERM is what the kernel itself answers those who lack
a capability, or where an administrator has switched the feature off.

Borrowed from, and worth comparing with: flatpak ``common/flatpak-run.c``, systemd
``src/shared/seccomp-util.c`` (RestrictSUIDSGID), moby ``profiles/seccomp/default.json``.
"""

from __future__ import annotations

import errno
from typing import NamedTuple


class AnyBit(NamedTuple):
    """The argument has at least one bit of ``mask``."""

    argument: int
    mask: int


class OneOf(NamedTuple):
    """The argument is one of ``values``."""

    argument: int
    values: tuple[int, ...]


class NoneOf(NamedTuple):
    """The argument is none of ``values``."""

    argument: int
    values: tuple[int, ...]


Test = AnyBit | OneOf | NoneOf
"""About the low 32 bits of one argument, counted from 0.

The kernel looks at no more of the arguments named here: a filter that compared all 64 bits could
be passed with junk in the upper half (CVE-2019-10063).
"""


class Rule(NamedTuple):
    """The calls in ``names`` fail with ``errno`` when all tests in ``when`` hold."""

    names: tuple[str, ...]
    errno: int
    why: str
    when: tuple[Test, ...] = ()


# asm-generic/ioctls.h
TIOCSTI = 0x5412
TIOCLINUX = 0x541C
TIOCSETD = 0x5423

# linux/btrfs.h: BTRFS_IOC_SNAP_CREATE, SUBVOL_CREATE, and _V2 of both
BTRFS_SUBVOLUMES = (0x50009401, 0x5000940E, 0x50009417, 0x50009418)

F_SETLEASE = 1024  # linux/fcntl.h

SET_ID_BITS = 0o6000
# O_CREAT and __O_TMPFILE of asm-generic/fcntl.h: with neither of them the mode is not read.
_CREATES = 0o100 | 0o20000000

CLONE_NEWUSER = 0x10000000

# linux/socket.h, linux/netlink.h
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE, _NETLINK_SOCK_DIAG, _NETLINK_KOBJECT_UEVENT, _NETLINK_GENERIC = 0, 4, 15, 16

# IPT_SO_SET_REPLACE and _ADD_COUNTERS of linux/netfilter_ipv4/ip_tables.h, those of ip6_tables.h,
# which are the same, of arp_tables.h and of linux/netfilter_bridge/ebtables.h
_SOL_IP, _SOL_IPV6 = 0, 41
_REPLACE_TABLES = (64, 65, 96, 97, 128, 129)

# linux/personality.h
_PERSONALITY_QUERY = 0xFFFFFFFF
_UNAME26, _ADDR_NO_RANDOMIZE, _PER_LINUX32 = 0x0020000, 0x0040000, 0x0008
_HARMLESS_PERSONALITY = _UNAME26 | _ADDR_NO_RANDOMIZE | _PER_LINUX32


def _set_id(names: tuple[str, ...], mode: int, *also: Test) -> Rule:
    why = "another local user could run it with this user's rights; systemd's RestrictSUIDSGID"
    return Rule(names, errno.EPERM, why, (*also, AnyBit(mode, SET_ID_BITS)))


_ALWAYS = (
    Rule(
        ("ioctl",),
        errno.EPERM,
        "TIOCSTI types into the caller's terminal (CVE-2017-5226), so does TIOCLINUX on a console "
        "(CVE-2023-28100); TIOCSETD loads line disciplines (CVE-2017-2636)",
        (OneOf(1, (TIOCSTI, TIOCLINUX, TIOCSETD)),),
    ),
    Rule(
        ("ioctl",),
        errno.EPERM,
        "a snapshot has what mounts cover, the state of the venv in one of the project; and before "
        "Linux 6.7 (commit a8892fd71933) any file led to one of the whole subvolume, the home with "
        "all its secrets; venvjail remove could not delete subvolumes",
        (OneOf(1, BTRFS_SUBVOLUMES),),
    ),
    _set_id(("openat",), 3, AnyBit(2, _CREATES)),
    _set_id(("open",), 2, AnyBit(1, _CREATES)),
    _set_id(("fchmodat", "fchmodat2", "mknodat", "mkdirat"), 2),
    _set_id(("chmod", "fchmod", "creat", "mknod", "mkdir"), 1),
    Rule(
        ("openat2",),
        errno.ENOSYS,
        "its mode is behind a pointer, which a filter cannot follow; callers fall back to openat",
    ),
    Rule(
        ("socket", "socketpair"),
        errno.EAFNOSUPPORT,
        "other families reach hypervisors (AF_VSOCK) or code that is rarely looked at (AF_ALG, "
        "AF_RDS, AF_TIPC, AF_CAN ...); a kernel without them answers the same",
        (NoneOf(0, (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK)),),
    ),
    Rule(
        ("socket",),
        errno.EPROTONOSUPPORT,
        "programs ask about interfaces, sockets and devices; nf_tables (CVE-2024-1086), xfrm and "
        "the rest are for administrators",
        (
            OneOf(0, (_AF_NETLINK,)),
            NoneOf(
                2,
                (_NETLINK_ROUTE, _NETLINK_SOCK_DIAG, _NETLINK_KOBJECT_UEVENT, _NETLINK_GENERIC),
            ),
        ),
    ),
    Rule(
        ("setsockopt",),
        errno.ENOPROTOOPT,
        "replaces the tables of iptables, arptables and ebtables, which is for administrators, and "
        "for whoever has a network of a nested user namespace (CVE-2021-22555)",
        (OneOf(1, (_SOL_IP, _SOL_IPV6)), OneOf(2, _REPLACE_TABLES)),
    ),
    Rule(
        ("fcntl",),
        errno.EINVAL,
        "a lease on a file that can be read, even a read-only one, holds up whoever opens it on "
        "the host for 45 seconds at a time; a file system without leases answers the same",
        (OneOf(1, (F_SETLEASE,)),),
    ),
    Rule(
        ("personality",),
        errno.EPERM,
        "READ_IMPLIES_EXEC and MMAP_PAGE_ZERO weaken a process; gdb needs ADDR_NO_RANDOMIZE",
        (NoneOf(0, (_PERSONALITY_QUERY,)), AnyBit(0, 0xFFFFFFFF & ~_HARMLESS_PERSONALITY)),
    ),
    Rule(
        ("io_uring_setup", "io_uring_enter", "io_uring_register"),
        errno.ENOSYS,
        "does file and socket calls past this filter (openat with a set-ID mode), and was the "
        "way of most kernel exploits of its years; libuv falls back to epoll on ENOSYS",
    ),
    Rule(
        ("add_key", "request_key", "keyctl"),
        errno.ENOSYS,
        "keyrings are no namespace: the user's keys on the host are in reach; a kernel without "
        "CONFIG_KEYS answers the same",
    ),
    Rule(
        ("bpf", "perf_event_open", "userfaultfd"),
        errno.EPERM,
        "attack surface; distributions switch all three off for ordinary users, with EPERM",
    ),
    Rule(
        ("mount", "umount2", "pivot_root"),
        errno.EPERM,
        "only of use in a nested user namespace, where file system code of the kernel would be "
        "in reach (CVE-2022-0185, CVE-2023-0386); Landlock refuses them there too, with EPERM",
    ),
    Rule(
        (
            "fsopen",
            "fsconfig",
            "fsmount",
            "fspick",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "mount_setattr",
        ),
        errno.ENOSYS,
        "the newer spelling of mount; ENOSYS as in flatpak (CVE-2021-41133)",
    ),
    Rule(
        ("open_by_handle_at",),
        errno.EPERM,
        "opens by inode number, past every mount (the 'shocker' escape of containers, 2014)",
    ),
    Rule(
        ("fanotify_init", "quotactl", "quotactl_fd", "syslog", "lookup_dcookie"),
        errno.EPERM,
        "tells of what happens outside of the jail",
    ),
    Rule(
        ("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"),
        errno.EPERM,
        "replaces kernel code",
    ),
    Rule(
        ("acct", "swapon", "swapoff", "reboot", "settimeofday", "clock_settime", "vhangup"),
        errno.EPERM,
        "administration",
    ),
    Rule(
        ("iopl", "ioperm", "modify_ldt", "uselib"),
        errno.EPERM,
        "hardware access and remains of the 1990s; modify_ldt: CVE-2015-5157",
    ),
)

_NO_USER_NAMESPACES = (
    Rule(
        ("clone", "unshare"),
        errno.EPERM,
        "gives all capabilities over new namespaces, and so the kernel's code for administrators",
        (AnyBit(0, CLONE_NEWUSER),),
    ),
    Rule(
        ("clone3",),
        errno.ENOSYS,
        "its flags are behind a pointer; glibc falls back to clone (CVE-2021-41133)",
    ),
    Rule(("setns", "chroot"), errno.EPERM, "only of use with capabilities in a user namespace"),
)


def rules(*, user_namespaces: bool) -> tuple[Rule, ...]:
    """The policy, with or without user namespaces of the jailed programs' own."""
    return _ALWAYS if user_namespaces else _ALWAYS + _NO_USER_NAMESPACES
