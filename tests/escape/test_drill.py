"""Malware as it is, installed by pip: ESCAPES 30, by the program that ``make drill`` runs."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.commands import run_command
from tests.support.home import TREE, FakeHome
from tests.support.requirements import require

DRILL = TREE / "scripts/drill_host.py"
ROW = re.compile(r"(?P<what>\S.*?)  +(?P<plain>GOT IT|-)  +(?P<jailed>GOT IT|-)")

pytestmark = pytest.mark.timeout(240)


def test_drill(home: FakeHome, tmp_path: Path) -> None:
    """All of it in the plain venv, the control; nothing in the jail; and the log tells of it."""
    require(not tmp_path.is_relative_to("/tmp"), "the tests' own directory is in /tmp")
    directory = tmp_path / "drill"
    done = run_command([sys.executable, DRILL, directory], env=home.env, cwd=tmp_path, timeout=200)
    rows = [found for line in done.stdout.splitlines() if (found := ROW.fullmatch(line))]
    assert {row["what"]: row["jailed"] for row in rows if row["jailed"] != "-"} == {}, done.stdout
    assert {row["what"]: row["plain"] for row in rows if row["plain"] == "-"} == {}, done.stdout
    assert len(rows) > 30
    assert done.returncode == 0, done.stdout + done.stderr
    jailed = directory / "jailed/home"
    command = [sys.executable, "-m", "venvjail", "log", jailed / "src/app/venv", "--json"]
    lines = run_command(command, env=home.env, cwd=tmp_path).stdout.splitlines()
    logged = {os.path.relpath(json.loads(line)["path"], jailed) for line in lines}
    assert {".ssh", ".aws", ".mozilla", ".bitcoin", ".bash_history", ".netrc", ".bashrc"} <= logged
