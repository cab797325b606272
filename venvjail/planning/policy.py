"""Supervisor (host): the rules of the view, from the config and the facts."""

from __future__ import annotations

import os

from fusefs.proc import ProcRules
from fusefs.rules import Kind, Rule, Rules
from fusefs.view import ViewSettings
from venvjail.config.model import Config
from venvjail.planning.plan import Facts, within
from venvjail.record import Record

USER_CONFIG = ".dirjailconfig"


def view_settings(config: Config, facts: Facts, record: Record) -> ViewSettings:
    """All that the view needs to know."""
    return ViewSettings(
        home=os.fsencode(facts.home),
        store=os.fsencode(facts.paths.store),
        rules=home_rules(config, facts, record),
        never=never_visible(facts),
        proc=proc_rules(config),
    )


def home_rules(config: Config, facts: Facts, record: Record) -> Rules:
    """What of the home the jail sees; each rule names the file and line it comes from."""
    rules = [Rule(USER_CONFIG.encode(), Kind.NEVER, "always hidden: venvjail's own config")]
    for allow in config.home.allow:
        kind = Kind.ALLOW_RO if allow.mode == "ro" else Kind.ALLOW
        rules.append(Rule(os.fsencode(allow.path), kind, str(allow.origin)))
    for hide in config.home.hide:
        rules.append(Rule(os.fsencode(hide.value), Kind.HIDE, str(hide.origin)))
    env = facts.paths.env
    for path in (facts.project, env, *facts.writable):
        if path is not None and within(path, facts.home):
            rules.append(_at(path, facts.home, Kind.MOUNTPOINT, "mounted from the host"))
    for path in {record.base_prefix, os.path.realpath(record.base_prefix)}:
        if within(path, facts.home):
            rules.append(_at(path, facts.home, Kind.ALLOW_RO, "the Python interpreter"))
    return Rules(rules)


def never_visible(facts: Facts) -> tuple[bytes, ...]:
    """Host paths that not even an allowed symlink may show."""
    own = (facts.paths.state, facts.paths.store)
    paths = [f"{facts.home}/{USER_CONFIG}", *own, *facts.other_states]
    return tuple(os.fsencode(path) for path in paths)


def proc_rules(config: Config) -> ProcRules:
    """What of /proc besides its processes the jail sees."""
    wanted = [os.fsencode(item.value) for item in config.proc.allow]
    in_sys = {path[len(b"sys/") :] for path in wanted if path.startswith(b"sys/")}
    names = {path for path in wanted if not path.startswith(b"sys/")}
    return ProcRules(frozenset(names), frozenset(in_sys))


def _at(path: str, home: str, kind: Kind, source: str) -> Rule:
    return Rule(os.fsencode(os.path.relpath(path, home)), kind, source)


def user_config(home: str) -> str:
    """``/home/alice/.dirjailconfig``."""
    return f"{home}/{USER_CONFIG}"
