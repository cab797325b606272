"""Runs on the host as the user (creator): makes the files of a venv.

The order keeps one promise: at no moment, however creation ends, does ``venv/bin`` hold a
program that runs unjailed.  The real interpreter is made in the state directory, ``venv/bin`` gets
entries only, and pip is installed by running ``venv/bin/python``, that is, in the jail.
"""

import os
import shlex
import subprocess
import sys
import venv
from dataclasses import dataclass
from types import SimpleNamespace

from venvjail import __version__, record
from venvjail.atomic import write_file
from venvjail.bins import NEW_SHELL, entry_text, new_shell_text, sync_entries
from venvjail.config.view import initial_text
from venvjail.creation.contents import clear_venv, make_state, remove_commands
from venvjail.creation.progress import Progress
from venvjail.creation.roots import entry_roots, supervisor_roots
from venvjail.errors import EXIT_NO_JAIL, EXIT_USAGE, JailError, UserError
from venvjail.layout import VenvPaths
from venvjail.quoting import printable
from venvjail.rcfiles import activate_files
from venvjail.serving import withheld


@dataclass(frozen=True)
class BuildOptions:
    """What ``python -m venv`` has for options, under the names of :class:`venv.EnvBuilder`."""

    system_site_packages: bool = False
    clear: bool = False
    #: With ``clear``: what programs made in their home goes too.
    clear_home: bool = False
    symlinks: bool = True
    upgrade: bool = False
    with_pip: bool = True
    prompt: str | None = None
    upgrade_deps: bool = False
    scm_ignore_files: bool = True


class JailedEnvBuilder(venv.EnvBuilder):
    """The standard builder with its steps put in the order that keeps the promise above.

    Every OSError that a step raises leaves :meth:`create`, as does UserError.
    """

    def __init__(
        self, options: BuildOptions, paths: VenvPaths, project: str | None, progress: Progress
    ) -> None:
        super().__init__(
            system_site_packages=options.system_site_packages,
            clear=options.clear,
            symlinks=options.symlinks,
            upgrade=options.upgrade,
            with_pip=options.with_pip,
            prompt=options.prompt,
        )
        # Not passed on: these steps are ours, and Python 3.10 to 3.12 have no ignore files.
        self._upgrade_deps = options.upgrade_deps
        self._clear_home = options.clear_home
        self._ignored_by_git = options.scm_ignore_files
        self._paths = paths
        self._project = project
        self._progress = progress

    def create(self, env_dir: str) -> None:  # type: ignore[override]  # one absolute str will do
        with self._progress.step(f"{'upgrading' if self.upgrade else 'creating'} {env_dir}"):
            context = self.ensure_directories(env_dir)
            if self._ignored_by_git:
                write_file(os.path.join(env_dir, ".gitignore"), b"# Created by venvjail\n*\n")
            if not os.path.lexists(self._paths.config):
                write_file(self._paths.config, initial_text(self._project).encode("utf-8"))
            # ensurepip must not be content with what the system's site-packages have (bpo-24875).
            self._write_pyvenv_cfg(context, system_site_packages=False)
            self.setup_python(context)
            self._write_activate_scripts(context)
            made = self._record(context)
            record.save(made)
            text = self._write_entries(made)
        if self.with_pip:
            with self._progress.step("installing pip, in the jail"):
                self._run("-m", "ensurepip", "--upgrade", "--default-pip")
        if self.system_site_packages:
            self._write_pyvenv_cfg(context, system_site_packages=True)
        if self._upgrade_deps:
            with self._progress.step("upgrading pip, in the jail"):
                self.upgrade_dependencies(context)
        sync_entries(self._paths, text)

    def ensure_directories(self, env_dir: str) -> SimpleNamespace:  # type: ignore[override]  # str
        os.makedirs(env_dir, exist_ok=True)
        if self.clear:
            clear_venv(self._paths, home=self._clear_home)
        make_state(self._paths)
        context: SimpleNamespace = super().ensure_directories(env_dir)
        context.executable = _outside_any_venv(context.executable)
        context.python_dir, context.python_exe = os.path.split(context.executable)
        context.bin_path = self._paths.real_bin
        context.env_exe = os.path.join(context.bin_path, context.python_exe)
        return context

    def clear_directory(self, path: object) -> None:
        """Nothing: :meth:`ensure_directories` has cleared what may be cleared."""

    def setup_python(self, context: SimpleNamespace) -> None:
        version = f"python3.{sys.version_info[1]}"
        remove_commands(self._paths, {context.python_exe, "python", "python3", version})
        super().setup_python(context)

    def upgrade_dependencies(self, context: SimpleNamespace) -> None:
        self._run("-m", "pip", "install", "--upgrade", *venv.CORE_VENV_DEPS)

    def _write_pyvenv_cfg(self, context: SimpleNamespace, *, system_site_packages: bool) -> None:
        # Not the standard builder's create_configuration: it cannot write a path that is not UTF-8.
        command = shlex.join([sys.executable, "-m", "venvjail", context.env_dir])
        lines = [
            f"home = {context.python_dir}",
            f"include-system-site-packages = {'true' if system_site_packages else 'false'}",
            "version = {}.{}.{}".format(*sys.version_info),
            *([f"prompt = {self.prompt!r}"] if self.prompt is not None else []),
            f"executable = {os.path.realpath(context.executable)}",
            f"command = {printable(command)}",
        ]
        text = "".join(f"{line}\n" for line in lines)
        write_file(self._paths.pyvenv_cfg, text.encode("utf-8", "surrogateescape"))

    def _write_activate_scripts(self, context: SimpleNamespace) -> None:
        for name, text in activate_files(self._paths.env, self._name(context)).items():
            write_file(os.path.join(self._paths.real_bin, name), text)

    def _name(self, context: SimpleNamespace) -> str:
        return self.prompt if self.prompt is not None else str(context.env_name)

    def _record(self, context: SimpleNamespace) -> record.Record:
        return record.Record(
            venv=self._paths.env,
            made_by=__version__,
            base_python=os.path.realpath(context.executable),
            base_link=context.executable,
            base_prefix=sys.base_prefix,
            python=os.path.abspath(sys.executable),
            roots=supervisor_roots(),
            entry_roots=entry_roots(),
            prompt=self._name(context),
        )

    def _write_entries(self, made: record.Record) -> bytes:
        text = entry_text(made.base_python, made.entry_roots, made.venv)
        sync_entries(self._paths, text)
        shell_entry = os.path.join(self._paths.state, NEW_SHELL)
        write_file(shell_entry, text, 0o755)
        write_file(
            os.path.join(self._paths.bin, NEW_SHELL),
            new_shell_text(shell_entry, made.base_python),
            0o755,
        )
        return text

    def _run(self, *arguments: str) -> None:
        """Run the venv's Python in the jail.  Raises UserError with the last line it printed."""
        hidden = ("PYTHONHOME", "PYTHONPATH")
        environ = {name: value for name, value in os.environ.items() if name not in hidden}
        done = subprocess.run(
            [os.path.join(self._paths.bin, "python"), *arguments],
            cwd=self._paths.env,
            env={**environ, "VIRTUAL_ENV": self._paths.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        withheld.forget(self._paths)  # it was said into the pipe
        if done.returncode:
            raise _failure(self._paths.env, arguments, done.returncode, done.stdout)


def _outside_any_venv(executable: str) -> str:
    """The base interpreter, where Python 3.10 in a venv gives that venv's own (bpo-46028).

    The jail may hide that venv, and links in it lead to the base interpreter or are copies.
    """
    if sys.prefix == sys.base_prefix or os.path.dirname(executable) != sys.prefix + "/bin":
        return os.path.abspath(executable)
    base = os.path.join(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}")
    return base if os.path.exists(base) else os.path.realpath(executable)


def _failure(env: str, arguments: tuple[str, ...], status: int, output: bytes) -> UserError:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    last = lines[-1] if lines else "no output"
    again = f"{env} has no pip yet; then run: venvjail --upgrade {shlex.quote(env)}"
    if status in (EXIT_NO_JAIL, EXIT_USAGE) and last.startswith("venvjail: "):
        error = JailError(f"{last.removeprefix('venvjail: ')} ({again})")
        error.exit_status = status
        return error
    command = shlex.join(["python", *arguments])
    return UserError(f"{command}: failed in the jail with status {status}: {last} ({again})")
