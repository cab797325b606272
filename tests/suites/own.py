"""Programs of our own, in ``programs/``: each prints a line ``NAME OUTCOME`` for each of its steps.

They reach the subject as text: the tree that they are in may be hidden in a jail.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from tests.suites.compare import Outcomes, Trial
from tests.suites.subject import Subject

_PROGRAMS = Path(__file__).with_name("programs")
_SECONDS = 900
_TROUBLE = ("status", "wrong")

#: Seeds of the random I/O.
SEEDS = (1, 2, 3, 4)


def trials() -> list[Trial]:
    """Random I/O on a file, a database, a repository: need nothing but Python and git."""
    return [*(random_io(seed, 5000) for seed in SEEDS), database(), repository(300)]


def random_io(seed: int, operations: int) -> Trial:
    """As fsx does."""
    arguments = (str(seed), str(operations))
    return Trial("files", f"fsx-{seed}", partial(run_python, "fsx", arguments))


def database() -> Trial:
    """SQLite's write-ahead log, used by several processes."""
    return Trial("files", "wal", partial(run_python, "wal", ()))


def repository(files: int) -> Trial:
    """What git does with a repository of so many files."""
    return Trial("files", "git", partial(run_shell, "git", (str(files),)))


def installs() -> list[Trial]:
    """Installers at work, which need their registries."""
    return [Trial("installs", name, partial(run_shell, name, ())) for name in ("pip", "uv", "npm")]


def run_python(
    name: str, arguments: tuple[str, ...], subject: Subject, directory: Path
) -> Outcomes:
    """Run ``programs/NAME.py ARGUMENTS``."""
    return _run(name, [subject.python, "-c", _text(f"{name}.py"), *arguments], subject, directory)


def run_shell(name: str, arguments: tuple[str, ...], subject: Subject, directory: Path) -> Outcomes:
    """Run ``programs/NAME.sh PYTHON ARGUMENTS``."""
    text = _text("steps.sh") + _text(f"{name}.sh")
    return _run(name, ["bash", "-c", text, name, subject.python, *arguments], subject, directory)


def _text(file: str) -> str:
    return (_PROGRAMS / file).read_text(encoding="utf-8")


def _run(name: str, argv: list[str | Path], subject: Subject, directory: Path) -> Outcomes:
    done = subject.run(argv, cwd=directory, timeout=_SECONDS)
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    outcomes = {f"{name}.{step}": outcome for step, _, outcome in lines}
    if done.returncode:
        outcomes[name] = f"status {done.returncode}"
    if any(outcome.startswith(_TROUBLE) for outcome in outcomes.values()):
        print(done.stderr[-4000:], file=sys.stderr)
    return outcomes
