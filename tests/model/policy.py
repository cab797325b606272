"""What the user's lists say of a path of the home, as docs/config.md puts it.

Written from the description and not from ``fusefs.rules``: a list is searched anew for each
question, slowly, so that the two can disagree.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tests.model.disk import Path


class Say(enum.Enum):
    """What an entry of a list says; the names are those of ``fusefs.rules.Kind``."""

    ALLOW = "allow"
    ALLOW_RO = 'allow, mode = "ro"'
    HIDE = "hide"
    MOUNTPOINT = "the project: the real directory is mounted there"
    NEVER = "venvjail's own"


class Sight(enum.Enum):
    """How the host's side of a path is seen."""

    HIDDEN = "hidden"
    WAY = "a directory on the way to something that is shown"
    ADDED_TO = "read-only, and the store may add names"
    READ_ONLY = "read-only, and nothing is added"
    PLACE = "an empty place to mount on"


@dataclass
class Policy:
    """The lists together; of entries for one path the stricter counts."""

    entries: set[tuple[Path, Say]] = field(default_factory=set)

    def says(self, path: Path, *wanted: Say) -> bool:
        """Whether there is such an entry for exactly ``path``."""
        return any((path, say) in self.entries for say in wanted)

    def shut(self, path: Path) -> bool:
        """Whether an entry, not the default, hides ``path``."""
        if any(self.says(above, Say.NEVER) for above in _down(path)):
            return True
        hidden = any(self.says(above, Say.HIDE) for above in _down(path))
        return hidden and self.sight(path) is Sight.HIDDEN

    def sight(self, path: Path) -> Sight:
        """How ``path`` is seen, itself and no parent being a symlink."""
        down = _down(path)
        if any(self.says(above, Say.NEVER) for above in down):
            return Sight.HIDDEN if path else Sight.WAY
        if any(self.says(above, Say.MOUNTPOINT) for above in down):
            return Sight.PLACE
        if any(self.says(above, Say.HIDE) for above in down):
            on_the_way = not path or self._leads_to(path, Say.MOUNTPOINT)
            return Sight.WAY if on_the_way else Sight.HIDDEN
        for above in reversed(down):
            if self.says(above, Say.ALLOW_RO):
                return Sight.READ_ONLY
            if self.says(above, Say.ALLOW):
                return Sight.ADDED_TO
        on_the_way = not path or self._leads_to(path, Say.ALLOW, Say.ALLOW_RO, Say.MOUNTPOINT)
        return Sight.WAY if on_the_way else Sight.HIDDEN

    def _leads_to(self, path: Path, *wanted: Say) -> bool:
        return any(
            say in wanted and entry[: len(path)] == path and self.sight(entry) is not Sight.HIDDEN
            for entry, say in self.entries
            if len(entry) > len(path)
        )


def _down(path: Path) -> list[Path]:
    """The home, and every path on the way to ``path``, which is the last."""
    return [path[:length] for length in range(len(path) + 1)]
