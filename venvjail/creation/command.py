"""Runs on the host: the command line of creation, ``venvjail ENV_DIR...``."""

import os
import shlex
import sys

import click

from venvjail.bins import NEW_SHELL
from venvjail.creation.contents import other_pythons
from venvjail.creation.create import Created, CreateOptions, create
from venvjail.creation.progress import ConsoleProgress, Progress
from venvjail.layout import VenvPaths

_VERSION = "{}.{}".format(*sys.version_info)
_SYSTEM_SITE_PACKAGES = "Give access to the system's site-packages."
_SYMLINKS = "Try to use symlinks rather than copies (the default)."
_COPIES = "Try to use copies rather than symlinks."
_CLEAR = (
    "Delete the contents of the environment directory if it already exists, before creation; "
    "venv/home and the venv's config are kept."
)
_CLEAR_HOME = "With --clear: delete venv/home too, what programs made in their home."
_UPGRADE = "Upgrade the environment directory to use this version of Python and of venvjail."
_PROJECT = "The directory the jail may write to besides ENV_DIR (default: the one it is made in)."


@click.command("create", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("dirs", metavar="ENV_DIR...", nargs=-1, required=True, type=click.Path())
@click.option("--system-site-packages", is_flag=True, help=_SYSTEM_SITE_PACKAGES)
@click.option("--symlinks", is_flag=True, help=_SYMLINKS)
@click.option("--copies", is_flag=True, help=_COPIES)
@click.option("--clear", is_flag=True, help=_CLEAR)
@click.option("--clear-home", is_flag=True, help=_CLEAR_HOME)
@click.option("--upgrade", is_flag=True, help=_UPGRADE)
@click.option("--without-pip", is_flag=True, help="Do not install or upgrade pip.")
@click.option("--prompt", help="Another name for the prompt than that of ENV_DIR.")
@click.option("--upgrade-deps", is_flag=True, help="Upgrade pip to the latest version in PyPI.")
@click.option("--without-scm-ignore-files", is_flag=True, help="Do not write a .gitignore.")
@click.option("--project", metavar="DIR", type=click.Path(), help=_PROJECT)
@click.option("--no-project", is_flag=True, help="The jail may write to ENV_DIR only.")
def command(
    dirs: tuple[str, ...],
    symlinks: bool,
    copies: bool,
    without_pip: bool,
    without_scm_ignore_files: bool,
    **rest: object,
) -> None:
    """Create virtual environments whose programs run in a jail."""
    from venvjail.client import stop

    if symlinks and copies:
        raise click.UsageError("--symlinks and --copies exclude each other: use one of them")
    options = CreateOptions(
        symlinks=not copies,
        with_pip=not without_pip,
        scm_ignore_files=not without_scm_ignore_files,
        **rest,  # type: ignore[arg-type]  # click gives each option's own type
    )
    progress = ConsoleProgress()
    for env_dir in dirs:
        _report(create(env_dir, options, progress, stop), env_dir, options, progress)


def _report(made: Created, typed: str, options: CreateOptions, progress: Progress) -> None:
    """What was made and what to type next, with the path as the user spelled it."""
    own_bin = os.path.join(typed, "bin")
    shell, python = (os.path.join(own_bin, name) for name in (NEW_SHELL, "python"))
    progress.say(
        f"{'upgraded' if options.upgrade else 'created'} {typed}; its programs run in a jail"
    )
    progress.say(f"  new shell   source {shlex.quote(shell)}")
    progress.say(f"  or run      {shlex.quote(python)}")
    if made.project is not None:
        writable = made.project.path or f"only {typed}"
        progress.say(f"  writable    {writable} ({made.project.reason})")
    kept = " (kept)" if made.project is None else ""
    progress.say(f"  config      {VenvPaths(typed).config}{kept}")
    if options.clear:
        word = "cleared" if options.clear_home else "kept; --clear-home deletes it"
        progress.say(f"  home        {VenvPaths(typed).store} ({word})")
    for version in other_pythons(made.paths):
        progress.say(
            f"  packages    those for Python {version} stay, but Python {_VERSION} does not see "
            "them: install them again"
        )
