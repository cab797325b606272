"""Command line's children (namespaces of their own): try one thing that a jail needs.

Each trial runs in a process of its own, because it changes that process for good.  It returns what
was found, or raises OSError or another error whose text says what failed.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import select
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from venvjail import inotify, syscalls
from venvjail.doctor import remedies
from venvjail.networks import isolation, xfrm

Trial = Callable[[], str]

_SECONDS = 20.0
_ANSWER = 65536
# BPF_RET | BPF_K with SECCOMP_RET_ALLOW; seccomp(2).
_ALLOW_ALL = b"\x06\x00\x00\x00\x00\x00\xff\x7f"


@dataclass(frozen=True)
class Outcome:
    """How a trial ended; ``errno`` is that of the OSError, if it was one."""

    ok: bool
    found: str
    errno: int | None = None


def attempt(trial: Trial) -> Outcome:
    """Run ``trial`` in a child; one that does not end in time has failed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            os.write(write, json.dumps(vars(_outcome(trial))).encode())
        finally:
            os._exit(0)
    os.close(write)
    try:
        if not select.select([read], [], [], _SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
            return Outcome(False, f"nothing within {_SECONDS:.0f} seconds")
        answer = os.read(read, _ANSWER)
        return Outcome(**json.loads(answer)) if answer else Outcome(False, "the trial crashed")
    finally:
        os.close(read)
        os.waitpid(child, 0)


def _outcome(trial: Trial) -> Outcome:
    try:
        return Outcome(True, trial())
    except OSError as error:
        return Outcome(False, error.strerror or str(error), error.errno)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was found
        return Outcome(False, f"{type(error).__name__}: {error}")


def user_namespaces() -> str:
    """A user namespace in which this user is who it was."""
    _enter_user_namespace()
    return "made one"


def mounts() -> str:
    """A mount: Ubuntu's AppArmor lets the namespaces be made and then takes their rights away."""
    _enter_namespaces()
    _tmpfs()
    return "mounted a tmpfs in a namespace"


def trees() -> str:
    """A read-only copy of the whole file system, as Linux 5.12 makes it."""
    _enter_namespaces()
    root = syscalls.openat2(syscalls.AT_FDCWD, "/", os.O_PATH, syscalls.RESOLVE_NO_SYMLINKS)
    tree = syscalls.clone_tree(root)
    syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY, recursive=True)
    return "made the file system read-only"


def fuse_device() -> str:
    """The device of FUSE, for reading and writing."""
    os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    return "opened /dev/fuse"


def fuse_mount() -> str:
    """A FUSE mount in a user namespace, possible since Linux 4.18."""
    _enter_namespaces()
    directory = _tmpfs()
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    syscalls.mount("venvjail", directory, "fuse", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)
    return "mounted FUSE in a namespace"


def procfs() -> str:
    """The procfs of a PID namespace; a container whose own is masked refuses it."""
    _enter_namespaces(syscalls.CLONE_NEWPID)
    directory = _tmpfs()
    child = os.fork()
    if child == 0:
        try:
            syscalls.mount("venvjail", directory, "proc")
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))
    return "mounted /proc in a PID namespace"


def landlock() -> str:
    """Landlock; the version decides what it can keep a program from."""
    return f"version {syscalls.landlock_abi()}"


def seccomp() -> str:
    """A seccomp filter."""
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.install_filter(_ALLOW_ALL)
    return "installed a filter"


def pyfuse3() -> str:
    """The binding to libfuse, and by it libfuse."""
    module = importlib.import_module("pyfuse3")
    return f"pyfuse3 {getattr(module, '__version__', 'of unknown version')}"


def watch() -> str:
    """A watch; each running jail has three instances."""
    os.close(inotify.watch_names("/"))
    return "watched a directory"


def pasta() -> str:
    """The way out of a network of the jail's own, and the device that it is made of."""
    path = isolation.pasta()
    if path is None:
        raise FileNotFoundError(errno.ENOENT, "not found")
    try:
        os.close(os.open(remedies.TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise OSError(error.errno, f"{path}, but {remedies.TUN}: {error.strerror}") from error
    if not xfrm.available():
        raise OSError(errno.EPROTONOSUPPORT, f"{path}, but the kernel has no IPsec policies")
    return path


def _enter_user_namespace() -> None:
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _enter_namespaces(more: int = 0) -> None:
    _enter_user_namespace()
    syscalls.unshare(syscalls.CLONE_NEWNS | more)
    syscalls.mount("none", "/", "none", syscalls.MS_REC | syscalls.MS_PRIVATE)


def _tmpfs() -> str:
    """A fresh tmpfs over the directory for temporary files, in this namespace alone."""
    directory = tempfile.gettempdir()
    syscalls.mount("venvjail", directory, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)
    return directory
