"""The supervisor's log is bounded, whatever ends up in it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.home import TREE
from venvjail.serving import logs

#: Logs so many lines of 1,000 bytes, and a line by the bare descriptor before and after.
PROGRAM = """
import logging, os, sys
from venvjail.serving import logs
logs.to_stderr(sys.argv[1])
os.write(2, b"first\\n")
for number in range(int(sys.argv[2])):
    logging.info("%04d %s", number, "x" * 1000)
os.write(1, b"last\\n")
"""


def logged(path: Path, lines: int) -> None:
    with path.open("ab") as file:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, path, str(lines)],
            stdout=file,
            stderr=file,
            env={**os.environ, "PYTHONPATH": str(TREE)},
            check=True,
        )


def test_it_begins_anew_and_the_former_one_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    logged(log, 3 * logs.MOST_BYTES // 1000)
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.old"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2.1 * logs.MOST_BYTES
    assert log.read_text().endswith("last\n")  # print() and tracebacks follow
    assert log.stat().st_mode & 0o777 == 0o600
    newest = (tmp_path / "log.old").read_text().splitlines()[-1].split()[-2]
    assert f" {int(newest) + 1:04} " in log.read_text()  # nothing is lost between the two


def test_a_short_one_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    logged(log, 10)
    assert log.read_text().startswith("before\nfirst\n")
    assert list(tmp_path.iterdir()) == [log]


def test_another_file_is_not_replaced(tmp_path: Path) -> None:
    """When stderr is not the log any more, as after ``rm -rf venv`` and a new venv there."""
    log = tmp_path / "log"
    log.write_text("of the next jail\n")
    with (tmp_path / "removed").open("ab") as file:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, log, str(2 * logs.MOST_BYTES // 1000)],
            stderr=file,
            stdout=file,
            env={**os.environ, "PYTHONPATH": str(TREE)},
            check=True,
        )
    assert log.read_text() == "of the next jail\n"
