"""Command line (host): turn what was refused into rules that would have shown it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import click

from venvjail.audit.refusal import Refusal
from venvjail.commands import allow
from venvjail.commands.log_view import Selection, up_to_now
from venvjail.layout import VenvPaths
from venvjail.planning.plan import within
from venvjail.quoting import printable, toml_string
from venvjail.sight.explanation import HIDDEN
from venvjail.sight.sight import Sight

_REFUSALS = ("hidden", "denied")
_PROGRAMS = 3


@dataclass
class Wish:
    """A path that programs looked for and that one rule would show."""

    path: str
    section: str
    value: str
    """What the rule says: relative to the home in ``[home]``, to /proc in ``[proc]``."""
    sensitive: str = ""
    count: int = 0
    programs: dict[str, None] = field(default_factory=dict)

    def who(self) -> str:
        """``git, less: 3 times``."""
        names = [printable(name) for name in self.programs]
        more = f" and {len(names) - _PROGRAMS} more" if len(names) > _PROGRAMS else ""
        times = "once" if self.count == 1 else f"{self.count} times"
        return f"{', '.join(names[:_PROGRAMS])}{more}: {times}"


def suggest(paths: VenvPaths, selection: Selection) -> None:
    """Print the config that would have shown what was refused; what is sensitive apart."""
    wishes = find(paths, selection)
    harmless = [wish for wish in wishes if not wish.sensitive]
    sensitive = [wish for wish in wishes if wish.sensitive]
    if not harmless:
        click.echo("# nothing to allow")
    for section in ("home", "proc"):
        lines = [wish for wish in harmless if wish.section == section]
        if lines:
            click.echo(f"[{section}]\nallow = [")
            for wish in lines:
                click.echo(f"    {toml_string(wish.value)},  # {wish.who()}")
            click.echo("]")
    if sensitive:
        click.echo("# Left out, because secrets are there:")
    for wish in sensitive:
        click.echo(f"#   {toml_string(wish.value)}  {wish.sensitive}; {wish.who()}")


def ask(paths: VenvPaths, selection: Selection) -> None:
    """Ask for each suggestion, and allow what the answer is yes to."""
    wanted = []
    for wish in find(paths, selection):
        if wish.sensitive:
            continue
        question = f"show {printable(wish.path)}? ({wish.who()})"
        if click.confirm(question, default=False):
            wanted.append(wish.path)
    if wanted:
        allow.allow(paths, wanted)
    else:
        click.echo("nothing allowed")


def find(paths: VenvPaths, selection: Selection) -> list[Wish]:
    """The fewest paths that cover what was looked for, is there, and is hidden still."""
    refusals = [row for row in up_to_now(paths, selection) if row.verdict in _REFUSALS]
    with Sight.of(paths) as sight:
        return _merged(_wishes(sight, refusals))


def _wishes(sight: Sight, refusals: Iterable[Refusal]) -> Iterator[Wish]:
    for refusal in refusals:
        found = sight.explain(refusal.path)
        if found.verdict != HIDDEN or not found.there or found.change is None:
            continue
        relative = sight.relative(found.path)
        if relative is not None:
            wish = Wish(found.path, "home", relative, refusal.sensitive)
        else:
            wish = Wish(found.path, "proc", found.path.removeprefix("/proc/"), refusal.sensitive)
        wish.count = refusal.count
        wish.programs = {refusal.exe.rpartition("/")[2]: None}
        yield wish


def _merged(wishes: Iterable[Wish]) -> list[Wish]:
    """One wish a path; what is below another wish comes with that."""
    covers: list[Wish] = []
    for wish in sorted(wishes, key=lambda wish: wish.path.split("/")):
        if covers and within(wish.path, covers[-1].path):
            covers[-1].count += wish.count
            covers[-1].programs.update(wish.programs)
        else:
            covers.append(wish)
    return covers
