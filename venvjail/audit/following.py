"""Command line (host): what is new in the audit, from one look to the next.

New is a row, or a count, that was not there at the last look.  The times of the rows do not tell:
a batch is written up to a second after what it tells of, and the clock may be set back meanwhile.
"""

from __future__ import annotations

from venvjail.audit.refusal import Refusal
from venvjail.audit.store import Reader

_Key = tuple[str, str, str, str]
_State = tuple[int, float]


class Follower:
    """Follows the database ``path`` from the refusals of ``since`` (seconds since the epoch) on.

    Raises UserError where the file is no database.
    """

    def __init__(self, path: str, since: float = 0.0) -> None:
        self._reader = Reader(path)
        self._since = since
        self._seen: dict[_Key, _State] = {}

    def __enter__(self) -> Follower:
        self._reader.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.__exit__()

    def news(self) -> list[Refusal]:
        """What came since the last call, at the first one everything, the oldest first."""
        if not self._reader.changed():
            return []
        rows = self._reader.rows(self._since)
        rows.reverse()
        before, self._seen = self._seen, {_key(row): (row.count, row.last) for row in rows}
        return [row for row in rows if before.get(_key(row)) != self._seen[_key(row)]]


def _key(row: Refusal) -> _Key:
    return row.exe, row.operation, row.path, row.verdict
