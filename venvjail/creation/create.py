"""Runs on the host as the user: ``venvjail ENV_DIR``, from options to a venv.

Everything that can be refused is refused before the first change;
:mod:`venvjail.creation.env_builder` then makes the files.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from venvjail.caller import refuse_in_jail, refuse_root
from venvjail.config import file as configfile
from venvjail.creation.env_builder import BuildOptions, JailedEnvBuilder
from venvjail.creation.location import check_contents, check_location, is_jailed_venv
from venvjail.creation.neighbours import await_orphans, claim, make_way
from venvjail.creation.progress import Progress
from venvjail.creation.project import Project, choose_project, given_project, is_within
from venvjail.creation.roots import current_launcher
from venvjail.errors import JailError, UserError
from venvjail.layout import VenvPaths
from venvjail.planning.host import find_home
from venvjail.planning.host import project as find_project
from venvjail.planning.launcher import refuse_exposed
from venvjail.planning.policy import user_config
from venvjail.record import moved, moved_from, refuse_newer

_EXIT_INTERRUPTED = 130
_PRIVATE_IN_JAIL = ("/tmp", "/var/tmp", "/dev", "/run")


@dataclass(frozen=True)
class CreateOptions(BuildOptions):
    """The options of ``python -m venv`` and those about the project."""

    #: The directory to be the project; None to choose by where the venv is.
    project: str | None = None
    #: Only the venv itself is writable in the jail.
    no_project: bool = False


@dataclass(frozen=True)
class Created:
    """What was made."""

    paths: VenvPaths
    #: None when an existing config was kept, which says it.
    project: Project | None


class InterruptedCreationError(UserError):
    """Ctrl-C during creation."""

    exit_status = _EXIT_INTERRUPTED


def create(
    env_dir: str, options: CreateOptions, progress: Progress, stop: Callable[[VenvPaths], object]
) -> Created:
    """Create, or with the options that say so clear or upgrade, the venv at ``env_dir``.

    ``stop`` ends the running jail of a venv that exists already.  Raises UserError.
    """
    refuse_root()
    refuse_in_jail()
    _check_options(options)
    home = find_home(os.environ.get("HOME", ""))
    _check_interpreter(home)
    # Real, since the path is written into scripts that run in the jail, where a symlink of the
    # home that leads to it is hidden.
    paths = VenvPaths(os.path.realpath(env_dir))
    check_location(paths.env, home)
    await_orphans()  # one could forge here what makes a venv known as such
    exists = is_jailed_venv(paths.env)
    if not exists:
        make_way(paths.env)  # first, so that what is checked next stays as it is
    check_contents(paths.env, clear=options.clear, upgrade=options.upgrade)
    if exists and not options.clear:
        refuse_newer(paths.env)
        _refuse_moved(paths)
    project = _project(paths, options, home)
    _check_launcher(paths, project)
    if exists:
        stop(paths)
        # Until then a program in the jail could make a symlink of what was looked at.
        check_contents(paths.env, clear=options.clear, upgrade=options.upgrade)
    if project and os.path.lexists(paths.config):
        _write_project(paths, project, home)
    project_path = project.path if project else None
    try:
        if not exists:
            claim(paths)
        JailedEnvBuilder(options, paths, project_path, progress).create(paths.env)
    except KeyboardInterrupt:
        raise InterruptedCreationError(
            f"interrupted: {env_dir} is incomplete; run the same command again, or delete it"
        ) from None
    except OSError as error:
        where = error.filename or env_dir
        raise UserError(f"{os.fsdecode(where)}: {error.strerror or error}") from error
    return Created(paths, project)


def _check_options(options: CreateOptions) -> None:
    if options.upgrade and options.clear:
        raise UserError("--upgrade and --clear exclude each other: use one of them")
    if options.clear_home and not options.clear:
        raise UserError("--clear-home goes with --clear: add that, or use: rm -r ENV_DIR/home")
    if options.project is not None and options.no_project:
        raise UserError("--project and --no-project exclude each other: use one of them")
    if options.with_pip and find_spec("ensurepip") is None:
        version = "{}.{}".format(*sys.version_info)
        raise UserError(
            f"this Python has no ensurepip: install it (on Debian and Ubuntu: "
            f"sudo apt install python{version}-venv), or use --without-pip"
        )


def _check_interpreter(home: str) -> None:
    prefix = os.path.realpath(sys.base_prefix)
    if is_within(prefix, home):
        return  # shown at its place, wherever the home is
    for private in _PRIVATE_IN_JAIL:
        if is_within(prefix, private):
            raise UserError(
                f"{prefix}: this Python lies below {private}, which is another directory in the "
                "jail; use a Python that is installed elsewhere"
            )


def _check_launcher(paths: VenvPaths, project: Project | None) -> None:
    """Raise UserError where the new jail could write to the code that starts it."""
    tops = [paths.env, *([project.path] if project and project.path else [])]
    try:
        refuse_exposed(current_launcher(), tops, paths.env)
    except JailError as error:
        raise UserError(str(error)) from None


def _refuse_moved(paths: VenvPaths) -> None:
    """Raise UserError for a venv that was moved: scripts which pip wrote name the old place."""
    former = moved_from(paths.env)
    if former is not None:
        raise moved(paths.env, former)


def _project(paths: VenvPaths, options: CreateOptions, home: str) -> Project | None:
    """What the config is to say of the project; None where it says it already."""
    if os.path.lexists(paths.config):
        if options.project is not None or options.no_project:
            raise UserError(
                f"{paths.config}: exists and is kept; set the path in its [project] section "
                "instead of using --project or --no-project"
            )
        return _followed_project(paths, home)
    if options.no_project:
        return Project(None, "as asked by --no-project")
    if options.project is not None:
        return given_project(options.project, paths.env, home)
    return choose_project(paths.env, home)


def _followed_project(paths: VenvPaths, home: str) -> Project | None:
    """The project of a venv that was moved, where its config names the directory it was in.

    Else None; raises ConfigError where the jail could not start with the config as it is.
    """
    config = configfile.load(user_config(home), paths.config)
    former, item = moved_from(paths.env), config.project.path
    ours = item is not None and item.origin.file == paths.config
    if former and item and ours and item.value == os.path.dirname(former):
        return choose_project(paths.env, home)
    find_project(config, home)
    return None


def _write_project(paths: VenvPaths, project: Project, home: str) -> None:
    from venvjail.config.edit import ConfigEdit  # tomlkit, which nothing else needs here

    edit = ConfigEdit(paths.config, home)
    edit.put("project", "path", project.path)
    edit.save()
