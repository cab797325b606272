"""Builder (new user, mount, PID and IPC namespaces): forked by the supervisor to make the jail.

The supervisor forks it before importing trio and pyfuse3, so that both work at the same time.  The
builder makes the namespaces and the FUSE mount, sends the descriptor of ``/dev/fuse`` to the
supervisor, forks the process that becomes init, and exits; init is then the supervisor's child,
which is a subreaper.  Init carries out the plan, since only a process in the PID namespace can
mount its procfs.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from typing import NoReturn

from venvjail import imports, syscalls
from venvjail.building import init
from venvjail.building.apply import Applier, Scaffold
from venvjail.building.channel import (
    FAILED,
    INIT_PID,
    NETWORK,
    PREPARED,
    VIEW_MOUNTED,
    namespaces,
)
from venvjail.errors import EXIT_NO_JAIL, JailError, UserError
from venvjail.layout import VenvPaths
from venvjail.networks import loopback as network
from venvjail.planning.decisions import Prepared, hand_over
from venvjail.planning.prepare import prepare
from venvjail.serving import logs
from venvjail.walls import landlock
from venvjail.walls.walls import Walls

log = logging.getLogger("venvjail.building.builder")


def run(channel: socket.socket, paths: VenvPaths, asked: str) -> NoReturn:
    """Decide, build the jail and become its init; ``asked`` is what ``--network`` said.

    Failures travel to the supervisor as one line; nothing of the jail outlives one.
    """
    logs.to_stderr(paths.run + "/log")
    try:
        prepared = prepare(paths, asked)
        socket.send_fds(channel, [PREPARED], [hand_over(prepared)])
        _build(channel, prepared)
    except UserError as error:
        _report(channel, str(error), error.exit_status)
    except Exception as error:
        log.exception("the jail cannot be built")
        line = f"cannot build the jail: {type(error).__name__}: {error}; see {paths.run}/log"
        _report(channel, line, EXIT_NO_JAIL)
    os._exit(1)


def _build(channel: socket.socket, prepared: Prepared) -> NoReturn:
    os.umask(0)
    own = namespaces(prepared.config)
    _enter_namespaces(own, nested=prepared.config.jail.user_namespaces.value)
    scaffold = Scaffold(prepared.paths.run)
    _mount_view(channel, scaffold.view)
    init_pid = os.fork()
    if init_pid:
        channel.send(INIT_PID + str(init_pid).encode())
        os._exit(0)
    applier, plan = Applier(scaffold), prepared.plan()
    applier.apply(plan)
    if prepared.isolation is not None:
        from venvjail.networks import isolated  # most jails do without

        # Not later: pasta makes a mount namespace in this user namespace, for its own sandbox.
        isolated.await_connected(channel)
        isolated.shut(prepared.isolation.shut)
    # No jailed program may make mount namespaces, even where it may make user namespaces: in one
    # from which it has unmounted the guards they are no mount points any more, and renaming what
    # they cover detaches them here too (detach_mounts() in the kernel's fs/namespace.c).  Not
    # sooner, because the detached trees of open_tree(2) count as such.
    _write("/proc/sys/user/max_mnt_namespaces", "0")
    gauges = None
    if prepared.facts.memory is not None:
        from venvjail.building.gauges import Gauges  # most jails do without

        gauges = Gauges(plan)
    imports.end()
    # Abstract sockets belong to a network: in a private one there are none of the host's.
    ruleset = _pivot(applier, prepared.walls, scoped=NETWORK not in own)
    opened = [] if gauges is None else gauges.open()
    init.run(channel, own, ruleset, prepared.walls.filter, opened)


def _pivot(applier: Applier, walls: Walls, *, scoped: bool) -> int | None:
    """Leave the host's root for the jail's; the Landlock ruleset, whose paths are the jail's."""
    if walls.grants is None:
        applier.pivot()
        return None
    terminals = landlock.open_terminals()
    applier.pivot()
    try:
        grants = ((terminal, landlock.DEVICE) for terminal in terminals)
        return landlock.create(walls.grants, grants, scoped=scoped)
    except OSError as error:
        raise JailError(f"cannot build the jail: Landlock: {error}") from error
    finally:
        for terminal in terminals:
            os.close(terminal)


def _report(channel: socket.socket, line: str, status: int) -> None:
    with contextlib.suppress(OSError):  # the supervisor has failed first, for a reason of its own
        channel.send(FAILED + f"{status:03d}{line}".encode("utf-8", "surrogateescape"))


def _enter_namespaces(own: tuple[tuple[int, str], ...], *, nested: bool) -> None:
    """Make the namespaces ``own``; ``nested``: further user namespaces may be made in them."""
    uid, gid = os.getuid(), os.getgid()
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        # A process without CAP_SETGID may map its gid only when setgroups is denied;
        # user_namespaces(7), CVE-2014-8989.
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
        # The kinds differ in one bit each, so their sum is their union.
        syscalls.unshare(sum(flag for flag, _ in own) & ~syscalls.CLONE_NEWUSER)
        # Private, not slave: a disk mounted on the host later must not appear, least of all
        # writable.
        syscalls.mount("none", "/", "none", syscalls.MS_REC | syscalls.MS_PRIVATE)
    except OSError as error:
        raise JailError(_no_namespaces(error)) from error
    if NETWORK in own:
        network.raise_loopback()
        network.allow_ping()
    if not nested:
        # Counts namespaces made within this one, so it binds the jail only; namespaces(7).
        _write("/proc/sys/user/max_user_namespaces", "0")


def _no_namespaces(error: OSError) -> str:
    if error.errno == errno.ENOSPC or _read("/proc/sys/user/max_user_namespaces") == "0":
        return (
            "user namespaces are switched off on this machine (user.max_user_namespaces is 0 or "
            "used up); as root: sysctl user.max_user_namespaces=15000"
        )
    if _read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return (
            "user namespaces are switched off on this machine; "
            "as root: sysctl kernel.unprivileged_userns_clone=1"
        )
    if _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor keeps ordinary users from user namespaces on this machine; "
            "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )
    return f"cannot make user namespaces on this machine: {error.strerror}"


def _mount_view(channel: socket.socket, mount_point: str) -> None:
    # /dev/fuse must be opened in the namespace that mounts: fuse_fill_super() compares the
    # opener's user namespace with the mount's.
    try:
        fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise JailError("/dev/fuse is missing; as root: modprobe fuse") from error
    except PermissionError as error:
        raise JailError("/dev/fuse cannot be opened; as root: chmod 666 /dev/fuse") from error
    except OSError as error:
        raise JailError(f"/dev/fuse cannot be opened: {error.strerror}") from error
    options = (
        f"fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
        ",default_permissions,allow_other"
    )
    try:
        syscalls.mount(
            "venvjail", mount_point, "fuse", syscalls.MS_NOSUID | syscalls.MS_NODEV, options
        )
    except OSError as error:
        raise JailError(f"cannot mount FUSE in a user namespace: {error.strerror}") from error
    socket.send_fds(channel, [VIEW_MOUNTED], [fd])
    os.close(fd)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
