"""Command line (host): show the audit."""

from __future__ import annotations

import contextlib
import json
import time

import click

from venvjail import client
from venvjail.commands.columns import lines, terminal_width
from venvjail.errors import JailError
from venvjail.jail import audit
from venvjail.layout import VenvPaths
from venvjail.quoting import printable

_HEADING = ("TIME", "VERDICT", "OPERATION", "PATH", "COUNT", "COMMAND")


def show(paths: VenvPaths, *, as_json: bool) -> None:
    """Print every refusal up to now, the newest first: a table, or a JSON object a line."""
    # A running supervisor writes what it still holds before it answers; one that does not answer
    # is no reason to hide what it has written.
    with contextlib.suppress(JailError):
        client.status(paths)
    refusals = audit.read(paths.audit)
    if as_json:
        for refusal in refusals:
            click.echo(json.dumps(_fields(refusal)))
        return
    rows = [_HEADING, *map(_row, refusals)]
    if len(rows) == 1:
        click.echo(printable(f"nothing was refused in the jail of {paths.env}"))
        return
    for line in lines(rows, right=("COUNT",), width=terminal_width()):
        click.echo(line)


def _row(refusal: audit.Refusal) -> tuple[str, ...]:
    return (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(refusal.last)),
        refusal.verdict,
        refusal.operation,
        printable(refusal.path),
        str(refusal.count),
        printable(refusal.command),
    )


def _fields(refusal: audit.Refusal) -> dict[str, object]:
    return {
        "time": refusal.last,
        "first": refusal.first,
        "pid": refusal.pid,
        "command": refusal.command,
        "exe": refusal.exe,
        "operation": refusal.operation,
        "path": refusal.path,
        "verdict": refusal.verdict,
        "count": refusal.count,
    }
