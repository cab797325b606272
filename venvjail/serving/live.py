"""Supervisor (host's namespaces): let edits of the config files act in the running jail.

The rules of the home, of the environment and of the audit act at once.  What the jail's mounts,
namespaces and filters were made from cannot be changed from here: it is named, with the remedy.
A file that cannot be used changes nothing, and every command is told so until it is mended.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable

import trio

from fusefs.operations import Operations
from fusefs.serve import forget_entries
from venvjail import inotify
from venvjail.config.environment import EnvironmentRules
from venvjail.config.model import Config
from venvjail.errors import UserError
from venvjail.planning import grafts, policy
from venvjail.planning.decisions import Prepared, with_network
from venvjail.planning.filestate import states

log = logging.getLogger("venvjail.serving.live")

#: An editor writes, renames and sets the mode: what is between is not what the user means.
_QUIET_SECONDS = 0.1
_MOST_SECONDS = 0.5
_EVENTS = 65536


class LivePolicy:
    """The config that a running jail obeys."""

    def __init__(
        self, prepared: Prepared, operations: Operations, obeys: Callable[[Config], None]
    ) -> None:
        """``obeys`` is told each config that is in force from now on."""
        self._prepared = prepared
        self._operations = operations
        self._obeys = obeys
        self._files = (policy.user_config(prepared.facts.home), prepared.paths.config)
        self._states = prepared.config_files
        self.config = prepared.config
        self.environment = EnvironmentRules(prepared.config.environment)
        self.problem: str | None = None
        """Why the files cannot be used as they are; the former config is in force."""
        self.waiting: list[str] = []
        """The keys whose new values wait for the next start of the jail."""

    def notices(self) -> list[str]:
        """What whoever uses the jail has to know: one line each."""
        venv = shlex.quote(self._prepared.paths.env)
        lines = []
        if self.problem is not None:
            lines.append(f"{self.problem} (the running jail keeps its former config)")
        if self.waiting:
            lines.append(
                f"the change of {', '.join(self.waiting)} acts at the jail's next start; "
                f"end it: venvjail stop {venv}"
            )
        return lines

    def reload(self) -> None:
        """Obey the files as they are, if they have changed."""
        now = states(self._files)
        if now == self._states:
            return
        self._states = now
        # Most jails never come here: not part of what their start waits for.
        from venvjail.config import file as configfile
        from venvjail.serving.differences import changed_keys

        try:
            config = with_network(configfile.load(*self._files), self._prepared.asked_network)
        except UserError as error:
            self.problem = str(error)
            log.error("%s: the former config stays in force", error)
            return
        self.problem = None
        self.waiting = changed_keys(self._prepared.config, config)
        if config != self.config:
            self._obey(config)

    def _obey(self, config: Config) -> None:
        self.config = config
        self.environment = EnvironmentRules(config.environment)
        facts = self._prepared.facts
        rules = policy.home_rules(config, facts, self._prepared.record)
        never = policy.never_visible(facts)
        # The kernel asks no rules below a graft: one that they do not fit any more has to go.
        fitting = {graft.path for graft in grafts.find(rules, facts.home, facts.paths.store)}
        unfit = [os.fsencode(graft.path) for graft in facts.grafts if graft.path not in fitting]
        forget_entries(self._operations.replace_rules(rules, never, unmount=unfit))
        self._obeys(config)
        log.info("the config files were read again")

    async def watch(self) -> None:
        """Reload whenever one of the files changes, is replaced, comes or goes.

        Where the kernel has no more watches for this user, at the start of each command only.
        """
        try:
            fd = inotify.watch_names(self._prepared.paths.state)
        except OSError as error:
            log.warning("the config files are not watched for changes: %s", error)
            return
        try:
            self.reload()
            while True:
                names = self._watch_files(fd)
                await trio.lowlevel.wait_readable(fd)
                if await _changed(fd, names):
                    self.reload()
        finally:
            os.close(fd)

    def _watch_files(self, fd: int) -> set[bytes]:
        """Watch the directories of the files and of what they are symlinks to; their names.

        Again after each change: a symlink may lead elsewhere now.
        """
        files = {*self._files, *map(os.path.realpath, self._files)}
        for directory in {os.path.dirname(file) for file in files}:
            try:
                inotify.add_watch(fd, directory)
            except OSError as error:
                log.warning("%s is not watched for changes: %s", directory, error)
        return {os.fsencode(os.path.basename(file)) for file in files}


async def _changed(fd: int, names: set[bytes]) -> bool:
    """Read the events until there are none for a moment; whether one is of a name in ``names``."""
    changed = False
    deadline = trio.current_time() + _MOST_SECONDS
    while True:
        found = inotify.changed_names(os.read(fd, _EVENTS))
        changed = changed or not names.isdisjoint(found) or None in found
        if not changed or trio.current_time() > deadline:
            return changed
        with trio.move_on_after(_QUIET_SECONDS) as quiet:
            await trio.lowlevel.wait_readable(fd)
        if quiet.cancelled_caught:
            return changed
