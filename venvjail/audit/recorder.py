"""Supervisor (host's namespaces): take note of what jailed programs were refused.

Called by the view for each event, so it touches no disk: notes are put together by (executable,
operation, path, verdict) and written in batches by a worker thread.  Less than a second is lost
when the supervisor dies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import trio

from fusefs.events import Event, Verdict
from venvjail.audit.programs import Programs, text
from venvjail.audit.refusal import Refusal
from venvjail.audit.sensitivity import Sensitivity

if TYPE_CHECKING:
    from venvjail.audit.programs import Program
    from venvjail.audit.store import Writer
    from venvjail.config.sensitive import Sensitive

_BATCH_SECONDS = 0.75
#: Different notes held between two batches; further ones are dropped, sensitive ones much later.
_PENDING_LIMIT = 5_000
_SENSITIVE_LIMIT = 2 * _PENDING_LIMIT
_PATH_LIMIT = 1024

Alarm = Callable[["Sensitive", str, bool, "Program", Sensitivity], None]
"""Told of a look for a hidden sensitive place: the place, the path relative to the home, whether
the host has it, who looked, and what is sensitive at present."""

_Key = tuple[str, str, bytes, str]


@dataclass(slots=True)
class _Noted:
    """A request that was noted: the same of the same program is only counted, here."""

    program: Program
    verdict: Verdict
    on_host: bool
    key: _Key
    refusal: Refusal
    count: int = 0
    first: float = 0.0
    last: float = 0.0


class Recorder:
    """Collects events of the view and writes them to the file ``database``.

    ``home`` is the path that the view's ``home/`` has in the jail; ``alarm`` hears of looks for
    sensitive places.
    """

    def __init__(
        self,
        database: str,
        home: str,
        programs: Programs,
        sensitivity: Sensitivity,
        alarm: Alarm,
    ) -> None:
        self.sensitivity = sensitivity
        self._home = home
        self._programs = programs
        self._alarm = alarm
        self._pending: dict[_Key, Refusal] = {}
        self._noted: dict[tuple[int, str, bytes], _Noted] = {}
        self._waiting = trio.Event()
        self._writing = trio.Lock()
        self._database = database
        self._writer: Writer | None = None

    @property
    def problem(self) -> str | None:
        """Why nothing is written at present."""
        return None if self._writer is None else self._writer.problem

    def observe(self, event: Event) -> None:
        """Take note of one event; one about a name that nobody has counts if it is sensitive."""
        noted = self._noted.get((event.pid, event.operation, event.path))
        if (
            noted is not None
            and noted.verdict is event.verdict
            and noted.on_host is event.exists
            and noted.program is self._programs.of(event.pid)
        ):
            self._count(noted)
            return
        hidden = event.verdict is Verdict.HIDDEN
        place = self._place(event.path)
        if hidden and not event.exists and place is None:
            return  # looked for, and the host has none either: nothing was refused
        program = self._programs.of(event.pid)
        self._note(event, program, place)
        if hidden and place is not None:
            relative = text(event.path, _PATH_LIMIT)[len("home/") :]
            self._alarm(place, relative, event.exists, program, self.sensitivity)

    def _place(self, path: bytes) -> Sensitive | None:
        if not path.startswith(b"home/"):
            return None
        return self.sensitivity.place(path[len(b"home/") :].decode("utf-8", "surrogateescape"))

    def _count(self, noted: _Noted) -> None:
        noted.last = time.time()
        if not noted.count:
            noted.first = noted.last
            self._waiting.set()
        noted.count += 1

    def _note(self, event: Event, program: Program, place: Sensitive | None) -> None:
        key = (program.exe, event.operation, event.path, event.verdict.value)
        now = time.time()
        refusal = self._pending.get(key)
        if refusal is None:
            if len(self._pending) >= (_PENDING_LIMIT if place is None else _SENSITIVE_LIMIT):
                return
            refusal = self._pending[key] = Refusal(
                exe=program.exe,
                operation=event.operation,
                path=self._display(event.path),
                verdict=event.verdict.value,
                command=program.command,
                pid=program.jail_pid,
                host_pid=program.pid,
                sensitive="" if place is None else place.kind,
                on_host=event.exists,
                count=0,
                first=now,
                last=now,
            )
            self._waiting.set()
        refusal.add(1, now)
        # Of a sensitive one the alarm hears each time.
        if place is None:
            request = (event.pid, event.operation, event.path)
            former = self._noted.get(request)
            if former is not None:
                self._add(former)
            elif len(self._noted) >= _PENDING_LIMIT:
                return
            self._noted[request] = _Noted(program, event.verdict, event.exists, key, refusal)

    def _add(self, noted: _Noted) -> None:
        """Add what was only counted to what is pending."""
        if noted.count:
            refusal = self._pending.get(noted.key)
            if refusal is None:
                first, last = noted.first, noted.last
                refusal = replace(noted.refusal, count=0, first=first, last=last)
                self._pending[noted.key] = refusal
            refusal.add(noted.count, noted.last)
            noted.refusal, noted.count = refusal, 0

    def _display(self, path: bytes) -> str:
        """``home/.ssh`` of the view as the jail spells it, ``/home/alice/.ssh``."""
        shown = text(path, _PATH_LIMIT)
        if shown == "home" or shown.startswith("home/"):
            return self._home + shown[len("home") :]
        return "/" + shown

    async def write_batches(self) -> None:
        """Write what is pending, at most once in `_BATCH_SECONDS`, never while nothing happens."""
        while True:
            await self._waiting.wait()
            await self.flush()
            await trio.sleep(_BATCH_SECONDS)

    async def flush(self) -> None:
        """Write what is pending now."""
        async with self._writing:
            batch = self._take()
            # Not cancelled half-way, nor left to run: `close` uses the same connection.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._write, batch)

    def _take(self) -> list[Refusal]:
        self._noted = {request: noted for request, noted in self._noted.items() if noted.count}
        for noted in self._noted.values():
            self._add(noted)
        self._waiting = trio.Event()
        batch = list(self._pending.values())
        self._pending = {}
        return batch

    def close(self) -> None:
        """Write what is left; no task may be writing any more."""
        self._write(self._take())
        if self._writer is not None:
            self._writer.close()

    def _write(self, batch: list[Refusal]) -> None:
        if self._writer is None and batch:
            # Most jails start without a refusal: not part of what their start waits for.
            from venvjail.audit.store import Writer

            self._writer = Writer(self._database)
        if self._writer is not None:
            self._writer.write(batch)
