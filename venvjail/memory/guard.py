"""Supervisor (host's namespaces): the task that holds a running jail to ``[limits] memory``.

It looks some times a second while there is something to look at: nothing can come into a jail that
no command has joined and in which no process is left, and so an idle one is not looked at.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import trio

from venvjail.memory import look as looking
from venvjail.memory.look import Look, Share, spelled
from venvjail.memory.readings import Machine, Sources, find, rough
from venvjail.quoting import printable

if TYPE_CHECKING:
    from venvjail.memory.meter import Meter
    from venvjail.serving.running import Jail

log = logging.getLogger("venvjail.memory.guard")

#: So long a process that was killed may take to give back what it held.
_DYING_SECONDS = 1.0
_AGAIN_SECONDS = 0.25
_VFORK_SECONDS = 0.01
#: A look of so many of the processor's seconds is not left to a thread: to change threads takes
#: longer where a bomb has the processors.
_QUICK_SECONDS = 0.005
#: So long an exact look may take while the jail grows, and while it does not.  To read a process's
#: page tables is to wait for its forks, and these for a processor.
_GROWING_SECONDS = 0.4
_STEADY_SECONDS = 2.0
_MOST_COMMAND = 80


class _Found(NamedTuple):
    share: Share
    process: int
    """A descriptor of its directory in /proc."""
    command: str


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
        self._look = Look((), 0)
        self._cost = 0.0
        """The processor's seconds that the last look took."""
        self._dying: dict[int, float] = {}
        self._strikes: deque[float] = deque(maxlen=looking.STRIKES)

    def describe(self) -> str:
        """One line for ``venvjail status``; the last look, rough where it was below the limit."""
        return f"{spelled(self._look.total)} of {spelled(self._limit)} at the last look"

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            # Before the look: what joins after it sets the event.
            changed, joined = self._jail.changed, bool(self._jail.leases)
            try:
                self._look = await self._rough()
                if not joined and not self._look.shares:
                    await changed.wait()
                    continue
                seconds = await self._hold()
            except OSError as error:  # for want of descriptors, or the jail ends
                log.warning("the jail's memory is not looked at for a moment: %s", error)
                seconds = _AGAIN_SECONDS
            await trio.sleep(seconds)

    async def _hold(self) -> float:
        """Do what the last look calls for; seconds until the next one."""
        look = self._look
        if look.total > self._limit:
            look = self._look = await self._exact(look)
        if self._limit < look.total <= looking.END_FACTOR * self._limit:
            # A child of vfork(2) has its parent's memory once more until it executes a program.
            await trio.sleep(_VFORK_SECONDS)
            look = self._look = min(look, await self._exact(look), key=lambda one: one.total)
        if look.total > self._limit and self._enforce(look):
            return looking.OFTEN
        return looking.pause(look.total, self._limit, self._cost)

    async def _rough(self) -> Look:
        if self._cost < _QUICK_SECONDS:
            look, self._cost = self._timed_rough()
        else:
            look, self._cost = await trio.to_thread.run_sync(self._timed_rough)
        return look

    def _timed_rough(self) -> tuple[Look, float]:
        begun = time.thread_time()
        return rough(self._sources, self._machine), time.thread_time() - begun

    async def _exact(self, look: Look) -> Look:
        """What to act on in place of ``look``, which may say too much."""
        largest = [share.pid for share in look.by_size()]
        question = self._meter.ask(self._sources, largest, looking.END_FACTOR * self._limit)
        if question is not None:
            with trio.move_on_after(_GROWING_SECONDS):
                await question.answered.wait()
            now = look if question.answered.is_set() else await self._rough()
            if now.total <= look.total + self._limit // 2:
                with trio.move_on_after(_STEADY_SECONDS - _GROWING_SECONDS):
                    await question.answered.wait()
            if question.answer is not None:
                self._cost += question.cost
                return question.answer
            look = now
        log.warning("the jail's memory is not read in time: what is shared counts for each")
        return look

    def _enforce(self, look: Look) -> bool:
        """Bring the jail below the limit; whether that took anything."""
        now = trio.current_time()
        self._dying = {pid: until for pid, until in self._dying.items() if until > now}
        look = look.without(self._dying)
        recent = [when for when in self._strikes if now - when < looking.STRIKE_SECONDS]
        verdict = looking.judge(look, self._limit, len(recent))
        if verdict.end:
            self._end(look)
        elif verdict.kill:
            self._strikes.append(now)
            self._dying.update((share.pid, now + _DYING_SECONDS) for share in verdict.kill)
            self._kill(verdict.kill)
        return bool(verdict.end or verdict.kill)

    def _kill(self, shares: tuple[Share, ...]) -> None:
        found = [
            _Found(share, *process)
            for share in shares
            if (process := find(self._sources.proc, share)) is not None
        ]
        if not found:
            return
        line = f"{self._named}: killed {_described(found)}"
        log.warning("%s", line)
        # Before: the end of the command, when it is told, may be what this brings about.
        self._jail.unsaid.append(line)
        for one in found:
            try:
                signal.pidfd_send_signal(one.process, signal.SIGKILL)
            except ProcessLookupError:
                log.info("process %d of the jail has ended by itself", one.share.pid)
            finally:
                os.close(one.process)

    def _end(self, look: Look) -> None:
        line = (
            f"{self._named}: the jail of {printable(self._jail.prepared.paths.env)} was ended with "
            "all its processes, which held more together"
        )
        # No figure in it: an exact look ends when it has found enough, a rough one exaggerates.
        log.error("%s (%s were counted)", line, spelled(look.total))
        self._jail.ends_for(line)
        self._scope.cancel()

    @property
    def _named(self) -> str:
        return f"limits.memory ({spelled(self._limit)})"


def _described(found: list[_Found]) -> str:
    """The largest with its command, and how many there are."""
    share, _, command = found[0]
    short = command if len(command) <= _MOST_COMMAND else command[:_MOST_COMMAND] + "…"
    what = f"process {share.pid}{short and ', '}{printable(short)}"
    if len(found) == 1:
        return f"{what}, which held {spelled(share.size)}"
    together = sum(one.share.size for one in found)
    return f"{what}, and {len(found) - 1} more, which held {spelled(together)} together"
