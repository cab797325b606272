"""Supervisor and command line (host): which mount of the plan serves a path, and why it is there.

The plan is data, so what a jail would show at any path of the machine is read from it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

from venvjail.config.model import Config, Item, Origin
from venvjail.planning.plan import (
    STANDARD_DEVICES,
    Bind,
    Cover,
    Directory,
    Facts,
    File,
    Hide,
    Plan,
    Proc,
    Rebind,
    Root,
    Seal,
    Step,
    Symlink,
    Tmpfs,
    View,
    within,
)
from venvjail.planning.policy import proc_rules
from venvjail.sight.explanation import FUSE, HIDDEN, NATIVE, READ_ONLY, WRITABLE, Explanation


class Mounts:
    """The plan of one venv's jail."""

    def __init__(self, config: Config, facts: Facts, plan: Plan) -> None:
        self._config = config
        self._facts = facts
        self._plan = plan
        self._reasons = dict(_reasons(config, facts))
        self._grafts = {f"{facts.home}/{graft.path}" for graft in facts.grafts}
        self._sealed = {step.target for step in plan if isinstance(step, Seal)}

    def step(self, path: str) -> Step:
        """The last step of the plan that decides about ``path``."""
        found: Step = Root()
        for step in self._plan:
            passes = isinstance(step, Seal) or (isinstance(step, Rebind) and step.writable)
            if not passes and within(path, step.target):
                found = step
        return found

    def in_view(self, path: str) -> str | None:
        """``path`` relative to the home where the rules of the view decide, else None.

        Below a graft they do as well: the kernel serves there what the view would.
        """
        step = self.step(path)
        if isinstance(step, View) and step.source == "home":
            return os.path.relpath(path, step.target)
        return os.path.relpath(path, self._facts.home) if self.is_graft(step.target) else None

    def is_graft(self, target: str) -> bool:
        """Whether the mount at ``target`` is a graft."""
        return target in self._grafts

    def serves_natively(self, path: str) -> bool:
        """Whether the kernel serves ``path`` without the view."""
        return not isinstance(self.step(path), View)

    def leads_to_mount(self, path: str) -> bool:
        """Whether something is mounted or made below ``path``."""
        return any(within(step.target, path) and step.target != path for step in self._plan)

    def explain(self, path: str) -> Explanation:
        """What a path shows that is not in the view."""
        match self.step(path):
            case Bind() as bind:
                return self._bind(path, bind)
            case Rebind(target=target):
                return self._read_only(path, self._why(target), path)
            case Hide(target=target):
                change = self._shows(path) if self._config_hides(target) else None
                return Explanation(
                    path, HIDDEN, self._why(target), NATIVE, None, change, os.path.lexists(path)
                )
            case Tmpfs(target=target):
                return self._own(path, target)
            case Proc():
                return self._proc(path)
            case Cover(target=target):
                return self._read_only(path, self._why(target))
            case File() | Directory() | Symlink() | View():
                return self._read_only(path, "made for the jail")
            case _:
                return self._root(path)

    def _bind(self, path: str, bind: Bind) -> Explanation:
        source = os.path.normpath(f"{bind.source}/{os.path.relpath(path, bind.target)}")
        verdict = WRITABLE if bind.writable else READ_ONLY
        there = os.path.lexists(source)
        return Explanation(path, verdict, self._why(bind.target), NATIVE, source, None, there)

    def _read_only(self, path: str, rule: str, stored: str | None = None) -> Explanation:
        return Explanation(path, READ_ONLY, rule, NATIVE, stored, None, os.path.lexists(path))

    def _root(self, path: str) -> Explanation:
        rule = "outside the home everything is shown as you can see it, and nothing is writable"
        there = os.path.lexists(path)
        change = self._hides(path) if there and path != "/" else None
        return Explanation(path, READ_ONLY, rule, NATIVE, path, change, there)

    def _own(self, path: str, target: str) -> Explanation:
        """Below a directory of the jail's own, in memory."""
        rule = self._why(target)
        if target not in self._sealed:
            return Explanation(path, WRITABLE, rule, NATIVE, None, None, path == target)
        if path == target or self.leads_to_mount(path):
            return Explanation(path, READ_ONLY, rule, NATIVE)
        there = os.path.lexists(path)
        verdict = HIDDEN if there else READ_ONLY
        change = self._shows(path) if there and target in ("/run", "/dev") else None
        return Explanation(path, verdict, rule, NATIVE, None, change, there)

    def _proc(self, path: str) -> Explanation:
        names = tuple(os.fsencode(path).split(b"/")[2:])
        rules = proc_rules(self._config)
        if not names:
            return self._read_only(path, "the jail's own processes, and [proc] allow")
        if names[0].isdigit() or names[0] in (b"self", b"thread-self"):
            rule = "processes of the jail alone, by their pids there"
            return Explanation(path, READ_ONLY, rule, NATIVE, None, None, True)
        if rules.readable(names):
            return self._read_only(path, _listed_in("proc", self._config.proc.allow, path[6:]))
        there = os.path.lexists(path)
        return Explanation(
            path,
            HIDDEN,
            "not on [proc] allow: reading it is refused",
            FUSE,
            None,
            self._shows(path) if there else None,
            there,
        )

    def _shows(self, path: str) -> str:
        return f"venvjail allow {self._venv()} {shlex.quote(path)}"

    def _hides(self, path: str) -> str:
        return f"venvjail hide {self._venv()} {shlex.quote(path)}"

    def _venv(self) -> str:
        return shlex.quote(self._facts.paths.env)

    def _why(self, target: str) -> str:
        return self._reasons.get(target, "made for the jail")

    def _config_hides(self, target: str) -> bool:
        return target in self._facts.hide


def _reasons(config: Config, facts: Facts) -> list[tuple[str, str]]:
    """Why there is a mount, by its target; of two for one target the later counts."""
    paths = facts.paths
    found = [
        ("/dev", "the jail's own devices, and [dev] allow"),
        ("/dev/shm", "the jail's own shared memory"),
        ("/run", "empty in the jail but for [run] allow"),
        (f"/run/user/{facts.uid}", "a runtime directory of the jail's own"),
    ]
    found += [(path, "the jail's own; kept for the venv") for path in facts.temporaries]
    found += [(path, "your other home") for path in facts.other_homes]
    found += [(path, "your mail, or snapshots that hold your home") for path in facts.elsewhere]
    found += [(path, "a runtime directory of the jail's own") for path in facts.runtimes]
    found += [(f"/dev/{name}", "a device that harms nobody") for name in STANDARD_DEVICES]
    found += [(path, _from_list("dev", config.dev.allow)) for path in facts.devices]
    found += [(path, _from_list("run", config.run.allow, path)) for path in facts.run]
    found += [(path, "a program outside the jail listens there") for path in facts.sockets]
    found += [
        (os.path.realpath(item.value), f"[filesystem] hide{written(item.origin)}")
        for item in config.filesystem.hide
    ]
    found += [
        (os.path.realpath(item.value), f"[filesystem] writable{written(item.origin)}")
        for item in config.filesystem.writable
    ]
    found += [
        (os.path.realpath(f"{facts.home}/{item.value}"), f"[home] writable{written(item.origin)}")
        for item in config.home.writable
    ]
    if facts.project is not None and config.project.path is not None:
        origin = config.project.path.origin
        found.append((facts.project, f"the project, [project] path{written(origin)}"))
    found += [
        (paths.env, "the venv"),
        (paths.bin, "the venv's real commands; on the host each is an entry into the jail"),
        (paths.pyvenv_cfg, "the venv's own config: the programs of the host read it"),
    ]
    found += [(path, _guard_reason(config, facts, path)) for path in facts.guards]
    found += [(path, "the state of another venv") for path in facts.other_states]
    if facts.resolver is not None:
        reason = f"[network] mode{written(config.network.mode.origin)}: pasta passes questions on"
        found.append((facts.resolver.path, reason))
    found += [
        (paths.state, "venvjail's own state and config of this venv"),
        (paths.store, "the jail sees this as its home, and not here"),
    ]
    return found


def _guard_reason(config: Config, facts: Facts, path: str) -> str:
    relative = os.path.relpath(path, facts.project) if facts.project else path
    for item in config.project.protect:
        if item.value in (relative, os.path.basename(path)):
            return f"[project] protect{written(item.origin)}: you run it outside the jail"
    if os.path.islink(path):
        return "a symlink that leads to what you run outside the jail"
    return (
        "another venv, the launcher's code, or named by a repository's config: you run it outside"
    )


def _from_list(section: str, items: tuple[Item, ...], path: str | None = None) -> str:
    for item in items:
        if path is not None and os.path.realpath(item.value) == path:
            return f"[{section}] allow{written(item.origin)}"
    return f"[{section}] allow" if path is None else "what /etc/resolv.conf points to"


def _listed_in(section: str, items: tuple[Item, ...], path: str) -> str:
    above: Callable[[Item], bool] = lambda item: within(path, item.value)  # noqa: E731
    item = next(filter(above, items), None)
    return f"[{section}] allow{written(item.origin) if item else ''}"


def written(origin: Origin) -> str:
    """Where a rule was written, to be put after its name."""
    return f" in {origin}" if origin.line is not None else ", by default"
