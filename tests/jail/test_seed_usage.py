"""The seed's "Installation and usage", a sentence a test."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.home import SECRET, TREE, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.requirements import require

#: What is typed in the new shell; the last line asks for something hidden.
TYPED = 'echo "in $VIRTUAL_ENV"\ncommand -v python\npwd\ncat ~/.ssh/id_rsa\n'
#: How to run a line in each shell without the user's files.
SHELLS = {
    "bash": ["bash", "-c"],
    "dash": ["dash", "-c"],
    "zsh": ["zsh", "-f", "-c"],
    "fish": ["fish", "--no-config", "-c"],
}


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Variables for fish, which makes directories of its own wherever it starts."""
    names = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    return {name: str(tmp_path / name) for name in names}


def test_creation(home: FakeHome) -> None:
    """To create a virtual environment in a `venv` directory: python -m venvjail venv"""
    told = home.check([*VENVJAIL, "venv", "--without-pip"])
    assert "venv/bin/activate-new-shell" in told
    assert (home.project / "venv/bin/python").exists()
    assert (home.project / "venv/pyvenv.cfg").exists()


def test_new_shell_by_executing(jail: JailedVenv) -> None:
    """To start a new shell with the jailed virtual environment activated:
    ./venv/bin/activate-new-shell"""
    done = jail.home.run(["./venv/bin/activate-new-shell"], stdin=TYPED)
    assert done.stdout.splitlines() == [
        f"in {jail.env}",
        f"{jail.bin}/python",
        str(jail.home.project),
    ]
    assert "No such file or directory" in done.stderr
    # The control: the same words in a shell of the host.
    assert SECRET in jail.home.run(["bash"], stdin=TYPED).stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_new_shell_by_executing_from(
    jail: JailedVenv, shell: str, elsewhere: dict[str, str]
) -> None:
    """./venv/bin/activate-new-shell: from whichever shell."""
    require(shutil.which(shell) is not None, f"{shell} is not installed")
    script = "./venv/bin/activate-new-shell; echo back"
    lines = jail.home.check([*SHELLS[shell], script], env=elsewhere, stdin=TYPED).splitlines()
    assert lines[0] == f"in {jail.env}"
    assert lines[-1] == "back"
    assert SECRET not in "".join(lines)


@pytest.mark.parametrize("shell", SHELLS)
def test_new_shell_by_sourcing(jail: JailedVenv, shell: str, elsewhere: dict[str, str]) -> None:
    """Or: source ./venv/bin/activate-new-shell"""
    require(shutil.which(shell) is not None, f"{shell} is not installed")
    word = "." if shell == "dash" else "source"
    script = f"{word} ./venv/bin/activate-new-shell; echo back; cat ~/.ssh/id_rsa; env"
    output = jail.home.check([*SHELLS[shell], script], env=elsewhere, stdin=TYPED)
    inside, back, outside = output.partition("back\n")
    assert inside.splitlines()[:2] == [f"in {jail.env}", f"{jail.bin}/python"]
    assert back
    assert SECRET not in inside
    assert SECRET in outside
    assert "VIRTUAL_ENV" not in outside


@pytest.mark.parametrize("program", ["python", "python3", f"python3.{sys.version_info[1]}"])
def test_programs_run_without_activation(jail: JailedVenv, program: str) -> None:
    """Like with the standard Python `venv`, you can run any program from the `venv/bin` directly
    without activating `venv` first, and all these programs are executed in the jail."""
    code = "import os, sys; print(sys.prefix, os.path.exists(os.path.expanduser('~/.ssh')))"
    assert "VIRTUAL_ENV" not in jail.home.env
    assert jail.home.check([jail.bin / program, "-c", code]) == f"{jail.env} False\n"
    assert jail.home.check([f"venv/bin/{program}", "-c", code]) == f"{jail.env} False\n"


def test_every_program_in_bin_is_jailed(jail: JailedVenv) -> None:
    """... you can run **any** program from the `venv/bin` directly ... and all these programs are
    executed in the jail."""
    script = jail.state / "bin/tell"
    script.write_text('#!/bin/sh\nls ~/.ssh || echo "jailed $*"\n', encoding="utf-8")
    script.chmod(0o755)
    jail.stop()
    jail.python("")
    assert jail.home.check([jail.bin / "tell", "a b"]) == "jailed a b\n"
    names = set(os.listdir(jail.bin)) - {"activate-new-shell"}
    assert names >= {"python", "python3", "tell"}
    assert len({(jail.bin / name).read_bytes() for name in names}) == 1
    script.unlink()


def test_the_seeds_example(own_jail: JailedVenv) -> None:
    """./venv/bin/python; import os, pathlib; os.listdir(pathlib.Path.home()): You can see that
    most of the files in your home dir are hidden in the jail: ['.bashrc', '.profile, ...]"""
    typed = "import os, pathlib\nos.listdir(pathlib.Path.home());\n"
    names = {
        python: set(ast.literal_eval(own_jail.home.check([python, "-i", "-q"], stdin=typed)))
        for python in ("/usr/bin/python3", "./venv/bin/python")
    }
    assert {".bashrc", ".profile"} <= names["./venv/bin/python"]
    assert {".ssh", ".aws", "docs", ".gitconfig"} <= names["/usr/bin/python3"]
    assert not {".ssh", ".aws", "docs", ".gitconfig"} & names["./venv/bin/python"]


def test_a_script_with_the_venvs_shebang_is_jailed(jail: JailedVenv) -> None:
    """... all these programs are executed in the jail: also as the interpreter of a script."""
    script = jail.home.write(
        "src/proj/script",
        f"#!{jail.bin}/python\nimport os, sys\n"
        "print(sys.argv[1:], os.path.exists(os.path.expanduser('~/.ssh')))\n",
    )
    script.chmod(0o755)
    done = subprocess.run(
        [script, "x"], env=jail.home.env, capture_output=True, text=True, timeout=30, cwd=TREE
    )
    assert done.stdout == "['x'] False\n"
