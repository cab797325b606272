"""Command line (host): talk to the supervisor of a running jail."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from venvjail import protocol
from venvjail.entry import connect
from venvjail.errors import JailError
from venvjail.layout import VenvPaths

_ANSWER_SECONDS = 10.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Status:
    """A running jail.

    ``supervisor``, ``init`` and ``entries``, those that have a command running, are pids on the
    host; ``processes`` is a count, without init; ``linger`` is in seconds.
    ``network`` and ``memory`` describe the jail's, in words; no ``memory``: it has no limit.
    ``notices`` are lines about config files that do not count as they are.
    """

    venv: str
    supervisor: int
    init: int
    entries: list[int]
    processes: int
    home: str
    project: str | None
    writable: list[str]
    tmp: str
    linger: float
    network: str = "host"
    memory: str = ""
    notices: list[str] = field(default_factory=list)


def status(paths: VenvPaths) -> Status | None:
    """The running jail of a venv, or None when none runs."""
    message = _ask(paths, protocol.STATUS)
    if not message:
        return None
    try:
        _, fields = protocol.unpack(message)
        return _parse(paths, json.loads(fields[0]))
    except (protocol.ProtocolError, ValueError):
        raise _of_another_version(paths) from None


def reload(paths: VenvPaths) -> list[str] | None:
    """Let the running jail read its config files now; None when none runs.

    Returns the lines to be told: what cannot be used, and what does not act before the next start.
    """
    message = _ask(paths, protocol.RELOAD)
    if not message:
        return None
    try:
        _, fields = protocol.unpack(message)
    except protocol.ProtocolError:
        raise _of_another_version(paths) from None
    return [os.fsdecode(field[1:]) for field in fields if field[:1] == protocol.NOTICE]


def _ask(paths: VenvPaths, kind: bytes) -> bytes:
    """The answer of the running jail; empty when none runs."""
    connection = connect(paths)
    if connection is None:
        return b""
    try:
        connection.settimeout(_ANSWER_SECONDS)
        connection.send(protocol.pack(kind, []))
        return connection.recv(protocol.LIMIT)
    except TimeoutError:
        raise JailError(
            f"the jail of {paths.env} does not answer; end it: venvjail stop {paths.env}"
        ) from None
    except OSError:
        return b""  # it ended meanwhile
    finally:
        connection.close()


def _parse(paths: VenvPaths, answer: dict[str, Any]) -> Status:
    """The jail may be of another venvjail than this one: installed elsewhere, or upgraded since."""
    known = {field.name for field in dataclasses.fields(Status)}
    try:
        return Status(**{name: value for name, value in answer.items() if name in known})
    except TypeError:
        raise _of_another_version(paths) from None


def _of_another_version(paths: VenvPaths) -> JailError:
    return JailError(
        f"the jail of {paths.env} was started by another version of venvjail; "
        f"end it: venvjail stop {paths.env}"
    )


def stop(paths: VenvPaths) -> bool:
    """End the running jail and wait until it has ended; False when none ran.

    A supervisor that does not end by itself is killed; its jail dies with it.
    """
    connection = connect(paths)
    if connection is None:
        return False
    size = struct.calcsize("3i")
    # The credentials of the listener: the process that called listen(2), unix(7).
    pid = struct.unpack("3i", connection.getsockopt(1, 17, size))[0]
    try:
        with held(pid) as supervisor:
            with contextlib.suppress(OSError):  # it is ending already
                connection.send(protocol.pack(protocol.STOP, []))
            wait_or_kill(supervisor)
    except ProcessLookupError:
        pass  # it has ended
    finally:
        connection.close()
    return True


@contextlib.contextmanager
def held(pid: int) -> Iterator[int]:
    """A pidfd of the process; raises ProcessLookupError where it has ended.  pidfd_open(2)."""
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def wait_or_kill(supervisor: int) -> None:
    """Wait for the end of the process behind a pidfd, which was told to; else kill it."""
    if not select.select([supervisor], [], [], _STOP_SECONDS)[0]:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(supervisor, signal.SIGKILL)
        select.select([supervisor], [], [], _STOP_SECONDS)
