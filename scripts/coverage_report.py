"""Which branches the tests took: a table, from the records that `measured` has left.

Usage: coverage_report.py RECORDS TREE MINIMUM      (percent of the branches of each package)

What is missing of a file is written ``FROM->TO``, by lines; to a negative one, out of the function
or module that begins there.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from typing import Any

from coverage import Coverage

_PACKAGES = ("fusefs", "venvjail")
#: What no test of ours can take: what only type checkers run, what has no code, what another Python
#: version imports, what the types rule out, and modules run as programs by who develops them.
_EXCLUDED = [
    r"if TYPE_CHECKING:",
    r"@abstractmethod",
    r"from tomli import",
    r"raise TypeError\(",
    r'if __name__ == "__main__":',
]


def records(path: str) -> Iterator[bytes]:
    """The records; the last may be cut off."""
    with open(path, "rb") as file:
        while len(size := file.read(8)) == 8:
            record = file.read(int.from_bytes(size, "big"))
            yield record


def taken(path: str) -> tuple[dict[str, set[tuple[int, int]]], int]:
    """By file, the ways from line to line that any process took; and the number of records."""
    arcs: dict[str, set[tuple[int, int]]] = {}
    count = 0
    for record in records(path):
        for file, pairs in json.loads(zlib.decompress(record)).items():
            arcs.setdefault(file, set()).update((start, end) for start, end in pairs)
        count += 1
    return arcs, count


def main(path: str, tree: str, minimum: float) -> int:
    """Print the table; 1 when a package is below the minimum."""
    measured = Coverage(
        data_file=None,
        branch=True,
        config_file=False,
        include=[f"{tree}/{package}/*" for package in _PACKAGES],
        omit=[f"{tree}/{package}/__init__.py" for package in _PACKAGES],  # where measuring begins
    )
    for pattern in _EXCLUDED:
        measured.exclude(pattern)
    arcs, count = taken(path)
    measured.get_data().add_arcs(arcs)
    measured.get_data().touch_files(_sources(tree))  # those that no process has imported, too
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "json")
        sys.stdout, real = io.StringIO(), sys.stdout
        try:
            measured.json_report(outfile=output)
        finally:
            sys.stdout = real
        with open(output, encoding="utf-8") as file:
            files = json.load(file)["files"]
    print(f"{count} processes told what they did")
    return _table(files, tree, minimum)


def _sources(tree: str) -> list[str]:
    return [
        os.path.join(directory, name)
        for package in _PACKAGES
        for directory, _, names in os.walk(f"{tree}/{package}")
        for name in names
        if name.endswith(".py")
    ]


def _table(files: dict[str, Any], tree: str, minimum: float) -> int:
    totals: dict[str, list[int]] = {}
    print(f"{'':40} {'lines':>13} {'branches':>13}  missing")
    for path, found in sorted(files.items()):
        name = os.path.relpath(os.path.join(tree, path), tree)
        summary = found["summary"]
        numbers = [
            summary["covered_lines"],
            summary["num_statements"],
            summary["covered_branches"],
            summary["num_branches"],
        ]
        package = name.split("/")[0]
        totals[package] = [
            a + b for a, b in zip(totals.get(package, [0] * 4), numbers, strict=True)
        ]
        missing = " ".join(f"{a}->{b}" for a, b in found["missing_branches"])
        print(f"{name:40} {_share(*numbers[:2]):>13} {_share(*numbers[2:]):>13}  {missing}")
    for package, numbers in totals.items():
        print(f"{package:40} {_share(*numbers[:2]):>13} {_share(*numbers[2:]):>13}")
    below = [name for name, (_, _, some, every) in totals.items() if 100 * some < minimum * every]
    for name in below:
        print(f"==> {name}: less than {minimum:g} % of the branches")
    return int(bool(below))


def _share(covered: int, every: int) -> str:
    return f"{covered}/{every} {100 * covered / every if every else 100:.1f}%"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.path.realpath(sys.argv[2]), float(sys.argv[3])))
