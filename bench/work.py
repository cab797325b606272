"""Real work: what people wait for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.measure import in_turn, ratios, seconds, spread
from bench.page import Section, Table
from bench.place import Place, quiet
from bench.rivals import Rivals

#: Twenty, so that pip has something to do; with what they need of each other, so that it may.
WHEELS = [
    *("attrs", "certifi", "charset-normalizer", "click", "idna", "iniconfig", "jinja2"),
    *("markdown-it-py", "markupsafe", "mdurl", "numpy", "packaging", "platformdirs", "pluggy"),
    *("pygments", "pytest", "pyyaml", "requests", "rich", "urllib3"),
]

_TESTS = 500
_SOURCES = 200
_TEXT = """
Each takes place in the project and the venv, which are bind mounts, but for `git clone`, whose
target is the home and so goes through FUSE. Whole processes, so the start of a command, 10 ms, is
in all but that. bubblewrap's home is a tmpfs: its clone is in memory and lost. Aim: within 1.05
times the plain venv, where not in the view.
"""


def measure(place: Place, quick: bool) -> Section:
    """Do each piece of work in all sandboxes, in turn."""
    rivals = Rivals(place)
    _prepare(place)
    rounds = 2 if quick else 10
    rows = []
    for name, arguments in _work(place).items():
        subjects = rivals.commands(place, *arguments)
        rows.append(_row(name, {key: partial(seconds, c) for key, c in subjects.items()}, rounds))
    rows.append(_row("git clone into ~", _clones(place, rivals), rounds))
    columns = ("", "plain venv", "venvjail", *rivals.wraps)
    return Section("Real work", f"{_TEXT.strip()} {rivals.note()}", [Table(columns, rows)])


def _row(name: str, subjects: dict[str, Callable[[], float]], rounds: int) -> tuple[str, ...]:
    for subject in subjects.values():
        subject()  # what is compiled and cached once
    times = in_turn(subjects, rounds)
    plain = times["plain venv"]
    cells = [f"{spread(plain).median:.3f} s"]
    for other, values in times.items():
        if other != "plain venv":
            cells.append(ratios(values, plain).scaled(1, "x"))
    return (name, *cells)


def _prepare(place: Place) -> None:
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    place.wheels.mkdir()
    quiet([*pip, "download", "-q", "--only-binary=:all:", "-d", place.wheels, *WHEELS])
    shutil.copytree(place.wheels, place.project / "wheels")
    tests = "".join(f"def test_{n}():\n    assert {n} + 1 == {n + 1}\n\n" for n in range(_TESTS))
    (place.project / "test_many.py").write_text(tests)
    repository = place.project / "repository"
    repository.mkdir()
    for number in range(_SOURCES):
        (repository / f"module_{number}.py").write_text(f"VALUE = {number}\n" * 200)
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    quiet(["git", "init", "-q"], repository)
    quiet(["git", "add", "."], repository)
    quiet([*git, "commit", "-qm", "Two hundred modules"], repository)


def _work(place: Place) -> dict[str, list[str | Path]]:
    """Arguments of ``python`` by what they do."""
    install: list[str | Path] = ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    install += ["--no-index", "--find-links", place.project / "wheels", "--force-reinstall"]
    packages = "import sys; sys.argv[-1:] = [p for p in sys.path if 'site-packages' in p]; "
    compile_all = packages + "import compileall; sys.exit(not compileall.main())"
    return {
        "pip install of 20 wheels": [*install, *WHEELS],
        "compileall of site-packages": ["-c", compile_all, "-qf", ""],
        "import numpy, requests": ["-c", "import numpy, requests"],
        f"pytest of {_TESTS} tests": ["-m", "pytest", "-q", place.project / "test_many.py"],
    }


def _clones(place: Place, rivals: Rivals) -> dict[str, Callable[[], float]]:
    target = place.home / "clone"
    clone: list[str | Path] = ["git", "clone", "-q", "--no-local"]
    clone += [place.project / "repository", target]
    # Removed where it was made, since the view shows for a moment what the host has removed.
    # Without the sandbox's own start: venvjail's command line is a program like any.
    script = 'rm -rf -- "$1"; shift; b=$(date +%s%N); "$@" && echo $(($(date +%s%N) - b))'
    timed: list[str | Path] = ["sh", "-c", script, "sh", target, *clone]
    jailed: list[str | Path] = [sys.executable, "-m", "venvjail", "run", place.jailed, "--"]
    commands = {"plain venv": timed, "venvjail": [*jailed, *timed]}
    commands.update({name: wrap(timed) for name, wrap in rivals.wraps.items()})
    return {name: partial(_printed_seconds, command) for name, command in commands.items()}


def _printed_seconds(command: Sequence[str | Path]) -> float:
    """What a command says that something took, in nanoseconds, as seconds."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout) / 1e9
