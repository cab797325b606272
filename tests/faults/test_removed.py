"""What a jail stands on is removed while it runs: the store, the venv, the project."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import SECRET, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
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


@pytest.fixture
def former(home: FakeHome) -> Iterator[JailedVenv]:
    """A venv that was deleted while a command waits in its jail."""
    venv = JailedVenv(home)
    with started(venv, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        tmp = venv.tmp
        shutil.rmtree(venv.env)
        yield venv
    shutil.rmtree(tmp)


def test_a_jail_without_its_venv_is_shown_and_stopped(former: JailedVenv) -> None:
    [pid] = supervisors(former)
    status, stop = [*VENVJAIL, "status"], [*VENVJAIL, "stop", former.env]
    assert (
        f"{former.env}\n  still runs (supervisor pid {pid}), but its venv was deleted or moved; "
        f"end it: venvjail stop {former.env}\n"
    ) in former.home.check(status)
    assert former.home.check(stop) == f"stopped: {former.env}\n"
    assert supervisors(former) == []
    assert f"{former.env}\n" not in former.home.check(status)
    again = former.home.run(stop)
    assert (again.returncode, again.stdout) == (2, "")
    assert "is not a venvjail environment" in again.stderr


def test_a_jail_whose_venv_was_moved(home: FakeHome) -> None:
    """It goes by the old path, for as long as it runs."""
    venv = JailedVenv(home)
    with started(venv, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        venv.env.rename(home.project / "moved")
        assert f"end it: venvjail stop {venv.env}\n" in home.check([*VENVJAIL, "status"])
        assert home.check([*VENVJAIL, "stop", "venv"]) == f"stopped: {venv.env}\n"
    home.check([*VENVJAIL, "remove", "--yes", "moved"])


def test_no_new_venv_beside_a_jail_without_its_venv(former: JailedVenv) -> None:
    """It guards only what was there when it started: it could write to the new ``bin``."""
    refused = former.home.run([*VENVJAIL, "--without-pip", "other"])
    assert refused.returncode == 2
    assert refused.stderr == (
        f"venvjail: programs run in the jail of {former.env}, a venv that was deleted or moved; "
        f"end them first: venvjail stop {former.env}\n"
    )
    assert not (former.home.project / "other").exists()
    former.home.check([*VENVJAIL, "stop", "venv"])
    with JailedVenv(former.home, "other") as venv:
        assert venv.python("print('ran')") == "ran"


def test_a_new_venv_that_such_a_jail_pretends_to_have(home: FakeHome) -> None:
    """What it makes at the place of its venv is no reason to pass it over."""
    forge = "input(); import os; os.makedirs('venv/.venvjail/run'); print('made')"
    former = JailedVenv(home)
    with started(former, "-c", f"print('ready', flush=True); {forge}; input()") as forger:
        assert said(forger) == "ready\n"
        tmp = former.tmp
        shutil.rmtree(former.env)
        assert forger.stdin is not None
        forger.stdin.write("\n")
        forger.stdin.flush()
        eventually(lambda: former.state.exists(), "it was made")
        refused = home.run([*VENVJAIL, "--clear", "--without-pip", "venv"])
        assert refused.stderr.startswith("venvjail: programs run in the jail of ")
    shutil.rmtree(tmp)


def test_a_new_venv_in_the_place_of_one_whose_jail_is_idle(home: FakeHome) -> None:
    """``rm -r venv`` and the same again: the former jail, which lingers, ends first."""
    former = JailedVenv(home)
    former.python(MAKE)
    tmp = former.tmp
    shutil.rmtree(former.env)
    with JailedVenv(home) as venv:
        assert supervisors(former) == []
        assert venv.python(LIST_HOME) == SHOWN
        assert supervisors(venv) == [running(venv).supervisor]
    shutil.rmtree(tmp)


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
