"""The page of results as data, and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Table:
    """Rows of text below a head; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    """Curves over a logarithmic x axis; ``name`` is in the name of its file."""

    name: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Points]

    def table(self) -> Table:
        """The same numbers to read."""
        xs = sorted({x for x, _ in chain.from_iterable(self.lines.values())})
        found = {name: dict(points) for name, points in self.lines.items()}
        rows = [
            (f"{x:g}", *(f"{at[x]:.4g}" if x in at else "" for at in found.values())) for x in xs
        ]
        return Table((self.x, *(f"{name}, {self.y}" for name in self.lines)), rows)


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    title: str
    text: str
    parts: Sequence[Table | Chart]


def markdown(head: str, sections: Sequence[Section]) -> str:
    """The page; charts are images beside it, their numbers a table below each."""
    lines = ["# Performance", "", head.strip(), ""]
    for section in sections:
        lines += [f"## {section.title}", "", section.text.strip(), ""]
        for part in section.parts:
            if isinstance(part, Chart):
                lines += [f"![{part.title}](performance-{part.name}.svg)", ""]
                part = part.table()
            lines += [*_table(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table) -> list[str]:
    marks = ["---", *["---:"] * (len(table.columns) - 1)]
    return [_row(table.columns), _row(marks), *map(_row, table.rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
