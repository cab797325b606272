"""``activate-new-shell`` run and sourced from real shells: the user's shell stays as it is."""

import os
import subprocess
from pathlib import Path

import pytest

from venvjail.bins import new_shell_text

# In the place of the entry: tells its arguments, and ends with a status of its own.
ENTRY = b'#!/bin/sh\necho "started with $# arguments"\nexit 7\n'
SHELLS = {"bash": ["bash", "--norc"], "dash": ["dash"], "zsh": ["zsh", "-f"]}
NASTY = [b"plain", b"a b'c\"d", b"$HOME `id` \\ !x", b"caf\xc3\xa9 \xff"]


def make(directory: Path, raw: bytes = b"venv") -> str:
    """``activate-new-shell`` of a venv in ``directory``; its path."""
    venv = os.path.join(os.fsencode(directory), raw)
    os.mkdir(venv)
    entry = venv + b"/entry"
    script = venv + b"/activate-new-shell"
    text = new_shell_text(os.fsdecode(entry), "/bin/sh")
    for path, content in ((entry, ENTRY), (script, text)):
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o755)
    return os.fsdecode(script)


def run(
    shell: list[str], program: str, script: str, directory: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run ``program``, in which ``$SCRIPT`` is the script: nothing has to be quoted."""
    return subprocess.run(
        [*shell, "-c", program, "test", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "SCRIPT": script,
        },
    )


@pytest.mark.parametrize("raw", NASTY)
@pytest.mark.parametrize("shell", SHELLS)
def test_executed(shell: str, raw: bytes, tmp_path: Path) -> None:
    done = run(SHELLS[shell], '"$SCRIPT" one two', make(tmp_path, raw), tmp_path)
    assert (done.stdout, done.stderr) == ("started with 0 arguments\n", "")
    assert done.returncode == 7


@pytest.mark.parametrize("program", ["$SCRIPT one two", "source $SCRIPT"])
@pytest.mark.parametrize("raw", NASTY)
def test_executed_and_sourced_from_fish(program: str, raw: bytes, tmp_path: Path) -> None:
    done = run(["fish", "--no-config"], program, make(tmp_path, raw), tmp_path)
    assert (done.stdout, done.stderr) == ("started with 0 arguments\n", "")
    assert done.returncode == 7


# Everything a sourced file could change, under the options that make shells touchy.
STATE = """
set -u; set -C
state() { set; set +o; trap; alias; pwd; echo "$-"; ulimit -a; umask; }
state > "$HOME/before"
. "$SCRIPT" && code=0 || code=$?
echo "still here, $code, $#"
unset code
state > "$HOME/after"
"""


@pytest.mark.parametrize("raw", NASTY)
@pytest.mark.parametrize("shell", SHELLS)
def test_sourced(shell: str, raw: bytes, tmp_path: Path) -> None:
    done = run(SHELLS[shell], STATE, make(tmp_path, raw), tmp_path, "one", "two")
    assert done.stderr == ""
    assert done.stdout == "started with 0 arguments\nstill here, 7, 2\n"
    before, after = (changing_lines_gone(tmp_path / name) for name in ("before", "after"))
    assert before == after


def changing_lines_gone(path: Path) -> list[str]:
    """The lines of a ``set`` that are no variable of the shell's own bookkeeping."""
    own = ("_=", "BASH_", "LINENO=", "PIPESTATUS=", "RANDOM=", "SECONDS=", "'?'=", "'_'=", "?=")
    own = (*own, "EPOCH", "SRANDOM", "TTYIDLE=", "status=", "pipestatus=")
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return [line for line in lines if not line.startswith(own)]


def test_venv_that_was_moved_is_one_line(tmp_path: Path) -> None:
    script = Path(make(tmp_path))
    entry = script.parent / "entry"
    entry.unlink()
    done = run(SHELLS["dash"], '"$SCRIPT"', str(script), tmp_path)
    assert done.returncode == 125
    assert done.stdout == ""
    assert done.stderr.startswith(f"venvjail: {entry} is missing: if the venv was moved, ")
    assert done.stderr.count("\n") == 1


def test_interpreter_that_is_gone_is_one_line(tmp_path: Path) -> None:
    script = Path(make(tmp_path))
    script.write_bytes(new_shell_text(str(script.parent / "entry"), "/usr/bin/python3.99"))
    done = run(SHELLS["dash"], '"$SCRIPT"', str(script), tmp_path)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith("venvjail: /usr/bin/python3.99 is missing, ")
    assert done.stderr.endswith(" run: venvjail --upgrade VENV\n")
    assert done.stderr.count("\n") == 1


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    for raw in NASTY[:3]:
        script = make(tmp_path, raw)
        done = subprocess.run(["shellcheck", script], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
