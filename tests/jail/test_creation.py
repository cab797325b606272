"""Creation as a whole: pip is installed in the jail, and its commands become entries."""

import os
import signal
import subprocess
import sys

import pexpect
import pytest

from tests.support.home import FakeHome
from tests.support.waiting import eventually
from venvjail.bins import foreign_names
from venvjail.layout import VenvPaths

COMMAND = (sys.executable, "-m", "venvjail")
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def made(home: FakeHome) -> FakeHome:
    """A home whose project has the venv ``venv``, with pip."""
    home.check([*COMMAND, "venv"], timeout=110)
    return home


def test_pip_was_installed_in_the_jail(made: FakeHome) -> None:
    paths = VenvPaths(str(made.project / "venv"))
    assert {"pip", "pip3", f"pip{VERSION}"} <= set(os.listdir(paths.bin))
    assert foreign_names(paths) == []
    assert made.check(["venv/bin/pip", "--version"]).split()[3].startswith(paths.env)
    assert "upgraded venv;" in made.check([*COMMAND, "--upgrade", "venv"], timeout=110)


def test_venvs_side_by_side_at_once(home: FakeHome) -> None:
    # The jail in which the first got its pip lingers, and its project contains the second.
    home.check([*COMMAND, "first", "second"], timeout=110)
    for name in ("first", "second"):
        program = "import sys; print(sys.prefix)"
        prefix = home.check([f"{name}/bin/python", "-c", program])
        assert prefix.strip() == f"{home.project}/{name}"


def test_new_venv_within_reach_of_a_busy_jail(made: FakeHome) -> None:
    program = "print('begun', flush=True); input()"
    with subprocess.Popen(
        ["venv/bin/python", "-c", program],
        cwd=made.project,
        env=made.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == "begun\n"
        done = made.run([*COMMAND, "--without-pip", "another"])
        assert done.returncode == 2
        assert done.stderr.startswith(f"venvjail: {made.project}/another: programs run in the jail")
        assert f"venvjail stop {made.project}/venv" in done.stderr
        assert not os.path.lexists(made.project / "another")
        # The control: out of its reach there is nothing to wait for.
        made.check([*COMMAND, "--without-pip", str(made.root / "elsewhere")])
        busy.communicate("\n", timeout=30)


def test_ctrl_c_while_pip_is_installed(home: FakeHome) -> None:
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "venv"],
        cwd=str(home.project),
        env={**home.env, "TERM": "dumb"},
        timeout=60,
        encoding="utf-8",
    )
    paths = VenvPaths(str(home.project / "venv"))
    eventually(lambda: os.path.lexists(paths.run + "/control"), "the jail runs", seconds=60)
    child.sendintr()
    child.expect_exact("venvjail: interrupted: venv is incomplete")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 128 + signal.SIGINT
    assert foreign_names(paths) == []
    home.check([*COMMAND, "venv"], timeout=110)
    home.check(["venv/bin/pip", "--version"])


def test_venv_that_was_moved_runs_nothing(made: FakeHome) -> None:
    made.check([*COMMAND, "stop", "venv"])
    (made.project / "venv").rename(made.project / "moved")
    for command in (["bin/python", "-c", "print('ran')"], ["bin/activate-new-shell"]):
        done = made.run([f"moved/{command[0]}", *command[1:]], stdin="echo ran")
        assert (done.returncode, done.stdout) == (125, "")
        assert done.stderr.startswith("venvjail: ")
        assert done.stderr.count("\n") == 1
    made.check([*COMMAND, "--clear", "moved"], timeout=110)
    assert made.check(["moved/bin/python", "-c", "print('ran')"]) == "ran\n"
