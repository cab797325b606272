"""Command line (host): tables of plain text that can be read in a narrow terminal and in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

#: A cell wider than this pushes what follows to the right instead of widening all rows.
_WIDEST = 48
_GAP = "  "


def lines(
    rows: Sequence[Sequence[str]], *, right: Sequence[str], width: int | None
) -> Iterator[str]:
    """Each row as one line, the cells in columns; the first row is the heading.

    ``right`` holds the headings of the columns that are set to the right.  Every cell is shown
    whole but those of the last column, which end with ``…`` where the line would be wider than
    ``width``, the cells of a terminal's line.
    """
    heading = rows[0]
    widths = [min(_WIDEST, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            _padded(cell, size, to_the_right=name in right)
            for cell, size, name in zip(row[:-1], widths, heading, strict=False)
        ]
        line = "".join(cell + _GAP for cell in cells)
        yield (line + _cropped(row[-1], line, width)).rstrip()


def terminal_width() -> int | None:
    """The width of the terminal that standard output is, None where it is something else."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _padded(cell: str, size: int, *, to_the_right: bool) -> str:
    blanks = " " * (size - cell_len(cell))
    return blanks + cell if to_the_right else cell + blanks


def _cropped(cell: str, line: str, width: int | None) -> str:
    if width is None:
        return cell
    room = max(1, width - cell_len(line) % width)
    return cell if cell_len(cell) <= room else set_cell_size(cell, room - 1) + "…"
