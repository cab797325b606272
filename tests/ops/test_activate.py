"""``venv/bin/activate*`` as the jail sees them: nothing to do when active, venv's job otherwise."""

import subprocess
from pathlib import Path

import pytest

from venvjail.rcfiles import activate_files

SHELLS = {
    "bash": ["bash", "--norc", "-c"],
    "dash": ["dash", "-c"],
    "zsh": ["zsh", "-f", "-c"],
    "fish": ["fish", "--no-config", "-c"],
    "csh": ["csh", "-f", "-c"],
}
POSIX = ("bash", "dash", "zsh")
FILES = {"fish": "activate.fish", "csh": "activate.csh"}
PLAIN = "/usr/bin:/bin"
VENVS = ["/v/env", "/v/a b'c$HOME"]


def run(
    shell: str, program: str, directory: Path, venv: str = "/v/env", **variables: str
) -> list[str]:
    """The lines ``program`` prints; in it ``ACTIVATE`` stands for the path of the script."""
    for name, content in activate_files(venv, "env").items():
        (directory / name).write_bytes(content)
    script = str(directory / FILES.get(shell, "activate"))
    done = subprocess.run(
        [*SHELLS[shell], program.replace("ACTIVATE", script)],
        env={"HOME": str(directory), "PATH": PLAIN, "LANG": "C.UTF-8", **variables},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("venv", VENVS)
@pytest.mark.parametrize("shell", SHELLS)
def test_inactive_venv_becomes_active(shell: str, venv: str, tmp_path: Path) -> None:
    source = "." if shell == "dash" else "source"
    program = f"{source} ACTIVATE; printenv PATH; printenv VIRTUAL_ENV; printenv VIRTUAL_ENV_PROMPT"
    lines = run(shell, program, tmp_path, venv)
    assert lines == [f"{venv}/bin:{PLAIN}", venv, "env"]


@pytest.mark.parametrize("venv", VENVS)
@pytest.mark.parametrize("shell", SHELLS)
def test_active_venv_is_left_alone(shell: str, venv: str, tmp_path: Path) -> None:
    source = "." if shell == "dash" else "source"
    path = f"/first:{venv}/bin:{PLAIN}"
    program = f"{source} ACTIVATE; printenv PATH; printenv VIRTUAL_ENV"
    lines = run(shell, program, tmp_path, venv, PATH=path, VIRTUAL_ENV=venv)
    assert lines == [path, venv]


@pytest.mark.parametrize("shell", [*POSIX, "fish"])
def test_variable_without_the_path_is_not_active(shell: str, tmp_path: Path) -> None:
    program = ". ACTIVATE; printenv PATH"
    assert run(shell, program, tmp_path, VIRTUAL_ENV="/v/env") == [f"/v/env/bin:{PLAIN}"]


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("shell", POSIX)
def test_strict_script_may_activate_and_deactivate(
    shell: str, active: bool, tmp_path: Path
) -> None:
    program = (
        "set -eu; . ACTIVATE; . ACTIVATE; deactivate; "
        "printenv PATH; printenv VIRTUAL_ENV || echo no"
    )
    variables = {"PATH": f"/v/env/bin:{PLAIN}", "VIRTUAL_ENV": "/v/env"} if active else {}
    assert run(shell, program, tmp_path, **variables) == [PLAIN, "no"]


def test_fish_script_may_deactivate(tmp_path: Path) -> None:
    program = "source ACTIVATE; deactivate; printenv PATH; set -q VIRTUAL_ENV; or echo no"
    assert run("fish", program, tmp_path) == [PLAIN, "no"]


def test_csh_script_may_deactivate(tmp_path: Path) -> None:
    # Aliases are found when a line is read, so a script has this on two.
    program = "source ACTIVATE\ndeactivate\nprintenv PATH\necho $?VIRTUAL_ENV\n"
    assert run("csh", program, tmp_path) == [PLAIN, "0"]


@pytest.mark.parametrize("shell", POSIX)
def test_deactivate_of_the_jails_shell_is_kept(shell: str, tmp_path: Path) -> None:
    program = "deactivate() { echo own; }; . ACTIVATE; deactivate"
    assert run(shell, program, tmp_path) == ["own"]


@pytest.mark.parametrize("shell", POSIX)
def test_prompt_of_a_shell_without_one_stays_so(shell: str, tmp_path: Path) -> None:
    program = "unset PS1; . ACTIVATE; echo ${PS1-none}; PS1='> '; . ACTIVATE; echo \"$PS1\""
    assert run(shell, program, tmp_path) == ["none", "> "]


@pytest.mark.parametrize("shell", POSIX)
def test_prompt_is_put_back(shell: str, tmp_path: Path) -> None:
    program = 'PS1=\'> \'; . ACTIVATE; echo "$PS1"; deactivate; echo "$PS1"'
    assert run(shell, program, tmp_path) == ["(env) > ", "> "]


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    for name, content in activate_files("/v/env", "env").items():
        (tmp_path / name).write_bytes(content)
    command = ["shellcheck", "--shell=sh", tmp_path / "activate"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
