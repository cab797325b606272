"""Builder (still in the host's namespaces): decide everything about the jail before it exists.

Here and not in the supervisor, so that reading the config and looking at the host go on while the
supervisor imports what it serves the view with.
"""

from __future__ import annotations

import os
import re
import shlex

from venvjail.config import file as configfile
from venvjail.config.model import Config
from venvjail.errors import JailError
from venvjail.layout import VenvPaths
from venvjail.planning import grafts, guards, host, launcher, placeholders, policy
from venvjail.planning.decisions import Prepared, with_network
from venvjail.planning.filestate import states
from venvjail.planning.launcher import Launcher
from venvjail.rcfiles import shell_files
from venvjail.record import Record, load
from venvjail.walls import walls


def prepare(paths: VenvPaths, network: str = "") -> Prepared:
    """Read and look; raises UserError where the jail cannot or must not be started.

    ``network``, where it is not empty, takes the place of the config's ``[network] mode``.
    """
    record = load(paths.env)
    _refuse_changed_python(record)
    home = host.find_home(os.environ.get("HOME", ""))
    files = (policy.user_config(home), paths.config)
    config_files = states(files)  # before: what is written meanwhile is read again
    written = configfile.load(*files)
    config = with_network(written, network)
    _refuse_unsupported(config, network)
    host.ensure_store(paths)
    project = host.project(config, home)
    tops = host.writable_trees(config, home)
    launcher.refuse_exposed(Launcher.of(record), (*tops, paths.env), paths.env)
    held = placeholders.hold(project, guards.names(config)) if project else {}
    try:
        found = guards.find(tops, paths.env, config)
        found.read_only.update(Launcher.of(record).paths_in(tops), held)
        facts = host.gather(
            paths,
            config,
            record,
            home,
            guarded=found,
            tmp=host.private_tmp(paths),
            files=shell_files(paths.env, record.prompt),
        )
        connected = None
        if config.network.mode.value == "isolated":
            from venvjail.networks import isolation  # most jails do without

            connected = isolation.decide(config, facts.resolver)
    except BaseException:
        placeholders.abandon(held)
        raise
    rules = policy.home_rules(config, facts, record)
    facts = facts._replace(grafts=tuple(grafts.find(rules, home, paths.store)))
    return Prepared(
        paths,
        record,
        config,
        config_files,
        facts,
        found,
        walls.decide(facts, config),
        list(held),
        connected,
        network,
        written.network.mode.value,
    )


def _refuse_changed_python(record: Record) -> None:
    """Raise JailError where a distribution's upgrade has put another Python in the place of ours.

    The packages of the venv are in ``lib/python3.11``; 3.13 would start and find none of them.
    """
    then = re.fullmatch(r"python3\.\d+", os.path.basename(record.base_python))
    now = os.path.realpath(record.base_link)
    name = os.path.basename(now)
    if then and re.fullmatch(r"python3\.\d+", name) and name != then.group():
        raise JailError(
            f"{record.venv}: was made of {then.group()}, and {record.base_link} is {name} now; "
            f"bring it up to date: venvjail --upgrade {shlex.quote(record.venv)}"
        )


#: What RLIMIT_NPROC counts, since commit 21d1c5e386bc.
_COUNTS_BY_NAMESPACE = (5, 14)


def _kernel() -> tuple[int, ...]:
    """The kernel's version, ``(6, 18)`` of ``6.18.4-arch1``; uname(2)."""
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def _refuse_unsupported(config: Config, network: str) -> None:
    """A restriction that this version cannot enforce must not be taken for one that holds."""
    publish = config.network.publish
    if publish and config.network.mode.value != "isolated" and not network:
        raise JailError(
            f'{publish[0].origin}: network.publish needs network.mode = "isolated"; with "host" '
            'every port is yours, with "none" no port is: remove it or set the mode'
        )
    processes = config.limits.processes
    if processes is not None and _kernel() < _COUNTS_BY_NAMESPACE:
        raise JailError(
            f"{processes.origin}: limits.processes needs Linux 5.14 or newer: older ones would "
            "count your processes outside of the jail too; remove it"
        )
