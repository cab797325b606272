"""Runs at development time: venvjail.1, from the help that click has of each command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from venvjail import __version__
from venvjail.cli import group
from venvjail.creation.command import command as creation
from venvjail.manual import roff

_EXIT = (
    ("2", "wrong usage, or a config file that cannot be used"),
    ("125", "the jail could not be started or joined; nothing was run"),
    ("126", "the command cannot be executed"),
    ("127", "there is no such command in the jail"),
    ("130", "interrupted"),
    ("other", "the command's own status"),
)
_FILES = (
    ("~/.dirjailconfig", "your config, for all venvs; see venvjail.toml(5)"),
    ("ENV_DIR/.venvjail/venvjail.toml", "the config of one venv"),
    ("ENV_DIR/bin/", "an entry for each command: it runs that command in the jail"),
    ("ENV_DIR/bin/activate-new-shell", "starts a new shell in the jail; run it or source it"),
    ("ENV_DIR/home/", "what programs of the jail create in their home"),
    ("/tmp/dirjail-XXXXXX/", "what the jail has for its /tmp"),
)
_ENVIRONMENT = (
    ("VENVJAIL", "set in a jail: the path of its venv"),
    ("SHELL", "the shell that ``shell`` and ``activate-new-shell`` start"),
)


def page() -> str:
    """The text of venvjail.1."""
    return "".join(
        (
            roff.title("venvjail", 1, __version__),
            roff.section(
                "NAME", "venvjail \\- Python virtual environment whose programs run in a jail"
            ),
            roff.section("SYNOPSIS", "\n.br\n".join(_synopsis())),
            roff.section("DESCRIPTION", *_description()),
            roff.section("CREATION", roff.entries(_options(creation))),
            roff.section("COMMANDS", "".join(map(_command, _names()))),
            roff.section("EXIT STATUS", roff.entries(_EXIT)),
            roff.section("FILES", roff.entries(_FILES)),
            roff.section("ENVIRONMENT", roff.entries(_ENVIRONMENT)),
            roff.section("SEE ALSO", "venvjail.toml(5), user_namespaces(7), fuse(4), landlock(7)"),
        )
    )


def _names() -> list[str]:
    return [name for name in group.commands if name != "create"]


def _synopsis() -> Iterator[str]:
    for words in ("[OPTIONS] ENV_DIR...", "--version", "--help"):
        yield f"{roff.bold('venvjail')} {roff.literal(words)}"
    for name in _names():
        yield f"{roff.bold(f'venvjail {name}')} {roff.literal(_arguments(group.commands[name]))}"


def _arguments(command: click.Command) -> str:
    return " ".join(command.collect_usage_pieces(click.Context(command)))


def _description() -> Iterator[str]:
    yield roff.text(
        "``venvjail ENV_DIR`` creates a virtual environment as ``python -m venv ENV_DIR`` does. "
        "Every program in its ``bin`` runs in a jail: it sees no file of your home but those that "
        "the config shows, read-only, and can write only to the project, which is the directory in "
        "which the venv was made. ``python -m venvjail`` is the same program."
    )
    yield roff.text(
        "A first word that is the name of a command is that command; write ``./log`` for a venv "
        "of that name. No option and no failure lets a program run outside of the jail."
    )


def _command(name: str) -> str:
    command = group.commands[name]
    usage = f"{roff.bold(f'venvjail {name}')} {roff.literal(_arguments(command))}\n.PP\n"
    body = f"{usage}{roff.text(command.help or '')}\n"
    return roff.subsection(name, body + roff.entries(_options(command)))


def _options(command: click.Command) -> Iterator[tuple[str, str]]:
    context = click.Context(command)
    for parameter in command.params:
        shown = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and shown is not None:
            yield shown
