"""Runs in the jail, just before the exec of a shell: which command line gives which shell.

Imports nothing but os, since the entry waits for it.  The files named here are the builder's, see
:mod:`venvjail.rcfiles`.
"""

import os
from collections.abc import Mapping

#: Names below the directory of the rc files; :func:`venvjail.rcfiles.shell_files` makes them.
BASH_RC = "bashrc"
POSIX_RC = "shrc"
FISH_INIT = "init.fish"
ZSH_DIRECTORY = "zsh"

_FALLBACK = "/bin/sh"
# Shells that read the file $ENV names, with the one that some read when it names none.
_ENV_SHELLS = {
    "sh": None,
    "dash": None,
    "ash": None,
    "ksh": ".kshrc",
    "ksh93": ".kshrc",
    "mksh": ".mkshrc",
    "lksh": ".mkshrc",
}


def shell_command(
    shell: str, rc_dir: str, environ: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The argv that starts the user's ``shell`` activated, and what to add to its environment.

    ``shell`` is the caller's ``$SHELL`` (may be empty), ``rc_dir`` the directory of the rc files,
    ``environ`` the environment the shell would get.  A shell that cannot be seen or run here
    becomes ``/bin/sh``; one that is not known gets no rc file and relies on
    :func:`activated`.  No ``-i``: on a terminal each shell is interactive anyway, and commands
    piped to one run without prompts.
    """
    if not os.path.isabs(shell) or not os.access(shell, os.X_OK):
        shell = _FALLBACK
    name = os.path.basename(shell)
    if name == "bash":
        return [shell, "--rcfile", f"{rc_dir}/{BASH_RC}"], {}
    if name == "fish":
        return [shell, "--init-command", f"source {rc_dir}/{FISH_INIT}"], {}
    if name == "zsh":
        own = environ.get("ZDOTDIR", "")
        return [shell], {"ZDOTDIR": f"{rc_dir}/{ZSH_DIRECTORY}", "VENVJAIL_ZDOTDIR": own}
    if name in _ENV_SHELLS:
        return [shell], {"ENV": f"{rc_dir}/{POSIX_RC}", "VENVJAIL_ENV": _own_env(name, environ)}
    return [shell], {}


def _own_env(name: str, environ: Mapping[str, str]) -> str:
    own = environ.get("ENV", "")
    default = _ENV_SHELLS[name]
    return own if own or default is None else f"{environ.get('HOME', '')}/{default}"


def activated(environ: Mapping[str, str], venv: str, prompt: str) -> dict[str, str]:
    """``environ`` as an activated venv has it: for shells without rc file, and for those that
    the user's rc file replaces (``exec fish`` in ``.bashrc``)."""
    own_bin = f"{venv}/bin"
    rest = [part for part in environ.get("PATH", os.defpath).split(":") if part != own_bin]
    changed = {
        "PATH": ":".join([own_bin, *rest]),
        "VIRTUAL_ENV": venv,
        "VIRTUAL_ENV_PROMPT": prompt,
    }
    return {**{k: v for k, v in environ.items() if k != "PYTHONHOME"}, **changed}
