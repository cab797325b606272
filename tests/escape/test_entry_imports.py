"""ESCAPES 4 and 12: the entry runs no module of the jail's.

The entry joins the jail's mounts and lives on outside of its PID namespace.  The directories of its
own modules may lie in the home, hidden from the jail, which can make directories of their names.
"""

import shutil

import pytest

from tests.support.home import TREE, FakeHome
from tests.support.jail import JailedVenv
from tests.support.terminal import Terminal

#: What a terminal, a failing command or an error may make the entry want to import.
MODULES = ("termios", "traceback", "linecache", "signal", "os", "select", "venvjail/streams")
PLANT = """
import os, sys
top = os.path.expanduser("~/tools")
for name in sys.argv[1:]:
    path = f"{top}/{name}.py"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("import posix; posix.mkdir('/tmp/planted')\\n")
        # Python 3.13 calls this for each -c, and would end the program when it is missing.
        file.write("def _register_code(*_arguments): pass\\n")
"""


@pytest.fixture
def venv(home: FakeHome) -> JailedVenv:
    """A venv whose launcher is installed in the home, and a jail that has put modules there."""
    tools = home.root / "tools"
    for name in ("venvjail", "fusefs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(TREE / name, tools / name, ignore=ignored)
    home.env.update({"PYTHONPATH": str(tools), "PYTHONSAFEPATH": "1"})
    made = JailedVenv(home)
    made.python(PLANT, *MODULES)
    assert (made.store / "tools/termios.py").exists()
    return made


def test_the_entry_imports_nothing_of_the_jails(venv: JailedVenv) -> None:
    with venv:
        # -I: the program itself must not look in PYTHONPATH, which leads there too.
        command = [venv.bin / "python", "-I", "-c", "print('ra' + 'n')"]
        with Terminal(command, env=venv.home.env, cwd=venv.home.project) as terminal:
            terminal.expect("ran\r\n")
            terminal.child.wait()
        for code in ("raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"):
            venv.run([venv.bin / "python", "-I", "-c", code])
        assert not (venv.tmp / "planted").exists()


def test_control_a_program_of_the_jail_would_import_it(venv: JailedVenv) -> None:
    with venv:
        code = "import sys; sys.path.insert(0, sys.argv[1]); import linecache"
        venv.python(code, venv.home.root / "tools")
        assert (venv.tmp / "planted").exists()
