"""Command line (host): show the audit."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click

from venvjail import client
from venvjail.audit.following import Follower
from venvjail.audit.refusal import Refusal
from venvjail.audit.store import Reader
from venvjail.commands.columns import lines, terminal_width
from venvjail.errors import JailError
from venvjail.layout import VenvPaths
from venvjail.planning.host import find_home
from venvjail.quoting import printable

_HEADING = ("TIME", "VERDICT", "OPERATION", "PATH", "COUNT", "SENSITIVE", "COMMAND")
_FOLLOW_SECONDS = 0.25


@dataclass(frozen=True)
class Selection:
    """Which refusals to show: all of those since a time (seconds since the epoch), or fewer.

    ``command`` is text that the command line or the executable has to contain.
    """

    since: float = 0.0
    sensitive: bool = False
    command: str = ""

    def takes(self, refusal: Refusal) -> bool:
        """Whether ``refusal`` is one of them."""
        if self.sensitive and not refusal.sensitive:
            return False
        wanted = self.command.lower()
        return wanted in refusal.command.lower() or wanted in refusal.exe.lower()


def show(paths: VenvPaths, selection: Selection, *, as_json: bool) -> None:
    """Print every refusal up to now, the newest first: a table, or a JSON object a line."""
    refusals = up_to_now(paths, selection)
    if not refusals and not as_json:
        kind = "nothing" if selection == Selection() else "nothing of that kind"
        click.echo(printable(f"{kind} was refused in the jail of {paths.env}"))
    for line in _formatted(refusals, as_json):
        click.echo(line)


def up_to_now(paths: VenvPaths, selection: Selection) -> list[Refusal]:
    """What the selection takes of the audit, also of what a running supervisor still holds."""
    _have_it_written(paths)
    with Reader(paths.audit) as reader:
        return [found for found in reader.rows(selection.since) if selection.takes(found)]


def follow(paths: VenvPaths, selection: Selection, *, as_json: bool) -> None:
    """Print the refusals up to now, the oldest first, then each that happens, until Ctrl-C."""
    with Follower(paths.audit, selection.since) as follower:
        while True:
            for refusal in filter(selection.takes, follower.news()):
                click.echo(json.dumps(fields(refusal)) if as_json else _following(refusal))
            time.sleep(_FOLLOW_SECONDS)


def clear(paths: VenvPaths) -> None:
    """Forget everything up to now."""
    _have_it_written(paths)
    with Reader(paths.audit) as reader:
        reader.clear()


def fields(refusal: Refusal) -> dict[str, object]:
    """What ``--json`` prints of a refusal; scripts rely on the names."""
    return {
        "time": refusal.last,
        "first": refusal.first,
        "pid": refusal.pid,
        "host_pid": refusal.host_pid,
        "command": refusal.command,
        "exe": refusal.exe,
        "operation": refusal.operation,
        "path": refusal.path,
        "verdict": refusal.verdict,
        "sensitive": bool(refusal.sensitive),
        "kind": refusal.sensitive,
        "exists": refusal.on_host,
        "count": refusal.count,
    }


def _have_it_written(paths: VenvPaths) -> None:
    # A running supervisor writes what it still holds before it answers; one that does not answer
    # is no reason to hide what it has written.
    with contextlib.suppress(JailError):
        client.status(paths)


def _formatted(refusals: list[Refusal], as_json: bool) -> Iterator[str]:
    if as_json:
        yield from (json.dumps(fields(refusal)) for refusal in refusals)
    elif refusals:
        yield from _table(refusals)


def _table(refusals: list[Refusal]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [_HEADING, *map(_row, refusals)]
    if not any(refusal.sensitive for refusal in refusals):
        at = _HEADING.index("SENSITIVE")
        rows = [row[:at] + row[at + 1 :] for row in rows]
    heading, *shown = lines(rows, right=("COUNT",), width=terminal_width())
    yield click.style(heading, bold=True)
    for refusal, line in zip(refusals, shown, strict=True):
        yield _coloured(refusal, line)


def _row(refusal: Refusal) -> tuple[str, ...]:
    return (
        _time(refusal),
        refusal.verdict,
        refusal.operation,
        _shown(refusal.path),
        str(refusal.count),
        refusal.sensitive,
        _shown(refusal.command),
    )


def _shown(text: str) -> str:
    """``text`` with ``~`` for the home, which most paths of the log begin with."""
    home = re.escape(_home())
    return printable(re.sub(rf"(?<!\S){home}(?=/|\s|$)", "~", text))


@functools.cache
def _home() -> str:
    return find_home(os.environ.get("HOME", ""))


def _following(refusal: Refusal) -> str:
    words = (
        _time(refusal),
        f"{refusal.verdict:<10}",
        f"{refusal.operation:<9}",
        _shown(refusal.path),
        *([f"({refusal.sensitive})"] if refusal.sensitive else []),
        _shown(refusal.command),
    )
    return _coloured(refusal, "  ".join(words))


def _coloured(refusal: Refusal, line: str) -> str:
    """For a terminal; click leaves the colour out where standard output is none."""
    return click.style(line, fg="red") if refusal.sensitive else line


def _time(refusal: Refusal) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(refusal.last))
