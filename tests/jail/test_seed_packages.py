"""Real packages of the index: installed by a jailed pip, and their programs run in the jail."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.support.attempts import all_end, on_host
from tests.support.home import SECRET, FakeHome
from tests.support.jail import JailedVenv
from tests.support.waiting import eventually

#: Pure, with console scripts, with compiled wheels.
PACKAGES = ("requests", "black", "pytest", "numpy")
SCRIPTS = {"black", "blackd", "pytest", "py.test", "numpy-config", "f2py"}
#: Small, without dependencies, with one console script.
SMALL = "cowsay"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def jail(shared_home: FakeHome) -> Iterator[JailedVenv]:
    """A venv with pip and with PACKAGES."""
    with JailedVenv(shared_home, options=()) as venv:
        install(venv, *PACKAGES)
        assert entries(venv) >= SCRIPTS  # the moment that pip has returned
        yield venv


def install(venv: JailedVenv, *words: str) -> None:
    venv.home.check([venv.bin / "pip", "install", "--quiet", *words], timeout=300)


def entries(venv: JailedVenv) -> set[str]:
    return set(os.listdir(venv.bin))


@contextmanager
def open_shell(venv: JailedVenv) -> Iterator[tuple[IO[str], IO[str]]]:
    """A shell of ``activate-new-shell``: where to type, and where it answers."""
    with subprocess.Popen(
        [venv.bin / "activate-new-shell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=venv.home.env,
        cwd=venv.home.project,
        text=True,
        bufsize=1,
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        yield shell.stdin, shell.stdout
        shell.stdin.close()


def test_pip_works_as_in_any_venv(jail: JailedVenv) -> None:
    listed = json.loads(jail.home.check([jail.bin / "pip", "list", "--format=json"]))
    assert {package["name"] for package in listed} >= {*PACKAGES, "pip"}
    assert jail.home.check([jail.bin / "pip", "check"]) == "No broken requirements found.\n"
    where = "import sys, requests; print(requests.__file__.startswith(sys.prefix))"
    assert jail.python(where) == "True"


def test_each_script_is_an_entry(jail: JailedVenv) -> None:
    entry = (jail.bin / "python").read_bytes()
    for name in SCRIPTS:
        assert (jail.bin / name).read_bytes() == entry


def test_pure_package(jail: JailedVenv) -> None:
    program = """
import functools, http.server, threading, requests

server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(requests.get(f"http://127.0.0.1:{server.server_port}/main.py", timeout=10).text, end="")
server.shutdown()
"""
    assert jail.python(program) + "\n" == (jail.home.project / "main.py").read_text()


def test_console_script_changes_files_of_the_project(jail: JailedVenv) -> None:
    path = jail.home.write("src/proj/ugly.py", "x = {  'a':1 }\n")
    jail.home.check([jail.bin / "black", "--quiet", path])
    assert path.read_text() == 'x = {"a": 1}\n'
    # The control: a file that is not in the project.
    letter = jail.home.write("src/letter.py", "x = {  'a':1 }\n")
    try:
        assert jail.home.run([jail.bin / "black", "--quiet", letter]).returncode != 0
        assert letter.read_text() == "x = {  'a':1 }\n"
    finally:
        letter.unlink()


def test_console_script_runs_code_of_the_project(jail: JailedVenv) -> None:
    jail.home.write(
        "src/proj/test_it.py",
        "import os, pathlib\n\n"
        "def test_works(tmp_path):\n    (tmp_path / 'x').write_text('x')\n\n"
        "def test_secret():\n    print((pathlib.Path.home() / '.ssh/id_rsa').read_text())\n",
    )
    done = jail.home.run([jail.bin / "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"])
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "FileNotFoundError" in done.stdout
    assert SECRET not in done.stdout
    assert all_end(on_host(jail.home, "read", [jail.home.root / ".ssh/id_rsa"]), "done")


def test_compiled_package(jail: JailedVenv) -> None:
    program = """
import numpy
m = numpy.arange(250_000, dtype=float).reshape(500, 500)
print(numpy.allclose(numpy.linalg.inv(m + numpy.eye(500) * 1e6) @ (m + numpy.eye(500) * 1e6),
                     numpy.eye(500)))
numpy.save("array.npy", m)
"""
    assert jail.python(program) == "True"
    assert (jail.home.project / "array.npy").stat().st_size > 2_000_000


def test_module_as_program(jail: JailedVenv) -> None:
    jail.home.write("src/proj/ugly_too.py", "x = {  'a':1 }\n")
    done = jail.home.run([jail.bin / "python", "-m", "black", "--check", "ugly_too.py"])
    assert done.returncode == 1
    assert "would reformat ugly_too.py" in done.stderr


def test_entry_while_a_shell_stays_open(jail: JailedVenv) -> None:
    with open_shell(jail) as (typed, told):
        typed.write(f"pip install --quiet {SMALL} && echo installed\n")
        assert told.readline() == "installed\n"
        eventually(lambda: SMALL in entries(jail), f"an entry {SMALL}", seconds=1)
        assert "moo" in jail.home.check([jail.bin / SMALL, "-t", "moo"])
        typed.write(f"pip uninstall --quiet --yes {SMALL} && echo removed\n")
        assert told.readline() == "removed\n"
        eventually(lambda: SMALL not in entries(jail), f"no entry {SMALL}", seconds=1)


def test_uninstall_removes_the_entry(jail: JailedVenv) -> None:
    install(jail, SMALL)
    assert SMALL in entries(jail)
    jail.home.check([jail.bin / "pip", "uninstall", "--quiet", "--yes", SMALL])
    assert SMALL not in entries(jail)
    assert entries(jail) >= {*SCRIPTS, "pip", "python", "activate-new-shell"}


def test_installing_leaves_nothing_in_the_home(jail: JailedVenv) -> None:
    assert jail.home.check([jail.bin / "pip", "cache", "dir"]) == f"{jail.home.root}/.cache/pip\n"
    names = {path.name for path in jail.home.root.iterdir()}
    assert not names & {".cache", ".local", ".config", ".pip", ".numpy"}
