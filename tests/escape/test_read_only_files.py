"""ESCAPES 7 and 11: files of the home and the system that a jail may read, and config it makes."""

import json
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

ATTACK = (Path(__file__).parents[1] / "support/attack_program.py").read_text(encoding="utf-8")
STEPS = "write,reopen,truncate,change_mode,hard_link,move_over,exchange,move_away,remove"


@pytest.fixture(scope="module")
def shared_home(shared_home: FakeHome) -> FakeHome:
    shared_home.write(".dirjailconfig", ALLOW)
    shared_home.write("tools/graft/program", "the user's\n")
    shared_home.write("tools/merged/program", "the user's\n")
    return shared_home


ALLOW = """
[home]
allow = [{path = "tools/graft", mode = "ro"}, "tools/merged"]
hide = [".bash_logout"]
"""

#: Through the view, through a link of the view's, a graft, in a merged directory.
READABLE = (".bashrc", ".profile", "tools/graft/program", "tools/graft", "tools/merged/program")


def test_nothing_changes_a_file_that_is_shown_read_only(jail: JailedVenv) -> None:
    home = jail.home
    before = home.snapshot(without=home.project)
    paths = [home.root / name for name in READABLE]
    # The scratch files lie beside the target in turn: a rename across mounts is no attack.
    for scratch in (home.root, home.root / "tools/merged", home.project, Path("/tmp")):
        worked = json.loads(jail.python(ATTACK, scratch, STEPS, *paths))
        assert worked == {str(path): [] for path in paths}
    assert home.snapshot(without=home.project) == before


@pytest.mark.parametrize("step", STEPS.split(","))
def test_on_the_host_each_changes_it(step: str, home: FakeHome) -> None:
    path = str(home.root / ".bashrc")
    output = home.check(["/usr/bin/python3", "-c", ATTACK, home.root, step, path])
    assert json.loads(output) == {path: [step]}


def test_the_systems_files_too(jail: JailedVenv) -> None:
    # Only the user's own could be written to at all: a file outside home, project and /tmp.
    interpreter = Path("/usr/bin/env")
    for scratch in (jail.home.project, Path("/tmp")):
        worked = json.loads(jail.python(ATTACK, scratch, STEPS, interpreter))
        assert worked == {str(interpreter): []}


def test_config_made_in_a_jail_is_never_read(home: FakeHome) -> None:
    hostile = "[home]\nallow = ['.ssh']\n[filesystem]\nwritable = ['~/docs']\n"
    config = home.root / ".dirjailconfig"
    key = home.root / ".ssh/id_rsa"
    with JailedVenv(home) as venv:
        venv.check(["sh", "-c", 'printf "$1" >"$2"', "sh", hostile, config])
        assert venv.check(["cat", config]) == hostile
        assert not config.exists()
        venv.stop()
        assert venv.run(["cat", key]).returncode != 0
        assert ".ssh" not in home.check([*VENVJAIL, "config", venv.env])
        # The control: the user's own.
        config.write_text("[home]\nallow = ['.ssh']\n", encoding="utf-8")
        venv.stop()
        venv.check(["cat", key])
        config.unlink()
