"""Supervisor (host's namespaces): the control socket.

One task a connection.  A connection that has joined is a lease: the jail lives at least as long.
Peers are the user's own processes on the host; their messages are parsed strictly all the same.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import select
import socket
from functools import partial
from typing import TYPE_CHECKING

import trio

from venvjail import protocol
from venvjail.building.channel import namespaces
from venvjail.layout import VenvPaths
from venvjail.serving import peer, withheld
from venvjail.walls import landlock

if TYPE_CHECKING:
    from venvjail.serving.running import Jail

log = logging.getLogger("venvjail.serving.control")

_BACKLOG = 128
_HINT_SECONDS = 1.0
_FULL_SECONDS = 0.1
#: Descriptors that commands leave for what ends them: ``venvjail stop``, ``status``, the audit.
_SPARE_DESCRIPTORS = 16
_FULL = (
    b"too many commands run in this jail for the limit of open files that it was started with; "
    b"end some, or raise the limit (ulimit -Hn) and start the jail anew"
)
_NOT_TRUSTED = b"this jail can be used only from the container or PID namespace it was started in"


def listen(paths: VenvPaths) -> socket.socket:
    """The listening socket at ``…/.venvjail/run/control``; an old one is replaced.

    The caller holds the start lock, so an old one belongs to nobody.
    """
    directory = os.open(paths.run, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = f"/proc/self/fd/{directory}/control"
        if os.path.lexists(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener
    finally:
        os.close(directory)


def connection_waits(listener: socket.socket) -> bool:
    """Whether a connection has not been accepted yet."""
    return bool(select.select([listener], [], [], 0)[0])


async def serve(jail: Jail, listener: socket.socket, scope: trio.CancelScope) -> None:
    """Accept connections until cancelled; ``scope`` is the jail's, cancelled by STOP."""
    async with trio.open_nursery() as nursery:
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                continue
            except OSError as error:  # EMFILE, ENOMEM: who connected waits, others go on
                log.warning("no connection is accepted for a moment: %s", error)
                await trio.sleep(_FULL_SECONDS)
                continue
            nursery.start_soon(_converse, jail, connection, scope)


async def _converse(jail: Jail, connection: socket.socket, scope: trio.CancelScope) -> None:
    joined = False
    with connection:
        connection.setblocking(False)
        try:
            who = peer.of(connection)
            pid = who.pid
            while True:
                await trio.lowlevel.wait_readable(connection)
                message = connection.recv(protocol.LIMIT + 1)
                if not message:
                    return
                if not who.trusted:
                    log.warning("process %d is not obeyed: jailed, or another user's", pid)
                    connection.send(protocol.pack(protocol.ERROR, [_NOT_TRUSTED]))
                    return
                kind, fields = protocol.unpack(message)
                if kind in (protocol.JOIN, protocol.JOIN_NETWORK) and not joined:
                    network = _network(jail, kind, fields)
                    if await jail.is_outdated(network):
                        log.info("ends for a jail of now")
                        scope.cancel()  # the peer starts the next jail
                        return
                    joined = _join(jail, connection, fields, network)
                    if joined:
                        jail.take_lease(pid, os.fsdecode(fields[2]))
                elif kind == protocol.DONE:
                    # Killed with init, whose end is in the same batch of events as this message:
                    # whoever waits for that is to run first, and to say why.
                    await trio.lowlevel.checkpoint()
                    jail.entries.sync()
                    lines = [*jail.take_unsaid(), *jail.alarms_of(pid), *await _hints(jail, fields)]
                    if jail.changes.is_quick:
                        lines += jail.changes.appeared()
                    connection.send(protocol.pack(protocol.OK, _notices(lines)))
                elif kind == protocol.STATUS:
                    # So that the peer can read what was refused up to now.
                    await jail.recorder.flush()
                    connection.send(protocol.pack(protocol.OK, [await _status(jail)]))
                elif kind == protocol.RELOAD:
                    jail.live.reload()
                    connection.send(protocol.pack(protocol.OK, _notices(jail.live.notices())))
                elif kind == protocol.STOP:
                    log.info("stopped by process %d", pid)
                    scope.cancel()  # the peer waits for the end of this process
                    return
                else:
                    raise protocol.ProtocolError(f"unexpected message {kind!r}")
        except (OSError, protocol.ProtocolError) as error:
            log.warning("a connection is dropped: %s", error)
        except trio.Cancelled:
            if joined and jail.reason:
                with contextlib.suppress(OSError):
                    connection.send(protocol.pack(protocol.OK, _notices([jail.reason])))
            raise
        finally:
            if joined:
                jail.end_lease(pid)


async def _hints(jail: Jail, fields: list[bytes]) -> list[str]:
    """What may have made a command fail; looks at the host's files, so not for long."""
    if len(fields) < 3 or fields[0] == b"0" or not jail.live.config.jail.notice.value:
        return []
    # Not before it is needed: what it takes to explain a path is a tenth of the jail's start.
    from venvjail.serving.hints import hint

    directory, *words = (os.fsdecode(field) for field in fields[1:])
    look = partial(hint, jail.prepared, jail.live.config, directory, words)
    line = None
    with trio.move_on_after(_HINT_SECONDS):
        line = await trio.to_thread.run_sync(look, abandon_on_cancel=True)
    return [] if line is None else [line]


def _network(jail: Jail, kind: bytes, fields: list[bytes]) -> str:
    """The network mode that a JOIN is for; taken out of its fields."""
    if kind == protocol.JOIN_NETWORK and fields:
        return os.fsdecode(fields.pop(0))
    return jail.prepared.usual_network


def _join(jail: Jail, connection: socket.socket, fields: list[bytes], network: str) -> bool:
    """Answer a JOIN; whether the peer may join."""
    if len(fields) < 3:
        raise protocol.ProtocolError("a JOIN of fewer than three fields")
    home, _command, _directory, *names = fields
    facts = jail.prepared.facts
    if network != jail.network:
        line = (
            f'the jail of {facts.paths.env} runs with network mode "{jail.network}", and this '
            f'command is for "{network}"; stop it first: venvjail stop {facts.paths.env}'
        )
        connection.send(protocol.pack(protocol.ERROR, [os.fsencode(line)]))
        return False
    wanted = os.fsdecode(home)
    if wanted.startswith("/") and os.path.isdir(wanted) and not _is_home(wanted, jail):
        line = (
            f"the jail of {facts.paths.env} runs with the home {facts.home}, and HOME is {wanted} "
            f"now; stop it first: venvjail stop {facts.paths.env}"
        )
        connection.send(protocol.pack(protocol.ERROR, [os.fsencode(line)]))
        return False
    if _is_full(connection):
        log.warning("a command is refused, too many run for the limit of open files")
        connection.send(protocol.pack(protocol.ERROR, [_FULL]))
        return False
    jail.live.reload()  # what was edited just before this command holds for it
    decision = jail.live.environment.decide([os.fsdecode(name) for name in names])
    answer = [
        protocol.NAMESPACE + str(flag).encode() for flag, _ in namespaces(jail.prepared.config)
    ]
    descriptors = [*jail.namespaces]
    if jail.ruleset is not None:
        answer.append(protocol.RULESET + str(landlock.restrict_flags()).encode())
        descriptors.append(jail.ruleset)
    if jail.prepared.walls.filter is not None:
        answer.append(protocol.FILTER + jail.prepared.walls.filter)
    most = jail.prepared.config.limits.processes
    if most is not None:
        answer.append(protocol.PROCESSES + str(most.value).encode())
    memory = jail.prepared.config.limits.memory
    if memory is not None:
        answer.append(protocol.MEMORY + str(memory.value).encode())
    if jail.live.config.jail.terminal.value == "relay":
        answer.append(protocol.RELAY)
    answer.append(protocol.HOME + os.fsencode(facts.home))
    answer += [protocol.WITHHOLD + os.fsencode(name) for name in decision.withheld]
    answer += [
        protocol.ASSIGN + os.fsencode(f"{name}={value}") for name, value in decision.assign.items()
    ]
    answer += _notices([*jail.take_unsaid(), *jail.notices()])
    if jail.live.config.jail.notice.value:
        answer += _notices(withheld.news(facts.paths, decision.withheld))
    socket.send_fds(connection, [protocol.pack(protocol.OK, answer)], descriptors)
    return True


def _is_full(connection: socket.socket) -> bool:
    """Whether few descriptors are left: a new one gets the lowest number that is free."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connection.fileno() >= most - _SPARE_DESCRIPTORS


def _notices(lines: list[str]) -> list[bytes]:
    return [protocol.NOTICE + os.fsencode(line) for line in lines]


def _is_home(path: str, jail: Jail) -> bool:
    """Whether ``path`` is the jail's home, or one that ``host.find_home`` passes over."""
    status = os.stat(path)
    return os.path.realpath(path) == jail.prepared.facts.home or status.st_uid != os.getuid()


async def _status(jail: Jail) -> bytes:
    facts = jail.prepared.facts
    return json.dumps(
        {
            "venv": facts.paths.env,
            "supervisor": os.getpid(),
            "init": jail.init_pid,
            "entries": jail.leases,
            "processes": await jail.count_processes() or 0,
            "home": facts.home,
            "project": facts.project,
            "writable": facts.writable,
            "tmp": facts.tmp,
            "network": jail.describe_network(),
            "memory": jail.describe_memory(),
            "linger": jail.live.config.jail.linger.value,
            "notices": jail.notices(),
        }
    ).encode()
