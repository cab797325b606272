"""Run a program in user and mount namespaces of its own, where something of the host is changed.

The user stays who he is; the changes are made with the capabilities that a process has in a new
user namespace until its first exec.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.kernels import without_call, without_xfrm
from venvjail import syscalls

_TREE = Path(__file__).parents[2]
_MS_BIND = 0x1000  # mount(2)

#: Names of the changes that :func:`main` knows.
FUSE_MISSING = "fuse-missing"
FUSE_SHUT = "fuse-shut"
HIDE_FUSERMOUNT = "fusermount-shut"
HIDE_PASTA = "pasta-shut"
LOCAL_RESOLVER = "name-server-on-the-loopback"
OWN_RUN = "own-run"
TUN_SHUT = "tun-shut"
NO_USER_NAMESPACES = "no-user-namespaces"
NO_INOTIFY = "no-inotify"
NO_LANDLOCK = "no-landlock"
NO_MOUNT_SETATTR = "no-mount-setattr"
NO_XFRM = "no-xfrm"
AS_ROOT = "as-root"


def in_namespaces(*changes: str) -> list[str]:
    """What to put before a command line."""
    program = (
        f"import sys; sys.path.insert(0, {str(_TREE)!r}); "
        "from tests.support.namespaces import main; main(sys.argv[1:])"
    )
    return [sys.executable, "-c", program, *changes, "--"]


def main(arguments: Sequence[str]) -> None:
    """Unshare, make the changes before ``--``, and execute what comes after it."""
    end = arguments.index("--")
    changes, command = arguments[:end], arguments[end + 1 :]
    unshare(as_root=AS_ROOT in changes)
    for change in changes:
        _CHANGES[change]()
    os.execvp(command[0], list(command))


def unshare(*, as_root: bool) -> None:
    """Move to new user and mount namespaces, with all capabilities there."""
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{0 if as_root else uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{0 if as_root else gid} {gid} 1")
    syscalls.mount("none", "/", "none", syscalls.MS_REC | syscalls.MS_PRIVATE)


def _bind(source: str, target: str) -> None:
    syscalls.mount(source, target, "none", _MS_BIND | syscalls.MS_REC)


def _without_fuse() -> None:
    """A /dev with all that was there, but for ``fuse``."""
    names = [name for name in os.listdir("/dev") if name != "fuse"]
    held = os.open("/dev", os.O_PATH)
    syscalls.mount("none", "/dev", "tmpfs", 0)
    for name in names:
        source = f"/proc/self/fd/{held}/{name}"
        if os.path.islink(source):
            os.symlink(os.readlink(source), f"/dev/{name}")
            continue
        if os.path.isdir(source):
            os.mkdir(f"/dev/{name}")
        else:
            Path(f"/dev/{name}").touch()
        _bind(source, f"/dev/{name}")
    os.close(held)


def _cover(path: str) -> None:
    """Put a file there that only root can read; root is nobody in these namespaces."""
    _bind("/etc/shadow", path)


def _local_resolver() -> None:
    """As systemd-resolved has it."""
    syscalls.mount("none", "/mnt", "tmpfs", 0)
    file = Path("/mnt/resolv.conf")
    file.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org\n")
    _bind(str(file), "/etc/resolv.conf")


def _no_user_namespaces() -> None:
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def _no_inotify() -> None:
    Path("/proc/sys/user/max_inotify_instances").write_text("0")


def _nothing() -> None:
    return


_CHANGES = {
    FUSE_MISSING: _without_fuse,
    FUSE_SHUT: lambda: _cover("/dev/fuse"),
    HIDE_FUSERMOUNT: lambda: _cover("/usr/bin/fusermount3"),
    LOCAL_RESOLVER: _local_resolver,
    OWN_RUN: lambda: syscalls.mount("none", "/run", "tmpfs", 0),
    TUN_SHUT: lambda: _cover("/dev/net/tun"),
    HIDE_PASTA: lambda: _cover("/usr/bin/pasta"),
    NO_USER_NAMESPACES: _no_user_namespaces,
    NO_INOTIFY: _no_inotify,
    NO_LANDLOCK: lambda: without_call(syscalls._NR_LANDLOCK_CREATE_RULESET),
    NO_MOUNT_SETATTR: lambda: without_call(syscalls._NR_MOUNT_SETATTR),
    NO_XFRM: without_xfrm,
    AS_ROOT: _nothing,
}
