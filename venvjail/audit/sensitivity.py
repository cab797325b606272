"""Supervisor and command line (host): which paths of the home are sensitive, and to whom.

A walk to ``~/.ssh/id_rsa`` ends at ``~/.ssh``, the first name that is hidden, so a record may name
an ancestor of what was wanted.  Only a listed place itself, or something below it, counts: that
somebody wanted ``~/.local`` says nothing about the keyrings below.
"""

from __future__ import annotations

from collections.abc import Iterable

from venvjail.config.model import Config
from venvjail.config.sensitive import SENSITIVE, Sensitive

#: An executable below one of these belongs to the system: no jail can write there, so a program of
#: the name ``ssh`` is ssh.
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/nix/store/", "/gnu/store/")

#: What `[audit] sensitive` lists is called.
OWN_KIND = "a secret of yours"


class Sensitivity:
    """The built-in places and those of ``[audit] sensitive``, looked up by path."""

    def __init__(self, places: Iterable[Sensitive], expected: Iterable[str] = ()) -> None:
        self._places = {tuple(place.path.split("/")): place for place in places}
        self._expected = [tuple(path.split("/")) for path in expected]
        self._deepest = max(map(len, self._places), default=0)

    @classmethod
    def of(cls, config: Config) -> Sensitivity:
        """Those of a config."""
        own = (Sensitive(item.value, OWN_KIND) for item in config.audit.sensitive)
        return cls((*SENSITIVE, *own), (item.value for item in config.audit.expected))

    def place(self, path: str) -> Sensitive | None:
        """The listed place at or above ``path``, which is relative to the home."""
        names = tuple(path.split("/"))
        for depth in range(min(len(names), self._deepest), 0, -1):
            place = self._places.get(names[:depth])
            if place is not None:
                return place
        return None

    def expects(self, path: str) -> bool:
        """Whether ``[audit] expected`` says that programs may look for ``path`` without a word."""
        names = tuple(path.split("/"))
        return any(names[: len(expected)] == expected for expected in self._expected)


def is_usual(place: Sensitive, executable: str) -> bool:
    """Whether a program at ``executable`` looks there as a matter of course.

    The name counts for programs of the system only: what the jail can write, it can call ``ssh``.
    """
    if "*" in place.usual:
        return True
    directory, _, name = executable.rpartition("/")
    return name in place.usual and f"{directory}/".startswith(_SYSTEM)
