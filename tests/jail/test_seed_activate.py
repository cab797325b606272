"""The seed on ``venv/bin/activate``, a sentence a test."""

import os
import shutil
import sys

import pytest

from tests.support.home import SECRET
from tests.support.jail import JailedVenv
from tests.support.requirements import require

#: How each shell runs a line without the user's files, and the name of the script for it.
SHELLS = {
    "bash": (["bash", "--norc", "-c"], "activate"),
    "dash": (["dash", "-c"], "activate"),
    "zsh": (["zsh", "-f", "-c"], "activate"),
    "fish": (["fish", "--no-config", "-c"], "activate.fish"),
    "csh": (["csh", "-f", "-c"], "activate.csh"),
}
SOURCING = [
    ("bash", "source"),
    ("bash", "."),
    ("dash", "."),
    ("zsh", "source"),
    ("fish", "source"),
    ("csh", "source"),
]


def test_the_standard_one_activates_the_current_shell(jail: JailedVenv) -> None:
    """`/venv/bin/activate` script of the standard Python `venv` module activates the virtual
    environment in the current shell, this is why this script should be sourced and not executed.
    (The control of the tests below.)"""
    jail.home.check([sys.executable, "-m", "venv", "--without-pip", "plain"])
    script = "plain/bin/activate"
    source = f"source {script}; echo $VIRTUAL_ENV; readlink /proc/$$/ns/user /proc/self/ns/user"
    environment, *namespaces = jail.home.check(["bash", "-c", source]).split()
    assert environment == str(jail.home.project / "plain")
    assert namespaces == [os.readlink("/proc/self/ns/user")] * 2


def test_sourcing_makes_a_new_process(jail: JailedVenv) -> None:
    """Because it is not possible to jail an already existing process, `venvjail` needs to create a
    new shell process."""
    script = (
        "readlink /proc/$$/ns/pid; source venv/bin/activate-new-shell; readlink /proc/$$/ns/pid; "
        "cat ~/.ssh/id_rsa"
    )
    typed = "readlink /proc/$$/ns/pid; cat ~/.ssh/id_rsa; exit 7"
    done = jail.home.run(["bash", "-c", script], stdin=typed)
    before, inside, after, *rest = done.stdout.splitlines()
    assert before == after == os.readlink("/proc/self/ns/pid") != inside
    assert inside.startswith("pid:[")
    assert SECRET in rest[1]


def test_it_is_called_activate_new_shell(jail: JailedVenv) -> None:
    """To avoid confusion the activation script is called `./venv/bin/activate-new-shell`."""
    names = {name for name in os.listdir(jail.bin) if name.lower().startswith("activate")}
    assert names == {"activate-new-shell"}
    assert jail.home.run(["bash", "-c", "source venv/bin/activate"]).returncode != 0


@pytest.mark.parametrize("name", ["activate", "activate.fish", "activate.csh"])
def test_activate_is_available_in_the_jail(jail: JailedVenv, name: str) -> None:
    """Once the `venvjail` is active, `venv/bin/activate` script becomes available ..."""
    assert not (jail.bin / name).exists()
    assert jail.run(["test", "-r", jail.bin / name]).returncode == 0
    typed = f"test -r venv/bin/{name} && echo available\n"
    assert jail.home.check(["venv/bin/activate-new-shell"], stdin=typed) == "available\n"


@pytest.mark.parametrize(("shell", "word"), SOURCING)
def test_sourcing_activate_is_a_no_op(jail: JailedVenv, shell: str, word: str) -> None:
    """... sourcing it is a no-op, because the `venv` is already activate ..."""
    require(shutil.which(shell) is not None, f"{shell} is not installed")
    start, name = SHELLS[shell]
    source = f"{word} venv/bin/{name}"
    quietly = jail.check([*start, "env | sort; pwd"])
    assert f"VIRTUAL_ENV={jail.env}\n" in quietly
    assert jail.check([*start, f"{source}; env | sort; pwd"]) == quietly
    succeeded = f"{source}; and echo yes" if shell == "fish" else f"{source} && echo yes"
    if shell != "csh":
        assert jail.check([*start, succeeded]) == "yes\n"


SCRIPT = """\
#!/bin/{shell}
set -eu
cd "$(dirname "$0")"
{source} venv/bin/activate
python -c 'import sys; print(sys.prefix)'
python main.py
deactivate
echo "${{VIRTUAL_ENV-none}}"
"""


@pytest.mark.parametrize(("shell", "source"), [("bash", "source"), ("sh", "."), ("bash", ".")])
def test_existing_scripts_work(jail: JailedVenv, shell: str, source: str) -> None:
    """... but it allows to run existing shell scripts that call `source/venv/activate`."""
    script = jail.home.write("src/proj/run.sh", SCRIPT.format(shell=shell, source=source))
    script.chmod(0o755)
    expected = f"{jail.env}\nhello from proj\nnone\n"
    assert jail.check(["./run.sh"]) == expected
    assert jail.home.check(["venv/bin/activate-new-shell"], stdin="./run.sh\n") == expected
    # The control: outside of the jail the script stops at that line, and runs nothing unjailed.
    done = jail.home.run(["./run.sh"])
    assert done.returncode != 0
    assert done.stdout == ""


def test_scripts_work_from_elsewhere(jail: JailedVenv) -> None:
    """... existing shell scripts: also where the venv is not active yet."""
    script = f". {jail.bin}/activate && command -v python && python -c 'print(1)'"
    done = jail.check(
        ["env", "-u", "VIRTUAL_ENV", "PATH=/usr/bin:/bin", "sh", "-c", script], cwd=jail.home.root
    )
    assert done == f"{jail.bin}/python\n1\n"
