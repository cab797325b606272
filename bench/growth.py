"""How time and memory grow with the size of things."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.measure import resident_kib, seconds
from bench.page import Chart, Section
from bench.place import Place
from venvjail import client
from venvjail.layout import VenvPaths

_MS = 1000
_ROUNDS = 5
#: Inodes are used and forgotten so often: memory that grows with time and not with use shows.
_CYCLES = 4
#: After which the memory of forgotten inodes has been given back.
_QUIET_SECONDS = 3
#: In each directory of a project.
_FILES = 5

#: Prints seconds for one listing of a directory, with the attributes of all names, the best of a
#: few, and for one look at a name.
_LIST = """
import json, os, sys, time
def listing():
    begin = time.perf_counter()
    with os.scandir(sys.argv[1]) as entries:
        names = [entry.stat() and entry.name for entry in entries]
    taken = time.perf_counter() - begin
    assert len(names) == int(sys.argv[2]), len(names)
    return taken
print(json.dumps(min(listing() for _ in range(2))))
"""
_LOOK = """
import os, sys, time
path, best = sys.argv[1], 1.0
for _ in range(20):
    time.sleep(0.05)
    begin = time.perf_counter()
    os.path.lexists(f"{path}-{time.monotonic_ns()}")  # another name each time: never cached
    best = min(best, time.perf_counter() - begin)
print(best)
"""
_REMOVE = """
import os, sys
for name in os.listdir(sys.argv[1]):
    os.unlink(f"{sys.argv[1]}/{name}")
os.rmdir(sys.argv[1])
"""


def measure(place: Place, quick: bool) -> Section:
    """All curves."""
    charts = [
        *_allow_list(place, (10, 100, 1000, 10_000)),
        *_directories(place, (100, 1000, 10_000) if quick else (100, 1000, 10_000, 100_000)),
        *_inodes(place, (10_000, 50_000) if quick else (10_000, 50_000, 100_000, 200_000)),
        *_commands(place, (1, 4, 16, 32) if quick else (1, 4, 16, 50, 100)),
        *_projects(place, (1, 10, 100, 900) if quick else (1, 10, 100, 900, 10_000)),
        *_jails(place, (1, 2, 4) if quick else (1, 2, 5, 10, 20)),
    ]
    text = "Memory is the supervisor's in RAM, shared pages included."
    if quick:
        text += " This was a quick run: the largest sizes are left out."
    return Section("Growth", text, charts)


def _run(place: Place, code: str, *arguments: str | Path) -> str:
    command: Sequence[str | Path] = [place.python(place.jailed), "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _memory(place: Place) -> float:
    """MiB of the jail's supervisor."""
    return resident_kib(place.status().supervisor) / 1024


def _allow_list(place: Place, sizes: Sequence[int]) -> list[Chart]:
    start, look, memory = [], [], []
    (place.home / ".config").mkdir()
    for size in sizes:
        names = [f".config/tool-{number}/settings" for number in range(size)]
        place.configure(f"[home]\nallow = {json.dumps(names)}\n")
        times = []
        for _ in range(_ROUNDS):
            place.stop(place.jailed)
            times.append(seconds([place.python(place.jailed), "-c", "pass"]))
        start.append((size, _MS * min(times)))
        look.append((size, 1e6 * float(_run(place, _LOOK, place.home / ".config/tool"))))
        memory.append((size, _memory(place)))
    place.configure("")
    place.stop(place.jailed)
    x = "entries of the allow-list"
    return [
        Chart("allow-start", "Start of a jail", x, "ms", {"cold start": start}),
        Chart("allow-look", "First look at a name", x, "µs", {"lookup": look}),
        Chart("allow-memory", "Memory", x, "MiB", {"supervisor": memory}),
    ]


def _fill(directory: Path, size: int) -> None:
    directory.mkdir(parents=True)
    for number in range(size):
        (directory / str(number)).touch()


def _directories(place: Place, sizes: Sequence[int]) -> list[Chart]:
    place.status()
    view, native = [], []
    for size in sizes:
        # A name of its own: the view shows for a moment what the host has removed.
        kept, plain = place.store / f"names-{size}", place.project / f"names-{size}"
        _fill(kept, size)
        _fill(plain, size)
        begin = float(_run(place, _LIST, place.home / kept.name, str(size)))
        view.append((size, 1e6 * begin / size))
        native.append((size, 1e6 * float(_run(place, _LIST, plain, str(size))) / size))
        shutil.rmtree(kept)
        shutil.rmtree(plain)
    lines = {"view": view, "native": native}
    return [
        Chart("directory", "scandir and stat, for each name", "names in one directory", "µs", lines)
    ]


def _inodes(place: Place, sizes: Sequence[int]) -> list[Chart]:
    """Memory while the kernel knows so many inodes, and when it has forgotten them."""
    used, forgotten, each = [], [], []
    for size in sizes:
        place.stop(place.jailed)
        empty = _memory(place)
        for _ in range(_CYCLES):
            _fill(place.store / "inodes", size)
            _run(place, _LIST, place.home / "inodes", str(size))
            most = _memory(place)
            _run(place, _REMOVE, place.home / "inodes")
        time.sleep(_QUIET_SECONDS)
        used.append((size, most))
        each.append((size, (most - empty) * (1 << 20) / size))
        forgotten.append((size, _memory(place)))
    x = "inodes in use"
    after = f"after the {_CYCLES}th time"
    return [
        Chart("inodes", "Memory", x, "MiB", {"in use": used, f"forgotten, {after}": forgotten}),
        Chart("inodes-each", "Memory of an inode", x, "bytes", {"for each inode in use": each}),
    ]


def _commands(place: Place, sizes: Sequence[int]) -> list[Chart]:
    place.stop(place.jailed)  # its memory is of what was done before
    place.status()
    lines: dict[str, list[tuple[float, float]]] = {"jailed": [], "plain": []}
    memory = []
    for size in sizes:
        for name, venv in (("jailed", place.jailed), ("plain", place.plain)):
            best = min(_at_once(place.python(venv), size) for _ in range(3))
            lines[name].append((size, _MS * best / size))
        memory.append((size, _memory(place)))
    x = "commands started at once"
    return [
        Chart("commands", "Start to end, for each command", x, "ms", lines),
        Chart("commands-memory", "Memory", x, "MiB", {"supervisor": memory}),
    ]


def _at_once(python: Path, size: int) -> float:
    script = 'n=$1; shift; for i in $(seq "$n"); do "$@" & done; wait'
    return seconds(["bash", "-c", script, "bash", str(size), python, "-c", "pass"])


def _jails(place: Place, sizes: Sequence[int]) -> list[Chart]:
    venvs = [place.project / f"venv-{number}" for number in range(max(sizes))]
    for venv in venvs:
        place.make(venv, "--without-pip")
    start, memory = [], []
    for size in sizes:
        times = []
        for venv in venvs[:size]:
            place.stop(venv)
        for venv in venvs[:size]:
            times.append(seconds([place.python(venv), "-c", "pass"]))
        start.append((size, _MS * times[-1]))
        running = [client.status(VenvPaths(str(venv))) for venv in venvs[:size]]
        pids = [pid for status in running if status for pid in (status.supervisor, status.init)]
        memory.append((size, sum(map(resident_kib, pids)) / 1024))
    for venv in venvs:
        place.stop(venv)
    x = "jails at once"
    return [
        Chart("jails", "Start of the last of so many jails", x, "ms", {"cold start": start}),
        Chart("jails-memory", "Memory of all jails", x, "MiB", {"supervisors and inits": memory}),
    ]


def _projects(place: Place, sizes: Sequence[int]) -> list[Chart]:
    """A project of more directories, each with a few files, as the jail is started and used."""
    command: Sequence[str | Path] = [place.python(place.jailed), "-c", "pass"]
    cold, warm = [], []
    tree = place.project / "tree"
    for size in sizes:
        for number in range(size):
            _fill(tree / str(number // 100) / str(number), _FILES)
        times = []
        for _ in range(_ROUNDS):
            place.stop(place.jailed)
            times.append(seconds(command))
        cold.append((size, _MS * min(times)))
        warm.append((size, _MS * min(seconds(command) for _ in range(4 * _ROUNDS))))
        shutil.rmtree(tree)
    x = "directories in the project"
    text = {"jail to be started": cold, "jail running": warm}
    return [Chart("project", "From a command's start to its end", x, "ms", text)]
