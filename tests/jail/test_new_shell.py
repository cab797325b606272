"""``activate-new-shell`` on a terminal, from each outer shell and with each inner one."""

import sys
from collections.abc import Iterator

import pexpect
import pytest

from tests.support.home import FakeHome

OUTER = {
    "bash": ["/bin/bash", "--norc"],
    "zsh": ["/usr/bin/zsh", "-f"],
    "dash": ["/bin/dash"],
    "fish": ["/usr/bin/fish", "--no-config"],
}
WAYS = [
    *((outer, "") for outer in OUTER),
    *((outer, ". ") for outer in ("bash", "zsh", "dash")),
    ("fish", "source "),
]
SSH_IS_THERE = 'import os; print("ssh:", os.path.exists(os.environ["HOME"] + "/.ssh"))'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FakeHome:
    """A home with an alias for each shell, and the venv ``venv`` in its project."""
    directory = tmp_path_factory.mktemp("shells")
    home = FakeHome(directory / "home", runtime=directory / "run")
    for name in (".zshrc", ".profile"):
        home.write(name, "alias ll='ls -l'\n")
    home.env["ENV"] = str(home.root / ".profile")  # which dash reads
    home.write(".config/fish/config.fish", "alias ll 'ls -l'\n")
    home.check([sys.executable, "-m", "venvjail", "--without-pip", "venv"])
    return home


@pytest.fixture
def terminals() -> Iterator[list[pexpect.spawn]]:
    """Terminals to be closed at the end."""
    terminals: list[pexpect.spawn] = []
    yield terminals
    for terminal in terminals:
        terminal.close(force=True)


@pytest.mark.parametrize("inner", ["bash", "zsh", "fish", "dash"])
@pytest.mark.parametrize(("outer", "how"), WAYS)
def test_there_and_back(
    made: FakeHome, terminals: list[pexpect.spawn], outer: str, how: str, inner: str
) -> None:
    command = OUTER[outer]
    terminal = pexpect.spawn(
        command[0],
        command[1:],
        cwd=str(made.project),
        env={**made.env, "SHELL": f"/usr/bin/{inner}", "TERM": "dumb"},
        timeout=30,
        encoding="utf-8",
        dimensions=(24, 400),
        echo=False,
    )
    terminals.append(terminal)
    terminal.sendline(f"{how}./venv/bin/activate-new-shell")
    terminal.expect_exact("(venv) ")
    terminal.sendline("printf '%s=' venv; printenv VIRTUAL_ENV; type ll")
    terminal.expect_exact(f"venv={made.project}/venv")
    terminal.expect_exact("ls -l")
    terminal.sendline(f"python -c '{SSH_IS_THERE}'")
    terminal.expect_exact("ssh: False")
    terminal.sendline(". venv/bin/activate" + (".fish" if inner == "fish" else ""))
    terminal.sendline("printf '%s=' again; command -v python")
    terminal.expect_exact(f"again={made.project}/venv/bin/python")
    terminal.sendline("deactivate")
    terminal.sendline("echo status=" + ("$status" if outer == "fish" else "$?"))
    terminal.expect_exact("status=0")
    terminal.sendline(f"/usr/bin/python3 -c '{SSH_IS_THERE}'")
    terminal.expect_exact("ssh: True")


def test_commands_from_a_pipe(made: FakeHome) -> None:
    done = made.run(["venv/bin/activate-new-shell"], stdin="command -v python; exit 7\n")
    assert done.stdout == f"{made.project}/venv/bin/python\n"
    assert (done.returncode, done.stderr) == (7, "")


def test_shell_that_cannot_be_seen_in_the_jail(made: FakeHome) -> None:
    hidden = made.write("secret-bin/bash", "#!/bin/sh\necho a hidden shell ran\n")
    hidden.chmod(0o755)
    done = made.run(["venv/bin/activate-new-shell"], stdin="echo $0\n", env={"SHELL": str(hidden)})
    assert (done.stdout, done.returncode) == ("/bin/sh\n", 0)
