"""Builder (still in the host's namespaces): decide everything about the jail before it exists.

Here and not in the supervisor, so that reading the config and looking at the host go on while the
supervisor imports what it serves the view with.
"""

from __future__ import annotations

import os
import re

from venvjail.config import file as configfile
from venvjail.config.model import Config
from venvjail.errors import JailError
from venvjail.jail import grafts, guards, host, launcher, placeholders, policy, walls
from venvjail.jail.decisions import Prepared
from venvjail.jail.filestate import states
from venvjail.jail.launcher import Launcher
from venvjail.layout import VenvPaths
from venvjail.rcfiles import shell_files
from venvjail.record import load


def prepare(paths: VenvPaths) -> Prepared:
    """Read and look; raises UserError where the jail cannot or must not be started."""
    record = load(paths.env)
    home = host.find_home(os.environ.get("HOME", ""))
    files = (policy.user_config(home), paths.config)
    config_files = states(files)  # before: what is written meanwhile is read again
    config = configfile.load(*files)
    _refuse_unsupported(config)
    project = host.project(config, home)
    tops = host.writable_trees(config, home)
    launcher.refuse_exposed(Launcher.of(record), (*tops, paths.env), paths.env)
    held = placeholders.hold(project, guards.names(config)) if project else {}
    try:
        found = guards.find(tops, paths.env, config)
        found.read_only |= {*Launcher.of(record).paths_in(tops), *held}
        facts = host.gather(
            paths,
            config,
            record,
            home,
            guarded=found,
            tmp=host.private_tmp(paths),
            files=shell_files(paths.env, record.prompt),
        )
    except BaseException:
        placeholders.abandon(held)
        raise
    rules = policy.home_rules(config, facts, record)
    facts = facts._replace(grafts=tuple(grafts.find(rules, home, paths.store)))
    confined = walls.decide(facts, config)
    return Prepared(paths, record, config, config_files, facts, found, confined, list(held))


#: What RLIMIT_NPROC counts, since commit 21d1c5e386bc.
_COUNTS_BY_NAMESPACE = (5, 14)


def _kernel() -> tuple[int, ...]:
    """The kernel's version, ``(6, 18)`` of ``6.18.4-arch1``; uname(2)."""
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def _refuse_unsupported(config: Config) -> None:
    """A restriction that this version cannot enforce must not be taken for one that holds."""
    network = config.network
    if network.mode.value == "isolated":
        raise JailError(
            f'{network.mode.origin}: network.mode "isolated" is not available in this version; '
            'use "none" or "host"'
        )
    if network.publish:
        raise JailError(
            f"{network.publish[0].origin}: network.publish is not available in this version; "
            "remove it"
        )
    processes = config.limits.processes
    if processes is not None and _kernel() < _COUNTS_BY_NAMESPACE:
        raise JailError(
            f"{processes.origin}: limits.processes needs Linux 5.14 or newer: older ones would "
            "count your processes outside of the jail too; remove it"
        )
    if config.limits.memory is not None:
        raise JailError(
            f"{config.limits.memory.origin}: limits.memory is not available in this version; "
            "remove it"
        )
