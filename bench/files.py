"""Operations on files: on the host, in the view, in a graft, and where a handler does nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import file_work
from bench.measure import Spread, number, ratios, spread
from bench.page import Section, Table
from bench.place import Place

_HERE = Path(__file__).parent
_NATIVE, _VIEW, _GRAFT, _EMPTY = "native", "view", "graft", "empty handler"
_BIG = " 64 MiB"
_MEBIBYTES = file_work.BIG_BLOCKS * len(file_work.BIG_BLOCK) >> 20
#: How many times the native operation each may take in the view; issue and text say the same.
_AIMS = {
    "create, write 4 KiB, close": "25",
    "open, read, close": "20",
    "scandir and stat": "10",
    "stat again": "5",
}

_TEXT = f"""
{file_work.FILES} files in one directory. *View* is the jail's home through FUSE, *graft* a
directory of it that the kernel serves (`~/.cache`), *empty handler* pyfuse3 as it comes, with
handlers that look nothing up and store nothing. Both are asked the same: to open, read and close a
file is three requests, two when the content is cached, and to create and write it six. The view can
be ahead, since its loop takes one turn for a request where pyfuse3's takes two. Time for one file,
and how many times the native one; for 64 MiB throughput.
"""

Times = dict[str, list[float]]


def measure(place: Place, quick: bool) -> Section:
    """Do the same work in all places, in turn."""
    work = place.project / "file_work.py"
    work.write_text(Path(file_work.__file__).read_text())
    native = place.project / "native"
    native.mkdir()
    cache = place.store / ".cache"
    cache.mkdir(exist_ok=True)
    place.stop(place.jailed)  # what is to be grafted has to be there at the start
    plain, jailed = place.python(place.plain), place.python(place.jailed)
    times: dict[str, Times] = {}
    with _empty_mount(place) as empty:
        places = {
            _NATIVE: (plain, native),
            _VIEW: (jailed, place.home),
            _GRAFT: (jailed, place.home / ".cache"),
            _EMPTY: (plain, empty),
        }
        for _ in range(5 if quick else 20):
            for name, (python, directory) in places.items():
                _add(times.setdefault(name, {}), [python, work, directory])
    rows = [_row(times, operation) for operation in times[_NATIVE]]
    columns = ("", *(name for name in times), "aim")
    return Section("Files", _TEXT, [Table(columns, rows)])


def _add(times: Times, command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for operation, seconds in json.loads(done.stdout).items():
        times.setdefault(operation, []).append(seconds)


def _row(times: dict[str, Times], operation: str) -> tuple[str, ...]:
    native = times[_NATIVE][operation]
    cells = [_absolute(operation, spread(native))]
    for name in (_VIEW, _GRAFT, _EMPTY):
        values = times[name][operation]
        times_native = ratios(values, native)
        cells.append(f"{_absolute(operation, spread(values))}, {number(times_native.median)}x")
    aim = "500 MiB/s" if operation.endswith(_BIG) else _AIMS.get(operation, "")
    return (operation, *cells, f"{aim}x" if aim.isdigit() else aim)


def _absolute(operation: str, sample: Spread) -> str:
    if operation.endswith(_BIG):
        return f"{_MEBIBYTES / sample.median:.0f} MiB/s"
    return f"{number(1e6 * sample.median / file_work.FILES)} µs"


@contextmanager
def _empty_mount(place: Place) -> Iterator[Path]:
    directory = place.home / "empty"
    directory.mkdir()
    command = [sys.executable, "-m", "bench.empty_fuse", str(directory)]
    with subprocess.Popen(
        command, cwd=_HERE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        if server.stdout.readline() != "mounted\n":
            raise RuntimeError("the empty file system was not mounted")
        try:
            yield directory
        finally:
            server.communicate()
