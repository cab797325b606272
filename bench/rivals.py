"""Who is measured beside the jail: the plain venv, alone and in other sandboxes.

drop and sandbox-venv are in no distribution's repository, so they are not measured here.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.place import Place

Wrap = Callable[[list[str | Path]], list[str | Path]]

NOT_PACKAGED = "drop and sandbox-venv are not packaged by any distribution: not measured."


class Rivals:
    """The sandboxes of this machine, each with what puts a command into it."""

    def __init__(self, place: Place) -> None:
        self.absent: list[str] = []
        self.wraps: dict[str, Wrap] = {}
        for name, wrap in (("bubblewrap", _bubblewrap(place)), ("firejail", _firejail(place))):
            program = str(wrap([])[0])
            if shutil.which(program) is None:
                self.absent.append(f"{name} is absent: not measured.")
            elif _fails(wrap([place.python(place.plain), "-c", "pass"])):
                self.absent.append(f"{name} does not work on this machine: not measured.")
            else:
                self.wraps[name] = wrap

    def note(self) -> str:
        """What is not measured."""
        return " ".join([*self.absent, NOT_PACKAGED])

    def commands(self, place: Place, *arguments: str | Path) -> dict[str, list[str | Path]]:
        """``python ARGUMENTS`` in the plain venv, in the jail and in each sandbox."""
        plain = [place.python(place.plain), *arguments]
        jailed = [place.python(place.jailed), *arguments]
        wrapped = {name: wrap(plain) for name, wrap in self.wraps.items()}
        return {"plain venv": plain, "venvjail": jailed, **wrapped}


def _fails(command: list[str | Path]) -> bool:
    return subprocess.run(command, capture_output=True).returncode != 0


def _bubblewrap(place: Place) -> Wrap:
    """The mounts and namespaces that a jail has, as far as bubblewrap can make them."""
    options: list[str | Path] = ["--unshare-user", "--unshare-pid", "--unshare-ipc"]
    options += ["--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    options += ["--tmpfs", "/run", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp"]
    options += ["--tmpfs", place.home, "--bind", place.project, place.project]
    options += ["--ro-bind-try", place.wheels, place.wheels, "--chdir", place.project, "--"]
    return lambda command: ["bwrap", *options, *command]


def _firejail(place: Place) -> Wrap:
    options: list[str | Path] = ["--quiet", "--noprofile", "--caps.drop=all", "--nonewprivs"]
    options += ["--seccomp", "--private-dev", "--private-tmp", "--read-only=/"]
    options += [f"--read-write={place.home}", "--"]  # which it has no store for
    return lambda command: ["firejail", *options, *command]
