"""Supervisor (host's namespaces): what the tasks of a running jail share."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

import trio

from venvjail.config.model import Config
from venvjail.jail import binwatch
from venvjail.jail.alarms import Alarms
from venvjail.jail.audit import Recorder
from venvjail.jail.changes import Changes, load_unsaid
from venvjail.jail.channel import COUNT
from venvjail.jail.decisions import Prepared
from venvjail.jail.live import LivePolicy
from venvjail.jail.plan import within
from venvjail.jail.programs import Programs
from venvjail.jail.sensitivity import Sensitivity
from venvjail.jail.witness import Witness

_COUNT_SECONDS = 5.0


@dataclass
class Jail:
    """The state of the running jail that its tasks share."""

    prepared: Prepared
    channel: socket.socket
    recorder: Recorder
    alarms: Alarms
    entries: binwatch.Entries
    changes: Changes
    unsaid: list[str]
    """Lines for the user that wait for a command, on whose terminal to say them."""
    live: LivePolicy = field(init=False)
    init_pid: int = 0
    namespaces: list[int] = field(default_factory=list)
    ruleset: int | None = None
    """What each command restricts itself with; None where the kernel has no Landlock."""
    leases: list[int] = field(default_factory=list)
    """The pids on the host of the entries whose commands run."""
    was_joined: bool = False
    changed: trio.Event = field(default_factory=trio.Event)
    """Set, and replaced, when ``leases`` changes."""
    asking: trio.Lock = field(default_factory=trio.Lock)
    """Held while init's answer is awaited."""
    answers: tuple[trio.MemorySendChannel[int], trio.MemoryReceiveChannel[int]] = field(
        default_factory=lambda: trio.open_memory_channel[int](1)
    )
    """From the task that reads what init says to the one that has asked."""

    @classmethod
    def of(cls, prepared: Prepared, channel: socket.socket, witness: Witness) -> Jail:
        """A jail that is about to be built; it is not ``live`` yet."""
        alarms = Alarms(prepared.paths.env)
        recorder = Recorder(
            prepared.paths.audit,
            prepared.facts.home,
            Programs(witness.executable),
            Sensitivity.of(prepared.config),
            alarms.heard,
        )
        return cls(
            prepared,
            channel,
            recorder,
            alarms,
            binwatch.Entries(prepared.paths, prepared.record),
            Changes(prepared),
            load_unsaid(prepared.paths),
        )

    def take_lease(self, entry: int, directory: str) -> None:
        self.was_joined = True
        self.leases.append(entry)
        home = self.prepared.facts.home
        self.alarms.joined(entry, directory[len(home) + 1 :] if within(directory, home) else "")
        self._leases_changed()

    def end_lease(self, entry: int) -> None:
        self.leases.remove(entry)
        self.alarms.left(entry)
        self._leases_changed()

    def alarms_of(self, entry: int) -> list[str]:
        """What to tell whoever ran the command of ``entry``, which has ended."""
        return self.alarms.told(entry) if self.live.config.jail.notice.value else []

    def obey(self, config: Config) -> None:
        """A config is in force from now on."""
        self.recorder.sensitivity = Sensitivity.of(config)
        self._leases_changed()  # how long an empty jail stays may have changed

    def _leases_changed(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def take_unsaid(self) -> list[str]:
        """The lines to say now; the guards are looked at before."""
        lines = [*self.unsaid, *self.changes.replaced()]
        self.unsaid = []
        return lines

    async def is_outdated(self) -> bool:
        """Whether nothing runs in the jail, and a new one would guard more than it does."""
        lines = self.changes.replaced()
        if not self.changes.stale:
            return False
        processes = await self.count_processes()
        if not (self.leases or processes):
            return True  # nothing was there to write to what was replaced: nothing to say
        self.unsaid += lines
        return False

    async def count_processes(self) -> int:
        """Processes in the jail besides init; asked of init, 0 where that has ended."""
        async with self.asking:
            try:
                self.channel.send(COUNT)
            except OSError:
                return 0
            with trio.move_on_after(_COUNT_SECONDS):
                return await self.answers[1].receive()
        return 0
