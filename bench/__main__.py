"""Usage: python -m bench DIRECTORY [SECTION...].  Measure, and write the page and its charts.

Runs as an ordinary user, in a throw-away home.  ``QUICK=1`` measures less and leaves out the
largest sizes.  What does not work is an error, never a gap in the page.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

from bench import files, growth, idle, startup, work
from bench.page import Chart, Section, markdown
from bench.place import Place, place
from bench.svg import draw

_SECTIONS: dict[str, Callable[[Place, bool], Section]] = {
    "startup": startup.measure,
    "files": files.measure,
    "idle": idle.measure,
    "growth": growth.measure,
    "work": work.measure,
}


def _head(quick: bool) -> str:
    cores = len(os.sched_getaffinity(0))
    kernel = ".".join(platform.release().split(".")[:2])
    return f"""
Made by `make bench` on {date.today()}: Linux {kernel}, {cores} cores, Python
{platform.python_version()}{", a quick run" if quick else ""}. Medians, quartiles in brackets. The
subjects took turns, and a ratio is the median of the ratios within each turn: other work on the
machine slows both sides of it. What is slow, and why, is said in
[architecture.md](architecture.md).
"""


def main() -> None:
    """Measure all sections or those named."""
    directory, *names = sys.argv[1:]
    quick = os.environ.get("QUICK", "") not in ("", "0")
    output = Path(directory).resolve()
    sections = []
    for name in names or _SECTIONS:
        with place() as there:
            section = _SECTIONS[name](there, quick)
        print(markdown("", [section]), flush=True)
        sections.append(section)
    (output / "performance.md").write_text(markdown(_head(quick), sections))
    for section in sections:
        for part in section.parts:
            if isinstance(part, Chart):
                (output / f"performance-{part.name}.svg").write_text(draw(part))


if __name__ == "__main__":
    main()
