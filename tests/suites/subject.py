"""Where a suite runs: in a plain venv or in a jailed one of the same home."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.processes import stop_jails

#: Where the directory of a jailed run is: in the view, the store's alone; in the view, in a
#: directory that the host has too; in one that is grafted over the view; and in the project.
PLACES = ("view", "merged", "graft", "project")

# The directory may exist in the jail alone, so the change to it happens there.  PYTHONPATH is how a
# tree that is not installed finds venvjail, and nothing of the suite's.
_IN_DIRECTORY = 'unset PYTHONPATH; mkdir -p "$1" && cd "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class Subject:
    """Runs commands; ``python`` is an interpreter's path where they run."""

    home: FakeHome
    python: Path
    prefix: tuple[str | Path, ...] = ()

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> CompletedProcess[str]:
        """Run ``argv`` in ``cwd``, made if it is missing; TMPDIR is ``cwd`` too.

        Fails with `AssertionError` after ``timeout`` seconds.
        """
        return self.home.run(
            [*self.prefix, "/bin/sh", "-c", _IN_DIRECTORY, "sh", cwd, *argv],
            env={"TMPDIR": str(cwd), **(env or {})},
            timeout=timeout,
        )


def plain_subject(home: FakeHome, python: Path) -> Subject:
    """The plain venv of which ``python`` is the interpreter."""
    return Subject(home, python)


def jailed_subject(jail: JailedVenv) -> Subject:
    """The jail of a venv."""
    return Subject(jail.home, jail.bin / "python", (*VENVJAIL, "run", jail.env, "--"))


@dataclass(frozen=True)
class Arena:
    """The two subjects, and the directories in which each runs."""

    plain: Subject
    jailed: Subject

    def directory(self, place: str | None, name: str) -> Path:
        """A directory for one run, not there yet; ``None`` is the plain subject's place."""
        home = self.plain.home
        tops = {
            None: home.root / "plain",
            "view": home.root / "suites",
            "merged": home.root / ".config/fish",
            "graft": home.root / ".cache/suites",
            "project": home.project / "suites",
        }
        return tops[place] / name


@contextmanager
def arena(directory: Path) -> Iterator[Arena]:
    """A new home in ``directory`` with both venvs; no jail is left afterwards."""
    home = FakeHome(directory / "home", runtime=directory / "run")
    home.write(".config/fish/config.fish", "# allowed by default\n")
    plain = home.project / "plain"
    home.check([sys.executable, "-m", "venv", plain])
    with JailedVenv(home, options=()) as jail:
        (jail.store / ".cache").mkdir(exist_ok=True)
        jail.stop()  # it ran to install pip; what is in the store at its next start is a graft
        try:
            yield Arena(plain_subject(home, plain / "bin/python"), jailed_subject(jail))
        finally:
            stop_jails(directory)
