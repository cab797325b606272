"""The supervisor's log does not grow as a jail likes."""

import logging

from venvjail.jail.logs import MOST, Bounded


def test_one_statement_speaks_so_often_and_others_go_on() -> None:
    bounded = Bounded()

    def logs(line: int) -> bool:
        return bounded.filter(logging.LogRecord("x", logging.INFO, "x.py", line, "", (), None))

    assert all(logs(1) for _ in range(MOST))
    assert not any(logs(1) for _ in range(10))
    assert logs(2)
