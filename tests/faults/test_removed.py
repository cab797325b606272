"""What a jail stands on is removed while it runs: the store, the venv, the project."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.support.home import SECRET, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.processes import Process
from tests.support.races import lingering
from tests.support.running import WAITER, everyone, running, said, started, supervisors
from tests.support.waiting import eventually

LIST_HOME = "import os; print(sorted(os.listdir(os.path.expanduser('~'))))"
MAKE = "import os; open(os.path.expanduser('~/made'), 'w').write('by the jail')"
SHOWN = "['.bashrc', '.inputrc', '.profile', 'src']"


def test_the_store_is_removed_while_commands_run(own_jail: JailedVenv) -> None:
    """What runs is refused (ENOENT) and told; the next jail has a store again."""
    with started(own_jail, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        own_jail.python(MAKE)
        shutil.rmtree(own_jail.store)
        assert own_jail.python(LIST_HOME) == SHOWN
        other = MAKE.replace("made", "other")  # the kernel may know the first for a moment
        done = own_jail.home.run([own_jail.bin / "python", "-c", other])
        assert "FileNotFoundError" in done.stderr
    eventually(lambda: own_jail.status is None, "the jail without a store has ended")
    own_jail.python(MAKE)
    assert (own_jail.store / "made").read_text() == "by the jail"
    assert own_jail.store.stat().st_mode & 0o777 == 0o700


def test_the_removal_is_said_once(own_jail: JailedVenv) -> None:
    with started(own_jail, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        shutil.rmtree(own_jail.store)
        lines = [own_jail.home.run([own_jail.bin / "python", "-c", "pass"]) for _ in range(2)]
        assert f"{own_jail.store} was replaced or removed on the host" in lines[0].stderr
        assert lines[1].stderr == ""


@pytest.mark.parametrize("command", ["explain", "start"])
def test_a_missing_store_is_made(own_jail: JailedVenv, command: str) -> None:
    shutil.rmtree(own_jail.store)
    if command == "start":
        own_jail.python(MAKE)
        assert os.listdir(own_jail.store) == ["made"]
    else:
        path = own_jail.home.root / "some"
        out = own_jail.home.check([*VENVJAIL, "explain", own_jail.env, path])
        assert "stored in venv/home" in out


@pytest.mark.parametrize("command", ["explain", "start", "mount-debug"])
def test_a_symlink_in_the_place_of_the_store_is_refused(own_jail: JailedVenv, command: str) -> None:
    """A jail whose mounts went with the store could have planted it: the home would be ~/.ssh."""
    shutil.rmtree(own_jail.store)
    own_jail.store.symlink_to(own_jail.home.root / ".ssh")
    argv: list[str | Path] = [own_jail.bin / "python", "-c", "import os; os.system('cat ~/id_rsa')"]
    if command != "start":
        argv = [*VENVJAIL, command, own_jail.env, own_jail.home.root / "id_rsa"]
    done = own_jail.home.run(argv)
    assert done.returncode == 125
    assert done.stderr == (
        f"venvjail: {own_jail.store} is not a directory; "
        "move it away, and the next start makes it anew\n"
    )
    assert SECRET not in done.stdout


def test_the_project_is_removed_while_a_command_runs(home: FakeHome) -> None:
    """The command goes on, with its view; when it ends the jail does, and nothing is left."""
    venv = JailedVenv(home)
    with lingering(venv, 0.2), started(venv, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        others = everyone(venv)
        tmp = venv.tmp
        with Path(venv.paths.run, "log").open() as log:
            shutil.rmtree(home.project)
            assert not others[0].ended(time.monotonic() + 1)
            out, errors = waiter.communicate("\n", timeout=20)
            assert (waiter.returncode, out) == (0, "")
            assert errors.count("\n") == 1
            assert "was replaced or removed on the host" in errors
            deadline = time.monotonic() + 15
            assert all(process.ended(deadline) for process in others)
            assert "Traceback" not in log.read()
        for process in others:
            process.close()
        shutil.rmtree(tmp)
    assert not home.project.exists()  # nothing was made again in its place


def test_a_new_venv_in_the_place_of_a_removed_one(home: FakeHome) -> None:
    """The jail of the former one neither serves nor disturbs the new one's."""
    former = JailedVenv(home)
    tmp: list[Path] = []
    with started(former, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        tmp.append(former.tmp)
        [old] = supervisors(former)
        shutil.rmtree(former.env)
        with JailedVenv(home) as venv:
            venv.python(MAKE)
            assert running(venv).supervisor != old
            tmp.append(venv.tmp)
            waiter.kill()
            waiter.wait()
            held = Process(old)
            os.kill(old, signal.SIGTERM)
            assert held.ended(time.monotonic() + 10)
            held.close()
            assert venv.python(LIST_HOME) == SHOWN.replace("'src'", "'made', 'src'")
            assert supervisors(venv) == [running(venv).supervisor]
    assert len(set(tmp)) == 2
    shutil.rmtree(tmp[0])


def test_a_guarded_file_that_is_made_again(own_jail: JailedVenv) -> None:
    """ext4 gives the number of a removed inode to the next one: they look the same."""
    guarded = own_jail.home.project / ".envrc"
    guarded.write_text("export A=1\n")
    with started(own_jail, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        guarded.unlink()
        eventually(
            lambda: str(guarded) in own_jail.home.run([own_jail.bin / "python", "-c", ""]).stderr,
            "it is said",
        )
        guarded.write_text("export A=1\n")
    eventually(lambda: own_jail.status is None, "the jail that guards less has ended")
    refused = own_jail.home.run([own_jail.bin / "python", "-c", "open('.envrc', 'w')"])
    assert "Read-only file system" in refused.stderr


def test_the_hosts_home_loses_what_is_allowed(own_jail: JailedVenv) -> None:
    with started(own_jail, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        (own_jail.home.root / ".bashrc").unlink()
        eventually(
            lambda: own_jail.python(LIST_HOME) == SHOWN.replace("'.bashrc', ", ""), "it is gone"
        )
        own_jail.python(MAKE)
