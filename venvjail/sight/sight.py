"""Supervisor and command line (host): what the jail of a venv sees at any path, and why.

Works without a running jail: from the config and the host, by the rules and the plan that a jail
would be started with, and by the very models that serve it.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from types import TracebackType

from fusefs.inspector import Inspector, Shown, Sighting
from fusefs.rules import Kind, Rule
from venvjail.audit.sensitivity import Sensitivity
from venvjail.config import file as configfile
from venvjail.config.model import Config
from venvjail.layout import VenvPaths
from venvjail.planning import grafts, guards, host, policy
from venvjail.planning.plan import Facts, make_plan
from venvjail.record import Record, load
from venvjail.sight.explanation import FUSE, HIDDEN, NATIVE, READ_ONLY, STORED, Explanation
from venvjail.sight.mounts import Mounts

_LINKS = 40
_KEYS = {
    Kind.ALLOW: "[home] allow",
    Kind.ALLOW_RO: "[home] allow",
    Kind.HIDE: "[home] hide",
}


class Sight:
    """The eyes of a jail; as a context, it gives its descriptors back."""

    def __init__(self, config: Config, facts: Facts, record: Record) -> None:
        rules = policy.home_rules(config, facts, record)
        found = tuple(grafts.find(rules, facts.home, facts.paths.store))
        self.config = config
        self.facts = facts._replace(grafts=found)
        allow = frozenset(os.fsdecode(name) for name in policy.proc_rules(config).allow)
        self.mounts = Mounts(config, self.facts, make_plan(self.facts, allow))
        self.sensitivity = Sensitivity.of(config)
        self.inspector = Inspector(policy.view_settings(config, self.facts, record))

    @classmethod
    def of(cls, paths: VenvPaths) -> Sight:
        """That of the venv at ``paths`` by its config files; raises UserError as a start does."""
        record = load(paths.env)
        home = host.find_home(os.environ.get("HOME", ""))
        config = configfile.load(policy.user_config(home), paths.config)
        guarded = guards.find(host.writable_trees(config, home), paths.env, config)
        tmp = _tmp(paths)
        host.ensure_store(paths)
        facts = host.gather(paths, config, record, home, guarded=guarded, tmp=tmp, files={})
        return cls(config, facts, record)

    def __enter__(self) -> Sight:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.inspector.__exit__(kind, error, traceback)

    def explain(self, path: str) -> Explanation:
        """What the jail sees at ``path``, relative to the working directory or absolute."""
        asked = self.spelled(path)
        seen = asked
        for _ in range(_LINKS):
            relative = self.relative(seen)
            if relative is None:
                real = self._real(seen)
                if real == seen:
                    return self._named(asked, self.mounts.explain(seen))
                seen = real
                continue
            sighting = self.inspector.look(os.fsencode(relative))
            follow = sighting.link is not None and os.fsdecode(sighting.path) != relative
            if not follow:
                found = self._in_home(relative, sighting)
                served = NATIVE if self.mounts.serves_natively(seen) else FUSE
                return self._named(asked, replace(found, served=served))
            assert sighting.link is not None
            seen = self._followed(relative, sighting.path, sighting.link)
        return Explanation(asked, HIDDEN, "too many symlinks", FUSE, there=False)

    def spelled(self, path: str) -> str:
        """``path`` as the jail spells it: the home by its real path, symlinks outside resolved."""
        absolute = os.path.normpath(os.path.join(os.getcwd(), path))
        home = self.facts.home
        head, rest = absolute, ""
        while head != "/":
            if head == home or (os.path.isdir(head) and os.path.realpath(head) == home):
                return home + rest
            head, _, name = head.rpartition("/")
            head, rest = head or "/", f"/{name}{rest}"
        parent, name = os.path.split(absolute)
        return os.path.normpath(os.path.join(os.path.realpath(parent), name))

    def relative(self, path: str) -> str | None:
        """``path`` relative to the home where the view serves it; None where a mount does."""
        return self.mounts.in_view(path)

    def _real(self, path: str) -> str:
        """A path below a mount of the host's own directory, the symlinks above its name followed.

        What the jail can write to may lead anywhere; what is there has to be asked anew.
        """
        parent, name = os.path.split(path)
        if self.mounts.explain(path).stored != path:
            return path
        return os.path.normpath(os.path.join(os.path.realpath(parent), name))

    def _followed(self, relative: str, link: bytes, text: bytes) -> str:
        """The path that the rest of a walk goes on with behind a symlink."""
        at = os.fsdecode(link)
        rest = relative[len(at) :].lstrip("/")
        directory = f"{self.facts.home}/{os.path.dirname(at)}"
        return self.spelled(os.path.join(directory, os.fsdecode(text), rest))

    def _named(self, asked: str, explanation: Explanation) -> Explanation:
        if explanation.path == asked:
            return explanation
        return replace(explanation, path=asked, note=f"by symlinks it is {explanation.path}")

    def _in_home(self, relative: str, sighting: Sighting) -> Explanation:
        path = os.path.normpath(f"{self.facts.home}/{relative}")
        stored = os.path.normpath(f"{self.facts.paths.store}/{relative}")
        rule = _rule(sighting)
        match sighting.shown:
            case Shown.STORE:
                return Explanation(path, STORED, "a program of the jail made it", FUSE, stored)
            case Shown.HIDDEN | Shown.ABSENT:
                return self._not_shown(path, relative, stored, sighting)
            case _:
                change = self._hide(relative, sighting.rule)
                note = None
                if sighting.is_dir and sighting.creates:
                    note = f"new names in it are stored in {stored}"
                return Explanation(path, READ_ONLY, rule, FUSE, path, change, True, note)

    def _not_shown(self, path: str, relative: str, stored: str, sighting: Sighting) -> Explanation:
        there = os.path.lexists(path)
        rule = _rule(sighting)
        if there and sighting.shown is Shown.HIDDEN:
            place = self.sensitivity.place(relative)
            note = f"sensitive: {place.kind}" if place is not None else None
            change = self._allow(relative, sighting.rule)
            return Explanation(path, HIDDEN, rule, FUSE, None, change, True, note)
        if not sighting.creates:
            return Explanation(path, READ_ONLY, rule, FUSE, None, None, False)
        why = "a program of the jail may make it"
        return Explanation(path, STORED, why, FUSE, stored, None, False)

    def _allow(self, relative: str, rule: Rule | None) -> str | None:
        if rule is not None and rule.kind is Kind.NEVER:
            return None
        return f"venvjail allow {self._venv()} {self._word(relative)}"

    def _hide(self, relative: str, rule: Rule | None) -> str | None:
        if rule is None or rule.kind not in _KEYS:
            return None
        return f"venvjail hide {self._venv()} {self._word(relative)}"

    def _venv(self) -> str:
        return shlex.quote(self.facts.paths.env)

    def _word(self, relative: str) -> str:
        """A path of the home for a shell, absolute: ``~`` would not survive the quotes."""
        return shlex.quote(f"{self.facts.home}/{relative}")


def _tmp(paths: VenvPaths) -> str:
    """The host's directory behind the jail's ``/tmp``, or what it will be like."""
    try:
        return os.readlink(paths.tmp_link)
    except OSError:
        return "/tmp/dirjail-XXXXXX"


def _rule(sighting: Sighting) -> str:
    rule = sighting.rule
    if rule is None:
        if sighting.shown in (Shown.HIDDEN, Shown.ABSENT):
            return "not on [home] allow"
        return "on the way to what is shown"
    if rule.kind not in _KEYS:
        return rule.source or "always hidden"
    if rule.source == "default":
        return f"{_KEYS[rule.kind]}, by default"
    return f"{_KEYS[rule.kind]} in {rule.source}" if ":" in rule.source else rule.source
