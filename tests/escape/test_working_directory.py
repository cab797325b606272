"""ESCAPES 6: ``python -m venvjail`` typed in a project runs nothing that a jail has left there.

For ``-m`` Python puts the working directory first on ``sys.path``.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

#: What ours imports; not what Python itself imports before, from wherever it is.
MODULES = ("click", "trio", "rich", "tomlkit", "fusefs", "json", "dataclasses", "shlex", "typing")
PLANT = """
import sys
for name in sys.argv[1:]:
    with open(f"{name}.py", "w") as file:
        file.write(f"import os; os.close(os.open('{name}.ran', os.O_CREAT))")
"""


@pytest.fixture
def planted(jail: JailedVenv) -> Iterator[JailedVenv]:
    jail.python(PLANT, *MODULES)
    yield jail
    for name in MODULES:
        for path in jail.home.project.glob(f"{name}.*"):
            path.unlink()


def ran(home: FakeHome) -> set[str]:
    return {path.stem for path in home.project.glob("*.ran")}


@pytest.mark.parametrize("words", [("status",), ("config", "venv"), ("--upgrade", "venv")])
def test_nothing_planted_is_run(planted: JailedVenv, words: tuple[str, ...]) -> None:
    options = ["--without-pip"] if words[0] == "--upgrade" else []
    planted.home.check([*VENVJAIL, *options, *words])
    assert ran(planted.home) == set()


def test_control(planted: JailedVenv) -> None:
    planted.home.run([sys.executable, "-c", f"import {', '.join(MODULES)}"])
    assert {"click", "json", "trio"} <= ran(planted.home)


@pytest.mark.parametrize("name", ["venvjail.py", "venvjail/__main__.py", "venvjail.abi3.so"])
def test_what_would_run_in_our_place_is_said(home: FakeHome, name: str) -> None:
    with JailedVenv(home) as venv:
        make = 'mkdir -p "$(dirname "$1")" && touch "$1"'
        done = venv.run(["sh", "-c", make, "sh", home.project / name])
        appeared = home.project / Path(name).parts[0]
        assert f"appeared while the jail ran: {appeared};" in done.stderr
        assert "appeared" not in venv.run(["true"]).stderr
