"""Command line (host): say whether this machine can run a jail, and what to do if not."""

from __future__ import annotations

import click

from venvjail.caller import refuse_in_jail, refuse_root
from venvjail.doctor import checks
from venvjail.doctor.checks import Finding
from venvjail.doctor.remedies import this_distribution
from venvjail.quoting import printable

_NAME_WIDTH = 20


def examine() -> int:
    """Print a line for each prerequisite; 0 when a jail starts, else 1."""
    refuse_root()
    refuse_in_jail()
    distribution = this_distribution()
    click.echo(printable(distribution.name))
    last = None
    for last in checks.run(distribution):
        _show(last)
    return 0 if last is not None and last.ok else 1


def _show(finding: Finding) -> None:
    word, colour = _word(finding)
    mark = click.style(f"{word:<8}", fg=colour, bold=True)
    click.echo(f"{mark} {finding.name:<{_NAME_WIDTH}}  {printable(finding.found)}")
    if finding.ok:
        return
    click.echo(f"         why: {finding.why}")
    first, *more = map(printable, finding.remedy.splitlines())
    click.echo(f"         remedy: {first}")
    for line in more:  # to be copied as it is
        click.echo(line)


def _word(finding: Finding) -> tuple[str, str]:
    if finding.ok:
        return "ok", "green"
    return ("MISSING", "red") if finding.required else ("without", "yellow")
