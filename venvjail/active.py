"""Entry (host, then the jail): commands that run with the venv activated, ``run`` and ``shell``.

Both functions return the ``prepare`` of ``entry.execute``: what they need is imported and read on
the host, and what they decide is decided in the jail, where the shell has to exist.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from venvjail import job, record
from venvjail.layout import JAIL_FILES, VenvPaths
from venvjail.shells import activated, shell_command

Prepare = Callable[[dict[bytes, bytes]], list[str]]


def shell(paths: VenvPaths) -> Prepare:
    """An interactive shell of the user's choice, ``$SHELL``."""
    prompt = record.load(paths.env).prompt
    terminal = job.foreground_terminal(os.getpgrp())

    def prepare(environment: dict[bytes, bytes]) -> list[str]:
        if terminal is not None:
            job.lead(terminal)
        now = activated(_decoded(environment), paths.env, prompt)
        command, extra = shell_command(now.get("SHELL", ""), JAIL_FILES, now)
        _replace(environment, {**now, **extra})
        if os.isatty(0) and os.isatty(2):
            # An interactive shell gives the terminal back, when it ends, to the group it was
            # started in.  The caller's has no number in the jail (pid_namespaces(7)), and dash
            # would end with an error over it; the entry hands the terminal to this one.
            os.setpgid(0, 0)
        return command

    return prepare


def run(paths: VenvPaths, command: list[str]) -> Prepare:
    """``command``, found in the venv's ``bin`` first."""
    prompt = record.load(paths.env).prompt

    def prepare(environment: dict[bytes, bytes]) -> list[str]:
        _replace(environment, activated(_decoded(environment), paths.env, prompt))
        return command

    return prepare


def _decoded(environment: Mapping[bytes, bytes]) -> dict[str, str]:
    return {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}


def _replace(environment: dict[bytes, bytes], values: Mapping[str, str]) -> None:
    environment.clear()
    environment.update((os.fsencode(name), os.fsencode(value)) for name, value in values.items())
