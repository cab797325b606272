"""What the commands say where something is in their way, or where there is nothing to do."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pytest

from tests.support.home import TREE, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.running import said, started
from venvjail.commands import processes
from venvjail.creation import neighbours
from venvjail.errors import JailError, UserError
from venvjail.layout import VenvPaths

WAITS = "import sys; print('up', flush=True); sys.stdin.read()"
Done = subprocess.CompletedProcess[str]


def venvjail(jail: JailedVenv, word: str, *words: str | Path) -> Done:
    return jail.home.run([*VENVJAIL, word, jail.env, *words])


def own_config(jail: JailedVenv) -> str:
    return Path(jail.paths.config).read_text(encoding="utf-8")


# -- remove ------------------------------------------------------------------------------------


def test_a_jail_that_cannot_be_reached(home: FakeHome) -> None:
    """Its venv is removed only where it does not run: programs would go on in it."""
    with JailedVenv(home) as venv:
        with started(venv, "-c", WAITS) as one:
            assert said(one) == "up\n"
            os.chmod(venv.paths.run, 0o755)
            done = venvjail(venv, "remove", "--yes")
            assert (done.returncode, done.stdout) == (125, "")
            assert "must belong to you and have mode 0700" in done.stderr
            assert venv.env.is_dir()
            os.chmod(venv.paths.run, 0o700)
        venv.stop()
        os.chmod(venv.paths.run, 0o755)
        assert venvjail(venv, "remove", "--yes").stdout == f"removed: {venv.env}\n"
        assert not venv.env.exists()


#: Mounts something in the venv, in namespaces of its own, and removes it there.
MOUNTED = """
import sys
from tests.support.namespaces import unshare
unshare(as_root=False)
from venvjail import syscalls
from venvjail.cli import main
syscalls.mount("none", sys.argv.pop(1), "tmpfs", 0)
main()
"""


def test_what_cannot_be_deleted(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        (venv.env / "data").mkdir()
        env = {"PYTHONPATH": str(TREE)}
        words = [sys.executable, "-c", MOUNTED, venv.env / "data", "remove", "--yes", venv.env]
        done = home.run(words, env=env)
        assert done.returncode == 2
        assert "a file system is mounted there; put that right and remove the venv" in done.stderr
        assert Path(venv.paths.state).is_dir()  # so that it can be removed again
        home.project.chmod(0o500)
        done = venvjail(venv, "remove", "--yes")
        home.project.chmod(0o700)
        assert done.returncode == 2
        assert "Permission denied; put that right and remove the venv again" in done.stderr


# -- status and ps -------------------------------------------------------------------------------


def test_no_processes_of_a_jail_that_does_not_run(jail: JailedVenv) -> None:
    jail.stop()
    done = venvjail(jail, "ps")
    assert (done.returncode, done.stdout) == (0, f"no jail of {jail.env} is running\n")
    assert venvjail(jail, "status").returncode == 1


#: Sees no process but its own.
ALONE = """
import os, sys
from venvjail import syscalls
from tests.support.namespaces import unshare
unshare(as_root=False)
syscalls.unshare(syscalls.CLONE_NEWPID)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
syscalls.mount("none", "/proc", "proc", 0)
from venvjail.cli import main
main()
"""


def test_no_jail_at_all(shared_home: FakeHome) -> None:
    words = [sys.executable, "-c", ALONE, "status"]
    assert shared_home.check(words, env={"PYTHONPATH": str(TREE)}) == "no jail is running\n"


def test_the_command_line_of_a_process_that_has_none() -> None:
    """One that has ended; one that has ended and has a name; one that has not even that."""
    program = "import ctypes, sys; ctypes.CDLL(None).prctl(15, sys.argv[1].encode())"  # PR_SET_NAME
    for name, shown in (("named", "(named)"), ("", "(ended)")):
        child = subprocess.Popen([sys.executable, "-c", program, name])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert processes._command(child.pid) == shown
        child.wait()
        assert processes._command(child.pid) == "(ended)"


# -- allow and hide ----------------------------------------------------------------------------


def test_what_was_allowed_is_hidden_again(own_jail: JailedVenv) -> None:
    before = own_config(own_jail)
    for path in ("/proc/kallsyms", "/dev/full"):
        venvjail(own_jail, "allow", path)
    assert "kallsyms" in own_config(own_jail)
    assert venvjail(own_jail, "hide", "/proc/kallsyms").returncode == 0
    assert "kallsyms" not in own_config(own_jail)
    assert "kallsyms" not in before


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/proc/cpuinfo", "is shown by default, and no config can hide it"),
        ("/srv/misspelt", "does not exist; check the spelling"),
    ],
)
def test_what_cannot_be_hidden(jail: JailedVenv, path: str, line: str) -> None:
    before = own_config(jail)
    done = venvjail(jail, "hide", path)
    assert done.returncode == 2
    assert done.stderr == f"venvjail: {path}: {line}\n"
    assert own_config(jail) == before


def test_what_is_hidden_already(jail: JailedVenv) -> None:
    before = own_config(jail)
    done = venvjail(jail, "hide", jail.state)
    assert (done.returncode, done.stdout) == (0, "nothing to change: hidden already\n")
    assert own_config(jail) == before


# -- explain and log -----------------------------------------------------------------------------


def test_a_home_of_many_names_is_shortened(own_jail: JailedVenv) -> None:
    names = [f"made-{number:02}" for number in range(60)]
    own_jail.check(["sh", "-c", f"cd && mkdir {' '.join(names)}"])
    text = own_jail.home.check([*VENVJAIL, "explain", own_jail.env, "--tree"])
    assert " more)\n" in text
    assert "made-00" in text
    assert "made-59" not in text


def test_nothing_is_allowed_that_was_not_wanted(own_jail: JailedVenv) -> None:
    before = own_config(own_jail)
    assert own_jail.run(["cat", own_jail.home.root / "docs/letter.txt"]).returncode == 1
    command, *words = (os.fspath(word) for word in (*VENVJAIL, "allow", own_jail.env, "--from-log"))
    home = own_jail.home
    with pexpect.spawn(command, words, env=home.env, encoding="utf-8", timeout=20) as dialogue:
        dialogue.expect(r"show .*/docs\? ")
        dialogue.sendline("n")
        dialogue.expect("nothing allowed")
        dialogue.expect(pexpect.EOF)
    assert own_config(own_jail) == before


# -- creation ------------------------------------------------------------------------------------


def made(paths: VenvPaths) -> Sequence[bool]:
    return [os.path.isdir(path) for path in (paths.env, paths.state)]


def test_a_claim_beside_a_busy_jail_leaves_nothing(own_jail: JailedVenv) -> None:
    new = VenvPaths(str(own_jail.home.project / "new"))
    with started(own_jail, "-c", WAITS) as one:
        assert said(one) == "up\n"
        with pytest.raises(UserError, match="which can write there; end them first: "):
            neighbours.claim(new)
        assert made(new) == [False, False]
        os.mkdir(new.env)
        with pytest.raises(UserError, match="which can write there; end them first: "):
            neighbours.claim(new)
        assert made(new) == [True, False]
    own_jail.stop()
    neighbours.claim(new)
    assert made(new) == [True, True]


def test_a_claim_beside_a_jail_that_does_not_tell(own_jail: JailedVenv) -> None:
    """Which may write there, if its project is the directory that it is in."""
    own_jail.python("pass")
    new = VenvPaths(str(own_jail.home.project / "new"))
    elsewhere = VenvPaths(str(own_jail.home.root / "elsewhere"))
    os.chmod(own_jail.paths.run, 0o755)
    try:
        with pytest.raises(JailError, match="must belong to you and have mode 0700"):
            neighbours.claim(new)
        neighbours.claim(elsewhere)
    finally:
        os.chmod(own_jail.paths.run, 0o700)
    assert made(new) == [False, False]
    assert made(elsewhere) == [True, True]
