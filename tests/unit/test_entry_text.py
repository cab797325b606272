"""The program that every name in ``venv/bin`` is, run for real with a main() that tells all."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from venvjail.bins import entry_text

PYTHON = os.path.realpath(sys._base_executable)  # type: ignore[attr-defined]  # as creation does

TELLING_MAIN = """
import json, os, sys

def main(venv, script, arguments):
    facts = {"venv": venv, "script": script, "arguments": arguments, "flags": str(sys.flags),
             "executable": sys.executable}
    os.write(1, json.dumps(facts).encode())
    return 77
"""

NASTY = [
    b"plain",
    b"with space",
    b"quote'double\"back`tick",
    b"'''",
    b"dollar $HOME $(id)",
    b"back\\slash\\N{x}\\",
    b"new\nline",
    b"caf\xc3\xa9",
    b"not utf-8 \xff\xe9",
    b"latin-1-\xe9",
    b"%a %s {venv}",
]


def make_root(directory: str) -> str:
    """A directory that holds a package ``venvjail`` whose entry tells what it was called with."""
    package = os.path.join(directory, "venvjail")
    os.makedirs(package)
    for name, text in (("__init__.py", ""), ("entry.py", TELLING_MAIN)):
        Path(package, name).write_text(text, encoding="utf-8")
    return directory


def write_entry(directory: Path, text: bytes, name: str = "black") -> Path:
    entry = directory / name
    entry.write_bytes(text)
    entry.chmod(0o755)
    return entry


def run(
    entry: Path, *arguments: bytes | str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    command: Sequence[bytes | str] = [os.fspath(entry), *arguments]
    return subprocess.run(command, capture_output=True, timeout=20, env=env)


@pytest.mark.parametrize("raw", NASTY)
def test_venv_and_root_of_any_bytes_arrive(raw: bytes, tmp_path: Path) -> None:
    root = make_root(os.path.join(tmp_path, os.fsdecode(raw), "root"))
    venv = os.path.join(tmp_path, os.fsdecode(raw), "venv")
    entry = write_entry(tmp_path, entry_text(PYTHON, [root], venv))
    done = run(entry)
    assert (done.returncode, done.stderr) == (77, b"")
    facts = json.loads(done.stdout)
    assert facts["venv"] == venv
    assert facts["script"] == str(entry)


@pytest.mark.parametrize("raw", NASTY)
def test_interpreter_at_a_path_of_any_bytes(raw: bytes, tmp_path: Path) -> None:
    directory = os.path.join(tmp_path, os.fsdecode(raw))
    os.mkdir(directory)
    python = os.path.join(directory, "python")
    os.symlink(PYTHON, python)
    root = make_root(os.path.join(tmp_path, "root"))
    entry = write_entry(tmp_path, entry_text(python, [root], "/v"))
    done = run(entry, "--version", "-c", "a b", "", b"\xff")
    assert (done.returncode, done.stderr) == (77, b"")
    facts = json.loads(done.stdout)
    assert facts["executable"] == python
    assert facts["arguments"] == ["--version", "-c", "a b", "", "\udcff"]
    assert "isolated=1" in facts["flags"]
    assert "no_site=1" in facts["flags"]


def test_interpreter_at_a_path_too_long_for_a_shebang(tmp_path: Path) -> None:
    python = tmp_path / ("d" * 200) / "python"
    python.parent.mkdir()
    python.symlink_to(PYTHON)
    text = entry_text(str(python), [make_root(str(tmp_path / "root"))], "/v")
    assert run(write_entry(tmp_path, text)).returncode == 77


def test_a_short_interpreter_path_needs_no_shell(tmp_path: Path) -> None:
    assert entry_text("/usr/bin/python3.11", ["/r"], "/v").startswith(
        b"#!/usr/bin/python3.11 -IS\n"
    )


def test_several_roots_in_their_order(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    roots = [str(empty), make_root(str(tmp_path / "root"))]
    assert run(write_entry(tmp_path, entry_text(PYTHON, roots, "/v"))).returncode == 77


def test_environment_chooses_no_code(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "sitecustomize.py").write_text("import os; os._exit(3)\n", encoding="utf-8")
    root = make_root(str(tmp_path / "root"))
    entry = write_entry(tmp_path, entry_text(PYTHON, [root], "/v"))
    env = {"PYTHONPATH": str(trap)}
    done = subprocess.run([entry], cwd=trap, env=env, capture_output=True, timeout=20)
    assert done.returncode == 77
    control = subprocess.run([PYTHON, entry], cwd=trap, env=env, capture_output=True, timeout=20)
    assert control.returncode == 3


def test_missing_venvjail_is_one_line(tmp_path: Path) -> None:
    text = entry_text(PYTHON, [str(tmp_path / "gone")], "/home/a b/100% venv\x1b[2J")
    done = run(write_entry(tmp_path, text))
    assert done.returncode == 125
    line = done.stderr.decode()
    assert line.startswith("venvjail: cannot start the jail (")
    assert "--upgrade '/home/a b/100% venv\\x1b[2J'\n" in line
    assert line.count("\n") == 1


def test_another_locale_reads_the_same_paths(tmp_path: Path) -> None:
    root = make_root(os.path.join(tmp_path, "r\udcc3\udca9\udcff"))
    entry = write_entry(tmp_path, entry_text(PYTHON, [root], "/v/\udcff"))
    for locale in ("C", "C.UTF-8", "POSIX"):
        done = run(entry, env={"LC_ALL": locale})
        assert done.returncode == 77, (locale, done.stderr)
        assert json.loads(done.stdout)["venv"] == "/v/\udcff"
