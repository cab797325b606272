"""Supervisor (host's namespaces): what the tasks of a running jail share."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from venvjail.audit.alarms import Alarms
from venvjail.audit.programs import Programs
from venvjail.audit.recorder import Recorder
from venvjail.audit.sensitivity import Sensitivity
from venvjail.audit.witness import Witness
from venvjail.building.channel import COUNT
from venvjail.config.model import Config
from venvjail.planning.decisions import Prepared
from venvjail.planning.plan import within
from venvjail.serving import binwatch
from venvjail.serving.changes import Changes, load_unsaid
from venvjail.serving.live import LivePolicy

if TYPE_CHECKING:
    from venvjail.memory.meter import Meter
    from venvjail.networks.pasta import Pasta

log = logging.getLogger("venvjail.serving.running")

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
    pasta: Pasta | None = None
    """The way out of an isolated jail's network."""
    meter: Meter | None = None
    """What the guard of the memory asks; None where there is no limit."""
    gauges: list[int] = field(default_factory=list)
    """Descriptors that init has opened for that guard."""
    describe_memory: Callable[[], str] = str
    """One line for ``venvjail status``, empty where there is no limit."""
    is_cut_off: bool = False
    """Whether an isolated jail has lost that way, or never had it."""
    init_pid: int = 0
    namespaces: list[int] = field(default_factory=list)
    ruleset: int | None = None
    """What each command restricts itself with; None where the kernel has no Landlock."""
    leases: list[int] = field(default_factory=list)
    """The pids on the host of the entries whose commands run."""
    was_joined: bool = False
    reason: str = ""
    """Why it ends, where that is to be told to the commands that end with it."""
    changed: trio.Event = field(default_factory=trio.Event)
    """Set, and replaced, when ``leases`` changes, or how long the jail stays without one."""
    asking: trio.Lock = field(default_factory=trio.Lock)
    """Held while init's answer is awaited."""
    answers: tuple[trio.MemorySendChannel[int], trio.MemoryReceiveChannel[int]] = field(
        default_factory=lambda: trio.open_memory_channel[int](1)
    )
    """From the task that reads what init says to the one that has asked."""

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        channel: socket.socket,
        witness: Witness,
        pasta: Pasta | None,
        meter: Meter | None,
    ) -> Jail:
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
            pasta=pasta,
            meter=meter,
        )

    def take_lease(self, entry: int, directory: str) -> None:
        self.was_joined = True
        self.leases.append(entry)
        home = self.prepared.facts.home
        self.alarms.joined(entry, directory[len(home) + 1 :] if within(directory, home) else "")
        self.reconsider_end()

    def end_lease(self, entry: int) -> None:
        self.leases.remove(entry)
        self.alarms.left(entry)
        self.reconsider_end()

    def alarms_of(self, entry: int) -> list[str]:
        """What to tell whoever ran the command of ``entry``, which has ended."""
        return self.alarms.told(entry) if self.live.config.jail.notice.value else []

    def obey(self, config: Config) -> None:
        """A config is in force from now on."""
        self.recorder.sensitivity = Sensitivity.of(config)
        self.reconsider_end()

    def reconsider_end(self) -> None:
        """Let the task that waits for the end look again whether, and when, that comes."""
        self.changed.set()
        self.changed = trio.Event()

    def notices(self) -> list[str]:
        """What whoever uses the jail has to know at present: one line each."""
        problem = self.recorder.problem
        if problem is None:
            return self.live.notices()
        line = f"what the jail refuses is not logged: {self.prepared.paths.audit}: {problem}"
        return [*self.live.notices(), line]

    def ends_for(self, reason: str) -> None:
        """Tell the commands that end with the jail why; where none runs, the next one."""
        self.reason = reason
        if not self.leases:
            self.unsaid.append(reason)

    def take_unsaid(self) -> list[str]:
        """The lines to say now; the guards are looked at before."""
        lines = [*self.unsaid, *self.changes.replaced()]
        self.unsaid = []
        return lines

    @property
    def network(self) -> str:
        """The mode of the jail's network."""
        return self.prepared.config.network.mode.value

    @property
    def stale(self) -> bool:
        """Whether a new jail would have more guards, or a network that works."""
        return self.changes.stale or self.is_cut_off

    async def is_outdated(self, network: str) -> bool:
        """Whether nothing runs in the jail, and a command for ``network`` needs a new one."""
        lines = self.changes.replaced()
        # The first command is the one that the jail was started for: it has what there is now.
        past = self.was_joined and (self.is_cut_off or network != self.network)
        if not (self.changes.stale or past):
            return False
        processes = await self.count_processes()
        if not self.leases and processes == 0:
            return True  # nothing was there to write to what was replaced: nothing to say
        self.unsaid += lines
        return False

    def cut_off(self, reason: str) -> None:
        """The jail is isolated and has no way out from now on."""
        self.is_cut_off = True
        log.warning("no way out of the jail: %s", reason)
        self.unsaid.append(
            f"{reason}: the jail has no network but its own loopback until it is started anew: "
            f"venvjail stop {self.prepared.paths.env}"
        )
        self.reconsider_end()

    def describe_network(self) -> str:
        """One line for ``venvjail status``."""
        if self.pasta is None:
            return self.network
        if self.is_cut_off:
            return f"{self.network}, cut off"
        published = [
            f"{item.address}:{item.host} leads to {item.jail}"
            for item in self.prepared.config.network.publish
        ]
        return ", ".join([f"{self.network} (pasta, pid {self.pasta.pid})", *published])

    async def count_processes(self) -> int | None:
        """Processes in the jail besides init; asked of init, 0 where that has ended.

        None where it does not answer, which a machine under load may be the reason of: nobody is
        to take such a jail for empty.
        """
        async with self.asking:
            with contextlib.suppress(trio.WouldBlock):  # an answer that came too late
                self.answers[1].receive_nowait()
            try:
                self.channel.send(COUNT)
            except BlockingIOError:
                return None
            except OSError:
                return 0
            with trio.move_on_after(_COUNT_SECONDS):
                return await self.answers[1].receive()
        return None
