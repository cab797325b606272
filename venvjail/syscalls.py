"""Runs everywhere: the Linux calls that Python does not offer, one thin function each.

Every function raises OSError with the kernel's errno.  glibc exports wrappers for the older
calls; those added since Linux 5.2 have the same number on every architecture
(``include/uapi/asm-generic/unistd.h``), so no table by architecture is needed.

The entry imports this module, so nothing heavier than ctypes is imported here.
"""

import ctypes
import sys

_libc = ctypes.CDLL(None, use_errno=True)

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
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_NR_OPEN_TREE = 428
_NR_MOVE_MOUNT = 429
_NR_OPENAT2 = 437
_NR_MOUNT_SETATTR = 442
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def encode(path: str) -> bytes:
    """The bytes of a path whose undecodable parts are surrogate escapes (``os.fsencode``)."""
    return path.encode(sys.getfilesystemencoding(), "surrogateescape")


def _checked(result: int, path: str | None = None) -> int:
    if result < 0:
        code = ctypes.get_errno()
        message = _strerror(code)
        raise OSError(code, message) if path is None else OSError(code, message, path)
    return result


def _strerror(code: int) -> str:
    _libc.strerror.restype = ctypes.c_char_p
    text: bytes = _libc.strerror(code)
    return text.decode("utf-8", "replace")


def _syscall(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    return result


def unshare(flags: int) -> None:
    """Move the caller (for CLONE_NEWPID: its next children) into new namespaces; unshare(2)."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def setns(fd: int, kind: int) -> None:
    """Join the namespace that ``fd`` (an open ``/proc/PID/ns/…`` file) refers to; setns(2)."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)))


def prctl(option: int, argument: int = 0, third: int = 0) -> None:
    """prctl(2) with integer arguments."""
    zero = ctypes.c_ulong(0)
    _checked(
        _libc.prctl(
            ctypes.c_int(option), ctypes.c_ulong(argument), ctypes.c_ulong(third), zero, zero
        )
    )


def drop_capabilities() -> None:
    """Give up every capability for good: ambient, bounding, then the three sets; capabilities(7).

    The bounding set goes first, since dropping from it needs CAP_SETPCAP.  A capability number
    that the kernel does not know is EINVAL and ends the loop.
    """
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            if capability == 0:
                _checked(-1)
            break
    clear_capability_sets()


def clear_capability_sets() -> None:
    """Empty the effective, permitted and inheritable sets; capset(2)."""
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, data))


def mount(source: str, target: str, fstype: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    arguments = [encode(source), encode(target), encode(fstype)]
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), encode(data)), target)


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    _checked(_libc.umount2(encode(target), ctypes.c_int(flags)), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _checked(_libc.pivot_root(encode(new_root), encode(put_old)))


def openat2(dir_fd: int, path: str, flags: int, resolve: int) -> int:
    """Open ``path`` below ``dir_fd`` with the RESOLVE_* restrictions; openat2(2), Linux 5.6."""
    how = _OpenHow(flags | 0o2000000, 0, resolve)
    return _checked(
        _syscall(
            _NR_OPENAT2,
            ctypes.c_int(dir_fd),
            encode(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        ),
        path,
    )


def clone_tree(fd: int, recursive: bool) -> int:
    """A detached copy of the mount (tree) at ``fd``, a bind mount to be attached; open_tree(2)."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH
    if recursive:
        flags |= AT_RECURSIVE
    return _checked(_syscall(_NR_OPEN_TREE, ctypes.c_int(fd), b"", ctypes.c_uint(flags)))


def attach_tree(tree_fd: int, target_fd: int) -> None:
    """Attach the detached mount ``tree_fd`` on top of ``target_fd``; move_mount(2)."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    _checked(
        _syscall(
            _NR_MOVE_MOUNT,
            ctypes.c_int(tree_fd),
            b"",
            ctypes.c_int(target_fd),
            b"",
            ctypes.c_uint(flags),
        )
    )


def mount_setattr(fd: int, attributes: int, recursive: bool) -> None:
    """Add MOUNT_ATTR_* ``attributes`` to the mount (tree) at ``fd``; mount_setattr(2)."""
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    attr = _MountAttr(attributes, 0, 0, 0)
    _checked(
        _syscall(
            _NR_MOUNT_SETATTR,
            ctypes.c_int(fd),
            b"",
            ctypes.c_uint(flags),
            ctypes.byref(attr),
            ctypes.c_size_t(ctypes.sizeof(attr)),
        )
    )


# inotify(7)
_IN_ATTRIB = 0x4
_IN_MOVED = 0xC0
_IN_CREATE = 0x100
_IN_DELETE = 0x200
_IN_ONLYDIR = 0x01000000


def watch_names(directory: str) -> int:
    """A non-blocking inotify(7) descriptor, readable when a name in ``directory`` changes."""
    fd = _checked(_libc.inotify_init1(ctypes.c_int(0o2000000 | 0o4000)))
    mask = _IN_ATTRIB | _IN_MOVED | _IN_CREATE | _IN_DELETE | _IN_ONLYDIR
    _checked(
        _libc.inotify_add_watch(ctypes.c_int(fd), encode(directory), ctypes.c_uint32(mask)),
        directory,
    )
    return fd
