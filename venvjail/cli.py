"""Command line (host): parse, call one function, show its error as one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from venvjail import completion
from venvjail.errors import EXIT_USAGE, UserError
from venvjail.first_word import OPTIONS, is_command
from venvjail.layout import VenvPaths
from venvjail.quoting import printable

_VENV = click.argument("venv", metavar="VENV", shell_complete=completion.venvs)
_NETWORK = click.option(
    "--network",
    type=click.Choice(["host", "none", "isolated"]),
    help="The network of the jail that starts with this command, instead of the config's.",
)
_COMMAND_LINE = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def main(arguments: Sequence[str] | None = None) -> None:
    """``venvjail`` and ``python -m venvjail``; exits with the status that README.md lists."""
    sys.exit(_status(list(sys.argv[1:] if arguments is None else arguments)))


def _status(arguments: list[str]) -> int:
    try:
        result = _command(arguments).main(arguments, prog_name="venvjail", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except UserError as error:
        click.echo(f"venvjail: {printable(str(error))}", err=True)
        return error.exit_status
    except click.ClickException as error:
        click.echo(f"venvjail: {printable(_one_line(error))}", err=True)
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return 130


def _one_line(error: click.ClickException) -> str:
    """click's message as one of ours: ``no such command 'rum'; see: venvjail --help``."""
    message = error.format_message().rstrip(".").replace("\n", " ")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "venvjail"
    return f"{message[:1].lower()}{message[1:]}; see: {path} --help"


def _command(arguments: list[str]) -> click.Command:
    """The command that the first word decides for: creation unless it names another."""
    asked_for = completion.words_before()
    if asked_for is not None:
        creates = asked_for and not (asked_for[0] in group.commands or asked_for[0] in OPTIONS)
        return _create_command() if creates else group
    return group if is_command(arguments, group.commands) else _create_command()


def _create_command() -> click.Command:
    from venvjail.creation.command import command

    return command


class _Group(click.Group):
    """Lists the commands as README.md does, in the order in which they are needed.

    Offers the options of creation too at the TAB key: its command's name may be left out.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        offered = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            creation = _create_command()
            offered += creation.shell_complete(click.Context(creation), incomplete)
        return offered


def _print_versions(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from venvjail.commands import versions

        for line in versions.lines():
            click.echo(printable(line))
        context.exit()


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Create a venv whose programs run in a jail: venvjail ENV_DIR "
    "(options: venvjail create --help).",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the version, and those of what venvjail uses.",
)
@click.pass_context
def group(context: click.Context) -> None:
    """A Python virtual environment whose programs run in a jail."""
    if context.invoked_subcommand is None:
        from venvjail.commands.welcome import welcome

        welcome()


@group.command("create", context_settings={**_COMMAND_LINE, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def create(arguments: tuple[str, ...]) -> None:
    """Create a venv. The word may be left out: venvjail ENV_DIR."""
    _create_command().main(list(arguments), prog_name="venvjail create", standalone_mode=False)


@group.command(context_settings=_COMMAND_LINE)
@_NETWORK
@_VENV
@click.argument(
    "command",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
    metavar="CMD...",
    shell_complete=completion.commands,
)
def run(venv: str, command: tuple[str, ...], network: str | None) -> int:
    """Run a command in the jail, with the venv activated."""
    from venvjail import active, entry

    words = list(command[1:] if command[0] == "--" else command)
    if not words:
        raise click.UsageError("missing argument 'CMD...'")
    paths = _paths(venv)
    return entry.execute(paths, words[0], active.run(paths, words), words, network or "")


@group.command()
@_NETWORK
@_VENV
def shell(venv: str, network: str | None) -> int:
    """Start your shell in the jail, with the venv activated."""
    from venvjail import active, entry

    paths = _paths(venv)
    return entry.execute(paths, "shell", active.shell(paths), network=network or "", is_shell=True)


@group.command()
@_VENV
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("--sensitive", is_flag=True, help="Keys, credentials and other secrets only.")
@click.option("--since", metavar="TIME", help="30m, 2h, 7d, 12:00 or 2026-01-31.")
@click.option("--command", "text", default="", metavar="TEXT", help="Commands that contain TEXT.")
@click.option("--suggest", is_flag=True, help="The config that would have shown it.")
@click.option("--clear", is_flag=True, help="Forget everything.")
def log(
    venv: str,
    as_json: bool,
    follow: bool,
    sensitive: bool,
    since: str | None,
    text: str,
    suggest: bool,
    clear: bool,
) -> None:
    """Show what jailed programs were refused, the newest first."""
    import time

    from venvjail.commands import log_view
    from venvjail.commands import suggest as suggestions
    from venvjail.commands.when import point_in_time

    paths = _paths(venv)
    begin = point_in_time(since, time.time()) if since else 0.0
    selection = log_view.Selection(begin, sensitive, text)
    if clear:
        log_view.clear(paths)
    elif suggest:
        suggestions.suggest(paths, selection)
    elif follow:
        log_view.follow(paths, selection, as_json=as_json)
    else:
        log_view.show(paths, selection, as_json=as_json)


@group.command()
@_VENV
@click.argument("paths", nargs=-1, metavar="PATH...", shell_complete=completion.paths)
@click.option("--tree", is_flag=True, help="Draw the home as the jail sees it.")
@click.option("--all", "everything", is_flag=True, help="Name what is hidden, do not count it.")
def explain(venv: str, paths: tuple[str, ...], tree: bool, everything: bool) -> None:
    """Say what the jail sees at a path, and why. Names the command that would change it."""
    from venvjail.commands import explain, home_tree

    if not paths and not tree:
        raise click.UsageError("missing argument 'PATH...'")
    if tree:
        home_tree.draw(_paths(venv), everything=everything)
    if paths:
        explain.explain(_paths(venv), paths, everything=everything)


@group.command()
@_VENV
@click.argument("paths", nargs=-1, metavar="PATH...", shell_complete=completion.paths)
@click.option("--from-log", is_flag=True, help="Ask for each path that the log suggests.")
def allow(venv: str, paths: tuple[str, ...], from_log: bool) -> None:
    """Let the jail see paths. Edits the venv's config, and acts in a running jail."""
    from venvjail.commands import allow, suggest
    from venvjail.commands.log_view import Selection

    if bool(paths) == from_log:
        raise click.UsageError("give either 'PATH...' or '--from-log'")
    if from_log:
        suggest.ask(_paths(venv), Selection())
    else:
        allow.allow(_paths(venv), paths)


@group.command()
@_VENV
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", shell_complete=completion.paths
)
def hide(venv: str, paths: tuple[str, ...]) -> None:
    """Hide paths from the jail. Edits the venv's config, and acts in a running jail."""
    from venvjail.commands import allow

    allow.hide(_paths(venv), paths)


@group.command("config")
@_VENV
def show_config(venv: str) -> None:
    """Show the effective config. Each value comes with the file and line it is from."""
    from venvjail.commands import manage

    manage.show_config(_paths(venv))


@group.command()
@click.argument("venv", metavar="[VENV]", required=False, shell_complete=completion.venvs)
def status(venv: str | None) -> int:
    """Show the running jails. With VENV: whether its jail runs (status 0) or not (status 1)."""
    from venvjail.commands import manage

    return manage.show_status(_paths(venv) if venv is not None else None)


@group.command()
@_VENV
def ps(venv: str) -> None:
    """List the processes in the jail. Shows their pids on the host and in the jail."""
    from venvjail.commands import manage

    manage.show_processes(_paths(venv))


@group.command()
@_VENV
def stop(venv: str) -> None:
    """End the jail and every process in it."""
    from venvjail.commands import manage

    manage.stop(venv, _paths)


@group.command()
@_VENV
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(venv: str, yes: bool) -> None:
    """Delete the venv. What its programs made in their home and in /tmp goes with it."""
    from venvjail.commands import remove

    remove.remove(venv, ask=not yes)


@group.command("mount-debug")
@_VENV
@click.argument("mountpoint", required=False)
@click.option("--trace", is_flag=True, help="Print each operation and its verdict.")
def mount_debug(venv: str, mountpoint: str | None, trace: bool) -> None:
    """Mount the jail's view on the host, to look at it. Ctrl-C unmounts."""
    from venvjail.commands import mount_debug

    mount_debug.run(_paths(venv), mountpoint, trace=trace)


@group.command()
def doctor() -> int:
    """Try all that a jail needs of this machine. Status 0 when a jail can start."""
    from venvjail.commands import doctor

    return doctor.examine()


@group.command("completion")
@click.argument("shell", type=click.Choice(completion.SHELLS), metavar="{bash|zsh|fish}")
def show_completion(shell: str) -> None:
    """Print the script for the TAB key. It is for eval or source."""
    click.echo(completion.script(group, shell))


def _paths(venv: str) -> VenvPaths:
    """The paths of an existing venv; UserError where there is none, it was moved, or in a jail."""
    from venvjail.caller import refuse_in_jail
    from venvjail.nearby import refuse_unknown
    from venvjail.record import load

    refuse_in_jail()
    refuse_unknown(venv)
    return VenvPaths(load(venv).venv)
