"""A line chart as SVG: no library of the size of a plotting one for five curves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from itertools import chain

from bench.page import Chart, Points

_WIDTH, _HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 44
#: Told apart by people who do not see red and green (Okabe and Ito, 2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def draw(chart: Chart) -> str:
    """The chart: x on a logarithmic scale, y from zero."""
    points = list(chain.from_iterable(chart.lines.values()))
    scale = _Scale(points)
    body = [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_WIDTH / 2, 18, chart.title, "middle", bold=True),
        _text(_WIDTH / 2, _HEIGHT - 8, chart.x, "middle"),
        _text(8, 34, chart.y, "start"),
        *_grid(scale, sorted({x for x, _ in points})),
    ]
    for index, (name, line) in enumerate(chart.lines.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        body += _curve(scale, line, colour)
        body.append(_text(_LEFT + 8, _TOP + 14 + 15 * index, name, "start", colour))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, *body, "</svg>\n"])


class _Scale:
    """From values to pixels."""

    def __init__(self, points: Points) -> None:
        xs = [math.log10(x) for x, _ in points]
        self._first = min(xs)
        self._across = (max(xs) - self._first) or 1.0
        self.top = _round_up(max(y for _, y in points))

    def x(self, value: float) -> float:
        share = (math.log10(value) - self._first) / self._across
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM)


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5 and 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if value <= power * step)


def _grid(scale: _Scale, xs: list[float]) -> Iterator[str]:
    for quarter in range(5):
        value = scale.top * quarter / 4
        y = scale.y(value)
        yield f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
        yield _text(_LEFT - 6, y + 4, f"{value:g}", "end")
    for x in xs:
        yield _text(scale.x(x), _HEIGHT - _BOTTOM + 16, f"{x:g}", "middle")


def _curve(scale: _Scale, line: Points, colour: str) -> Iterator[str]:
    places = [(scale.x(x), scale.y(y)) for x, y in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _text(
    x: float, y: float, text: str, anchor: str, colour: str = "#222", *, bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>'
        f"{escape(text)}</text>"
    )
