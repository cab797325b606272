"""Supervisor (host's namespaces): the task that holds a running jail to ``[limits] memory``.

It looks some times a second while there is something to look at: nothing can come into a jail that
no command has joined and in which no process is left, and so an idle one is not looked at.
"""

from __future__ import annotations

import logging
import os
import signal
from collections import deque
from typing import TYPE_CHECKING

import trio

from venvjail.memory.look import STRIKE_SECONDS, STRIKES, Look, Share, judge, pause, spelled
from venvjail.memory.readings import Machine, Sources, find, rough
from venvjail.quoting import printable

if TYPE_CHECKING:
    from venvjail.memory.meter import Meter
    from venvjail.serving.running import Jail

log = logging.getLogger("venvjail.memory.guard")

#: So long a process that was killed may take to give back what it held.
_DYING_SECONDS = 1.0
_AGAIN_SECONDS = 0.25
_MOST_COMMAND = 80


class Guard:
    """Holds ``jail`` to its limit; ``scope`` is cancelled where only its end is a remedy."""

    def __init__(self, jail: Jail, meter: Meter, scope: trio.CancelScope) -> None:
        limit = jail.prepared.facts.memory
        assert limit is not None
        self._jail = jail
        self._limit = limit
        self._sources = Sources.of(jail.gauges)
        self._meter = meter
        self._scope = scope
        self._machine = Machine()
        self._dying: dict[int, float] = {}
        self._strikes: deque[float] = deque(maxlen=STRIKES)

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            # Before the look: what joins after it sets the event.
            changed, joined = self._jail.changed, bool(self._jail.leases)
            begun = trio.current_time()
            try:
                look = await trio.to_thread.run_sync(rough, self._sources, self._machine)
            except OSError as error:  # for want of descriptors, or the jail ends
                log.warning("the jail's memory is not looked at for a moment: %s", error)
                await trio.sleep(_AGAIN_SECONDS)
                continue
            if not joined and not look.shares:
                await changed.wait()
                continue
            if look.total > self._limit:
                look = await self._exact(look)
                self._enforce(look)
            cost = trio.current_time() - begun
            await trio.sleep(pause(look.total, self._limit, cost))

    async def _exact(self, look: Look) -> Look:
        """What to act on in place of ``look``, which says too much."""
        exact = await self._meter.look(self._sources)
        if exact is None:
            log.warning("the jail's memory cannot be read exactly; what is shared counts anew")
            return look
        return exact

    def _enforce(self, look: Look) -> None:
        now = trio.current_time()
        self._dying = {pid: when for pid, when in self._dying.items() if when > now}
        look = look.without(self._dying)
        recent = [when for when in self._strikes if now - when < STRIKE_SECONDS]
        verdict = judge(look, self._limit, len(recent))
        if verdict.end:
            self._end(look)
        elif verdict.kill:
            self._strikes.append(now)
            for share in verdict.kill:
                self._dying[share.pid] = now + _DYING_SECONDS
                self._kill(share)

    def _kill(self, share: Share) -> None:
        found = find(self._sources.proc, share)
        if found is None:
            return
        process, command = found
        line = (
            f"{self._named}: killed process {share.pid}{_described(command)}, "
            f"which held {spelled(share.size)}"
        )
        log.warning("%s", line)
        # Before: the end of the command, when it is told, may be what this brings about.
        self._jail.unsaid.append(line)
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
        except ProcessLookupError:
            self._jail.unsaid.remove(line)
        finally:
            os.close(process)

    def _end(self, look: Look) -> None:
        held = max(look.total, self._limit)
        line = (
            f"{self._named}: the jail of {printable(self._jail.prepared.paths.env)} was ended, "
            f"with the {len(look.shares)} processes in it, which held {spelled(held)}"
        )
        log.error("%s", line)
        self._jail.ends_for(line)
        self._scope.cancel()

    @property
    def _named(self) -> str:
        return f"limits.memory ({spelled(self._limit)})"


def _described(command: str) -> str:
    if not command:
        return ""
    short = command if len(command) <= _MOST_COMMAND else command[:_MOST_COMMAND] + "…"
    return f", {printable(short)}"
