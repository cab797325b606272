"""Supervisor (host's namespaces): the running jail, as tasks of one trio program.

Serving the view, answering commands on the control socket, keeping ``venv/bin`` up to date,
writing the audit, and ending when the jail has been empty for a while.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import signal
import socket
from typing import TYPE_CHECKING

import trio

from fusefs.operations import Operations
from fusefs.serve import serve
from fusefs.view import raise_descriptor_limit
from venvjail.audit.witness import Witness
from venvjail.building.channel import (
    ADOPTED,
    CONNECTED,
    FAILED,
    INIT_PID,
    JAIL_READY,
    LOST,
    PREPARED,
    VIEW_MOUNTED,
    namespaces,
)
from venvjail.errors import EXIT_NO_JAIL, UserError
from venvjail.layout import VenvPaths
from venvjail.planning import placeholders, policy
from venvjail.planning.decisions import Prepared, take_over
from venvjail.serving import control, logs, thrift
from venvjail.serving.changes import save_unsaid
from venvjail.serving.live import LivePolicy
from venvjail.serving.running import Jail
from venvjail.walls import landlock

if TYPE_CHECKING:
    from venvjail.networks.pasta import Pasta

log = logging.getLogger("venvjail.serving.service")

_BUILD_SECONDS = 60.0
_END_SECONDS = 1.0
_MESSAGE = 65536
#: Of one message, at most: SCM_MAX_FD of the kernel.
_DESCRIPTORS = 253
_STALE_SECONDS = 1.0
#: So long a jail waits at least for the command that it was started for, which joins when it hears
#: that it can.
_FIRST_SECONDS = 10.0


class NotBuiltError(UserError):
    """The jail was not built; ``exit_status`` is that of the reason."""

    def __init__(self, line: str, status: int = EXIT_NO_JAIL) -> None:
        super().__init__(line)
        self.exit_status = status


def run(paths: VenvPaths, channel: socket.socket, builder_pid: int, lock: int, ready: int) -> int:
    """Serve the jail until it ends; the supervisor's exit status.

    Why it cannot be built goes to the pipe ``ready``.
    """
    logs.to_stderr(paths.run + "/log")
    raise_descriptor_limit()
    held: list[str] = []
    pasta: Pasta | None = None
    try:
        prepared = _await_decisions(channel)
        held = prepared.placeholders
        if prepared.isolation is not None:
            from venvjail.networks.pasta import Pasta  # most jails do without

            pasta = Pasta(prepared.isolation.command)
        witness = Witness()
        meter = None
        if prepared.facts.memory is not None:
            from venvjail.memory.meter import Meter  # most jails do without

            meter = Meter()
        landlock.confine(landlock.supervisor_grants(paths, held))
        jail = Jail.of(prepared, channel, witness, pasta, meter)
        trio.run(_main, jail, builder_pid, lock, ready)
    except UserError as error:
        _say_failed(ready, str(error), error.exit_status)
        return 1
    except Exception as error:
        log.exception("the supervisor fails")
        line = f"the jail's supervisor fails: {error}; see {paths.run}/log"
        _say_failed(ready, line, EXIT_NO_JAIL)
        return 1
    finally:
        _end_builder(builder_pid)
        if pasta is not None:
            pasta.end()
        placeholders.release(held)
    return 0


def _end_builder(pid: int) -> None:
    """It has exited already unless building failed; it holds the placeholders until it has."""
    with contextlib.suppress(ChildProcessError):  # waited for: the number may be another's now
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _say_failed(ready: int, line: str, status: int) -> None:
    with contextlib.suppress(OSError):  # closed already: the jail was ready, and then failed
        os.write(ready, f"E{status:03d}{line}".encode("utf-8", "surrogateescape"))


def _await_decisions(channel: socket.socket) -> Prepared:
    """The builder's first message."""
    channel.settimeout(_BUILD_SECONDS)
    try:
        message, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE, 1)
    except TimeoutError:
        raise NotBuiltError("the jail's builder does not come to a decision") from None
    finally:
        channel.setblocking(False)
    if message != PREPARED:
        raise _failure(message)
    return take_over(descriptors[0])


def _reported(channel: socket.socket) -> NotBuiltError | None:
    """The failure that the builder or init has reported, if any has."""
    try:
        message = channel.recv(_MESSAGE)
    except OSError:
        return None
    return _failure(message) if message[:1] == FAILED else None


def _failure(message: bytes) -> NotBuiltError:
    if message[:1] != FAILED:
        return NotBuiltError("the jail's builder died")
    return NotBuiltError(message[4:].decode("utf-8", "surrogateescape"), int(message[1:4]))


async def _main(jail: Jail, builder_pid: int, lock: int, ready: int) -> None:
    prepared = jail.prepared
    settings = policy.view_settings(prepared.config, prepared.facts, prepared.record)
    operations = Operations(settings, jail.recorder.observe)
    jail.live = LivePolicy(prepared, operations, jail.obey)
    try:
        failure = await _live(jail, operations, builder_pid, lock, ready)
    finally:
        _end(jail)
    if failure is not None:  # raised here, outside of the nursery, it stays what it is
        raise failure


async def _live(
    jail: Jail, operations: Operations, builder_pid: int, lock: int, ready: int
) -> NotBuiltError | None:
    """Build the jail and run its tasks until it ends; why it could not be built, if so."""
    async with trio.open_nursery() as nursery:
        failure = await _build(jail, nursery, operations, builder_pid)
        if failure is not None:
            nursery.cancel_scope.cancel()
            return failure
        jail.entries.sync()
        listener = control.listen(jail.prepared.paths)
        scope = nursery.cancel_scope
        nursery.start_soon(jail.entries.watch)
        nursery.start_soon(jail.live.watch)
        nursery.start_soon(jail.recorder.write_batches)
        nursery.start_soon(thrift.watch, operations)
        if jail.meter is not None:
            from venvjail.memory.guard import Guard  # most jails do without

            guard = Guard(jail, jail.meter, scope)
            jail.describe_memory = guard.describe
            nursery.start_soon(guard.watch)
        nursery.start_soon(control.serve, jail, listener, scope)
        nursery.start_soon(_cancel_on_signal, scope)
        nursery.start_soon(_cancel_when_init_ends, jail, scope)
        nursery.start_soon(_cancel_when_idle, jail, listener, scope)
        os.write(ready, b"R")
        os.close(ready)
        # Whoever started us has it open as well, and may be stopped by now (Ctrl-Z).
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)
    return None


async def _build(
    jail: Jail, nursery: trio.Nursery, operations: Operations, builder_pid: int
) -> NotBuiltError | None:
    """Follow the builder's messages until the jail is ready, or return why it will not be."""
    own = len(namespaces(jail.prepared.config))
    waiting = {VIEW_MOUNTED, INIT_PID, JAIL_READY}
    with trio.move_on_after(_BUILD_SECONDS) as scope:
        while waiting:
            await trio.lowlevel.wait_readable(jail.channel)
            message, descriptors, _, _ = socket.recv_fds(jail.channel, _MESSAGE, _DESCRIPTORS)
            kind = message[:1]
            if kind == VIEW_MOUNTED:
                mount = f"/dev/fd/{descriptors[0]}"
                nursery.start_soon(_serve_view, operations, mount)
            elif kind == INIT_PID:
                jail.init_pid = int(message[1:])
                failure = await _connect(jail, nursery)
                if failure is not None:
                    # Where init has failed, pasta had no network to connect.
                    return _reported(jail.channel) or failure
            elif kind == JAIL_READY:
                jail.namespaces, others = descriptors[:own], descriptors[own:]
                if jail.prepared.walls.grants is not None:
                    jail.ruleset = others.pop(0)
                jail.gauges = others
            else:
                return _failure(message)
            waiting.remove(kind)
    if scope.cancelled_caught:
        return NotBuiltError(f"the jail could not be built within {_BUILD_SECONDS:.0f} seconds")
    os.waitpid(builder_pid, 0)
    jail.channel.send(ADOPTED)
    return None


async def _connect(jail: Jail, nursery: trio.Nursery) -> NotBuiltError | None:
    """Give the network of an isolated jail its way out; why that is impossible, if it is."""
    isolation = jail.prepared.isolation
    if isolation is None or jail.pasta is None:
        return None
    failed = await jail.pasta.start(jail.init_pid)
    if failed is None:
        nursery.start_soon(_notice_the_end, jail, jail.pasta)
    elif isolation.has_way_out:
        return NotBuiltError(
            f"pasta cannot connect the jail's network: {failed}; what it needs is in: venvjail "
            'doctor; or use network.mode "none" or "host" (nothing was run)'
        )
    else:
        # pasta needs a route to copy, before 2024_11.  A laptop under way runs its programs too.
        jail.cut_off("this machine is on no network")
    jail.channel.send(CONNECTED)
    return None


async def _notice_the_end(jail: Jail, pasta: Pasta) -> None:
    await pasta.watch()
    jail.cut_off("pasta has ended")


async def _serve_view(operations: Operations, mount: str) -> None:
    await serve(operations, mount, options=frozenset({"default_permissions", "allow_other"}))


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("ended by %s", signal.Signals(number).name)
            scope.cancel()


async def _cancel_when_init_ends(jail: Jail, scope: trio.CancelScope) -> None:
    """Read what init says; end-of-file is its end.

    Not a pidfd: init remains, half ended, until all of its namespace are reaped, which a stopped
    entry does not do for its command (zap_pid_ns_processes() in kernel/pid_namespace.c).
    """
    with contextlib.suppress(ConnectionResetError):
        while True:
            await trio.lowlevel.wait_readable(jail.channel)
            message = jail.channel.recv(_MESSAGE)
            if not message:
                break
            if message[:1] == LOST:
                reason = jail.changes.laid_open(os.fsdecode(message[1:]))
                if reason is not None:
                    log.error("%s", reason)
                    jail.ends_for(reason)
                    scope.cancel()
                    return
                jail.reconsider_end()
                continue
            with contextlib.suppress(trio.WouldBlock):  # nobody waits for it any more
                jail.answers[0].send_nowait(int(message))
    log.warning("init has ended, and with it the jail")
    jail.ends_for(f"the init of the jail of {jail.prepared.paths.env} was killed, and all with it")
    scope.cancel()


async def _cancel_when_idle(jail: Jail, listener: socket.socket, scope: trio.CancelScope) -> None:
    while True:
        # Before the search: what came and went during it sets the event, and is searched for anew.
        changed = jail.changed
        if jail.leases:
            await changed.wait()
            continue
        if not jail.changes.is_quick:
            jail.unsaid += await trio.to_thread.run_sync(jail.changes.appeared)
        linger = jail.live.config.jail.linger.value
        if jail.stale:
            linger = min(linger, _STALE_SECONDS)
        if not jail.was_joined:
            linger = max(linger, _FIRST_SECONDS)
        with trio.move_on_after(linger):
            await changed.wait()
            continue
        if not jail.leases and await jail.count_processes() == 0 and _may_end(jail, listener):
            scope.cancel()
            return


def _may_end(jail: Jail, listener: socket.socket) -> bool:
    """Whether nobody is about to join: the start lock is free and no connection is waiting.

    The lock is kept until this process has ended, so that a command that comes now waits and then
    starts a jail of its own.
    """
    try:
        lock = os.open(
            jail.prepared.paths.run + "/lock", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        )
    except OSError:
        return True  # the venv was deleted, or its disk is gone: no command gets here any more
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not jail.leases and not control.connection_waits(listener):
            lock = -1  # kept open, and locked, on purpose
            return True
    except BlockingIOError:
        pass
    finally:
        if lock != -1:
            os.close(lock)
    return False


def _end(jail: Jail) -> None:
    """Nothing of the jail is left: its processes die with init.

    The socket stays: a successor may have replaced it already, and one that nobody serves refuses
    connections, which starts a new jail.
    """
    if jail.init_pid:
        _kill(jail.init_pid)
    jail.entries.sync()
    jail.recorder.close()
    save_unsaid(jail.prepared.paths, [*jail.unsaid, *jail.changes.appeared()])


def _kill(init_pid: int) -> None:
    """Kill init and wait for its end, but not for entries that are stopped: see above."""
    try:
        pidfd = os.pidfd_open(init_pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        if not select.select([pidfd], [], [], _END_SECONDS)[0]:
            log.info("a killed command has not been reaped, its entry may be stopped")
    finally:
        os.close(pidfd)
