"""What bash, zsh and fish offer at the TAB key, asked for as their scripts ask."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import TREE, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.requirements import require
from tests.support.terminal import PROMPT, Terminal, bash

#: bash puts what is offered into the command line as it is, for the next Enter to run.
HOSTILE = "python;touch taken"
#: What fish makes directories in, wherever it starts.
XDG = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
SCRIPTS = {
    "bash": "share/bash-completion/completions/venvjail",
    "zsh": "share/zsh/site-functions/_venvjail",
    "fish": "share/fish/vendor_completions.d/venvjail.fish",
}


@pytest.fixture(scope="module")
def venv(shared_home: FakeHome) -> Iterator[JailedVenv]:
    """A venv with commands of all kinds, one of a name that the jail chose with intent."""
    with JailedVenv(shared_home) as made:
        for name in ("black", "blackd", HOSTILE):
            (made.bin / name).write_text("", encoding="utf-8")
        yield made


def offered(home: FakeHome, line: str) -> set[str]:
    words = line.split(" ")
    asked = {
        "_VENVJAIL_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return set(home.check([*VENVJAIL], env=asked).splitlines())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("venvjail sta", {"plain,status"}),
        ("venvjail st", {"plain,status", "plain,stop"}),
        ("venvjail --up", {"plain,--upgrade", "plain,--upgrade-deps"}),
        ("venvjail --ver", {"plain,--version"}),
        ("venvjail --clear --clear-", {"plain,--clear-home"}),
        ("venvjail run ", {"plain,venv"}),
        ("venvjail status v", {"plain,venv"}),
        ("venvjail run nothing", {"dir,nothing"}),
        ("venvjail run venv bl", {"plain,black", "plain,blackd"}),
        ("venvjail run venv black ", {"file,"}),
        ("venvjail run venv ./", {"file,./"}),
        ("venvjail log venv --js", {"plain,--json"}),
        ("venvjail explain venv ~/.b", {"file,~/.b"}),
        ("venvjail completion z", {"plain,zsh"}),
    ],
)
def test_what_is_offered(venv: JailedVenv, line: str, expected: set[str]) -> None:
    assert offered(venv.home, line) == expected


def test_names_that_a_shell_would_run_are_not_offered(venv: JailedVenv) -> None:
    assert (venv.bin / HOSTILE).exists()  # the control: it would be, were it not for its name
    assert "plain,python" in offered(venv.home, "venvjail run venv py")
    assert not any(";" in answer for answer in offered(venv.home, "venvjail run venv py"))
    (venv.home.project / "v;x/.venvjail").mkdir(parents=True)
    assert offered(venv.home, "venvjail stop v") == {"plain,venv"}
    shutil.rmtree(venv.home.project / "v;x")


@pytest.fixture
def programs(venv: JailedVenv, tmp_path: Path) -> Path:
    """A directory for PATH that has ``venvjail``, as an installed one has."""
    script = tmp_path / "venvjail"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m venvjail "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return tmp_path


@pytest.fixture
def environment(venv: JailedVenv, programs: Path) -> dict[str, str]:
    return {**venv.home.env, "PATH": f"{programs}:{venv.home.env['PATH']}"}


def test_in_bash(venv: JailedVenv, environment: dict[str, str]) -> None:
    with bash(env=environment, cwd=venv.home.project) as terminal:
        terminal.type(f"source {TREE / SCRIPTS['bash']}")
        terminal.expect(PROMPT)
        terminal.child.send("venvjail run ve\tpytho\t")
        terminal.expect("venvjail run venv python")


def test_in_zsh(venv: JailedVenv, environment: dict[str, str], tmp_path: Path) -> None:
    require(shutil.which("zsh") is not None, "zsh is not installed")
    functions = TREE / Path(SCRIPTS["zsh"]).parent
    settings = {**environment, "TERM": "dumb", "ZDOTDIR": str(tmp_path)}
    with Terminal(["zsh", "-f", "-i"], env=settings, cwd=venv.home.project) as terminal:
        terminal.type(
            f"PS1='zsh''> '; fpath=({functions} $fpath); autoload -U compinit; compinit -u"
        )
        terminal.expect("zsh> ")
        terminal.child.send("venvjail stat\t")
        terminal.expect("venvjail status ")


def test_in_fish(venv: JailedVenv, environment: dict[str, str], tmp_path: Path) -> None:
    require(shutil.which("fish") is not None, "fish is not installed")
    script = f"source {TREE / SCRIPTS['fish']}; complete --do-complete 'venvjail run venv blac'"
    settings = {name: str(tmp_path / name) for name in XDG}
    told = venv.home.run(
        ["fish", "--no-config", "-c", script], env={**environment, **settings}
    ).stdout
    assert {line.split("\t")[0] for line in told.splitlines()} == {"black", "blackd"}
