"""Command line (host): whether the first word is a command, a venv to be made, or a slip.

``venvjail ENV_DIR`` creates, as ``python -m venv ENV_DIR`` does, so a misspelt command would make a
venv of its name, and one of each word after it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from venvjail.errors import UserError
from venvjail.layout import VenvPaths

#: What people type who know other tools, and what they mean here.
_OTHER_WORDS = {
    "activate": "shell",
    "delete": "remove",
    "exec": "run",
    "help": "--help",
    "info": "status",
    "init": "create",
    "kill": "stop",
    "list": "status",
    "logs": "log",
    "ls": "status",
    "new": "create",
    "rm": "remove",
    "start": "shell",
    "uninstall": "remove",
    "update": "--upgrade",
    "upgrade": "--upgrade",
    "version": "--version",
    "why": "explain",
}
#: Options that stand in a command's place.
OPTIONS = frozenset(["--help", "-h", "--version"])


def is_command(arguments: Sequence[str], commands: Collection[str]) -> bool:
    """Whether ``arguments`` are a command's, one of ``commands``; else they create.

    Raises UserError where they name venvs to be made and the first looks like a command misspelt.
    """
    if not arguments or arguments[0] in commands or arguments[0] in OPTIONS:
        return True
    word = arguments[0]
    if word.startswith(("-", ".")) or "/" in word or os.path.lexists(word):
        return False
    meant = meant_by(word, commands)
    if meant is not None:
        raise UserError(f"{word}: no such command; did you mean {meant}? {_for_a_venv(word)}")
    if any(_is_venv(other) for other in arguments[1:]):
        raise UserError(f"{word}: no such command; see: venvjail --help. {_for_a_venv(word)}")
    return False


def _for_a_venv(word: str) -> str:
    return f"To make a venv of that name: venvjail ./{word}"


def _is_venv(word: str) -> bool:
    return os.path.isdir(VenvPaths(word).state)


def meant_by(word: str, commands: Collection[str]) -> str | None:
    """The command that ``word`` is a slip for, or another tool's word for; None for neither."""
    if word in _OTHER_WORDS:
        return _OTHER_WORDS[word]
    slips = [(_slips(word, name), name) for name in sorted(commands)]
    fewest, name = min(slips)
    return name if fewest <= _tolerated(name) else None


def _tolerated(name: str) -> int:
    """How many slips a name can have: of two letters none, or ``pi`` and ``py`` would be ``ps``."""
    return 0 if len(name) < 3 else 1 if len(name) < 6 else 2


def _slips(typed: str, name: str) -> int:
    """Letters missing, added, exchanged or swapped with their neighbour.

    (Damerau-Levenshtein; difflib's ratio rates ``lgo`` as far from ``log`` as ``dog`` twice over.)
    """
    before: list[int] = []
    last = list(range(len(name) + 1))
    for i, letter in enumerate(typed):
        row = [i + 1]
        for j, wanted in enumerate(name):
            row.append(min(last[j + 1] + 1, row[j] + 1, last[j] + (letter != wanted)))
            if i and j and letter == name[j - 1] and typed[i - 1] == wanted:
                row[-1] = min(row[-1], before[j - 1] + 1)
        before, last = last, row
    return last[-1]
