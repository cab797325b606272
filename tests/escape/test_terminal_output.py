"""Text of a hostile program's choice on the user's terminal: ESCAPES 27."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

SYSTEM_PYTHON = "/usr/bin/python3"

#: Clears the screen, retitles the window, fakes a line; C1 controls; a direction override.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\nvenvjail: all is well\r\x9b31m\u202e"
#: What must reach no terminal.
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> bool:
    return RAW.search(text) is None and "\nvenvjail: all is well" not in text


def test_control() -> None:
    assert not harmless(HOSTILE)
    assert not harmless("a\nvenvjail: all is well\n")
    assert harmless("one line\nand another: é\n")


#: Gives itself a hostile command line and name, and looks for a secret.
LOOK = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, os.fsencode(sys.argv[1]), 0, 0, 0)
try:
    open(os.path.expanduser("~/.aws/credentials"))
except OSError:
    pass
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hostile(jail: JailedVenv) -> Iterator[IO[str]]:
    """Runs while the test does."""
    with subprocess.Popen(
        [jail.bin / "python", "-c", LOOK, HOSTILE],
        env=jail.home.env,
        cwd=jail.home.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        assert command.stdin is not None
        assert command.stdout.readline() == "ready\n"
        yield command.stdout
        command.stdin.close()


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("words", [["ps"], ["status"], ["log"], ["log", "--json"], ["config"]])
def test_what_commands_print(jail: JailedVenv, words: list[str]) -> None:
    command, *options = words
    printed = jail.home.check([*VENVJAIL, command, jail.env, *options])
    assert printed
    assert harmless(printed)
    if command in ("ps", "log"):
        assert "owned" in printed  # it was there to be printed


def test_names_of_commands(jail: JailedVenv) -> None:
    """What pip would make of a package whose script has such a name, and of a package's name."""
    name = HOSTILE.replace("/", "")
    jail.python(
        "import os, sys; os.symlink('python', os.path.join(sys.argv[1], sys.argv[2]))",
        jail.bin,
        name,
    )
    jail.python("pass")  # the host's venv/bin is like the jail's by its end
    assert all(harmless(path.name) for path in jail.bin.iterdir())
    assert harmless(Path(jail.paths.run, "log").read_text(encoding="utf-8", errors="replace"))
    for arguments in (["run", jail.env, "--", name], ["run", jail.env, "--", f"./{name}"]):
        done = jail.home.run([*VENVJAIL, *arguments])
        assert done.returncode in (126, 127) or done.stdout == done.stderr == ""
        assert harmless(done.stderr)


def test_a_hidden_working_directory(jail: JailedVenv) -> None:
    directory = jail.home.root / HOSTILE.replace("/", "")
    directory.mkdir(exist_ok=True)
    done = jail.home.run([jail.bin / "python", "-c", "pass"], cwd=directory)
    assert "is not visible in the jail" in done.stderr
    assert harmless(done.stderr)


def test_what_appeared_in_the_project(home: FakeHome) -> None:
    """The notice names it on the terminal of whoever runs the next command."""
    with JailedVenv(home) as venv:
        name = HOSTILE.replace("/", "")
        make = (
            "import os, sys; os.makedirs(sys.argv[1] + '/.git'); os.mkdir(sys.argv[1] + '/.vscode')"
        )
        first = home.run([venv.bin / "python", "-c", make, name])
        second = home.run([venv.bin / "python", "-c", "pass"])
        said = first.stderr + second.stderr
        assert "appeared while the jail ran" in said
        assert harmless(said)


def test_a_venv_of_such_a_name(home: FakeHome) -> None:
    """Errors, notices and the end of creation name the venv."""
    name = "venv" + HOSTILE.replace("/", "").replace("\n", "")
    done = home.run([*VENVJAIL, "--without-pip", name])
    assert harmless(done.stdout + done.stderr)
    if done.returncode == 0:
        for command in ("status", "config", "log", "ps", "stop"):
            done = home.run([*VENVJAIL, command, name])
            assert harmless(done.stdout + done.stderr)
        (home.project / name / ".venvjail/venvjail.toml").write_text("[home]\nnope = 1\n")
        done = home.run([home.project / name / "bin/python", "-c", "pass"])
        assert done.returncode == 2
        assert harmless(done.stderr)
