"""Points in time as people type them."""

import time

import pytest

from venvjail.commands.when import point_in_time
from venvjail.errors import UserError

#: 2026-01-31 12:00:00, wherever the test runs.
NOW = time.mktime((2026, 1, 31, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2 h", 7200),
        ("7d", 7 * 86400),
        ("12:00", 0),
        ("11:59:30", 30),
        ("2026-01-31", 12 * 3600),
        ("2026-01-31 11:00", 3600),
        ("2026-01-31T11:00:30", 3570),
    ],
)
def test_seconds_before_now(text: str, before: int) -> None:
    assert NOW - point_in_time(text, NOW) == before


@pytest.mark.parametrize("text", ["", "yesterday", "5", "-5m", "25:00", "2026-13-01", "\x1b[2J"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a time; write 30m, ") as error:
        point_in_time(text, NOW)
    assert "\x1b" not in str(error.value)
