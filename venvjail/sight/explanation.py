"""Supervisor and command line (host): what is said of one path, as data."""

from __future__ import annotations

from dataclasses import dataclass

HIDDEN = "hidden"
READ_ONLY = "read-only"
WRITABLE = "writable"
STORED = "stored in venv/home"
"""The four verdicts; people and scripts rely on the words."""

NATIVE = "native"
FUSE = "FUSE"


@dataclass(frozen=True)
class Explanation:
    """What a jail sees at ``path`` (absolute, as the jail spells it), and why.

    ``rule`` says what decided, with the file and line it was written in.  ``stored`` is the host's
    path of what is there, or of what a program would create there; ``change`` the command that
    would change the verdict.  ``there`` is False where neither side has such a name.
    """

    path: str
    verdict: str
    rule: str
    served: str
    stored: str | None = None
    change: str | None = None
    there: bool = True
    note: str | None = None
