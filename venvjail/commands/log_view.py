"""Command line (host): show the audit."""

from __future__ import annotations

import json
import time

import click
from rich.console import Console
from rich.table import Table

from venvjail.jail import audit
from venvjail.layout import VenvPaths
from venvjail.quoting import printable


def show(paths: VenvPaths, *, as_json: bool) -> None:
    """Print every refusal, the newest first: a table, or a JSON object a line."""
    refusals = audit.read(paths.audit)
    if as_json:
        for refusal in refusals:
            click.echo(json.dumps(_fields(refusal)))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("TIME", "COMMAND", "OPERATION", "VERDICT"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=40)
    table.add_column("PATH", overflow="fold")
    table.add_column("COUNT", justify="right")
    for refusal in refusals:
        table.add_row(
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(refusal.last)),
            printable(refusal.command),
            refusal.operation,
            refusal.verdict,
            printable(refusal.path),
            str(refusal.count),
        )
    if table.row_count:
        Console(highlight=False, markup=False).print(table)
    else:
        click.echo(printable(f"nothing was refused in the jail of {paths.env}"))


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
