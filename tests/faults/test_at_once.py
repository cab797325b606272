"""Commands that start at once, and jails that end meanwhile: one jail for each venv, always."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.races import command_against_linger, kill_while_it_starts, start_against_stop
from tests.support.running import WAITER, inits, running, said, start, supervisors, waiters


def test_a_hundred_commands_at_once_start_one_jail(jail: JailedVenv) -> None:
    jail.stop()
    with waiters(jail, 100) as commands:
        lines = {said(command) for command in commands}
        assert len(lines) == 1
        assert lines.pop().startswith("ready pid:[")
        assert supervisors(jail) == [running(jail).supervisor]
        assert inits(jail) == [running(jail).init]
        assert set(running(jail).entries) == {command.pid for command in commands}
        for command in commands:
            _, errors = command.communicate("\n", timeout=30)
            assert (command.returncode, errors) == (0, "")


def test_start_racing_stop(jail: JailedVenv) -> None:
    start_against_stop(jail, rounds=5)


def test_start_racing_the_idle_end(jail: JailedVenv) -> None:
    command_against_linger(jail, rounds=40, jails=3)


def test_the_supervisor_is_killed_while_it_starts(jail: JailedVenv) -> None:
    """Before it is confined, while the builder works, while init mounts, when it listens."""
    kill_while_it_starts(jail, iter((0, 0.1, 0.25)))


def test_two_spellings_of_one_venv_have_one_jail(jail: JailedVenv) -> None:
    jail.stop()
    link = jail.home.project / "alias"
    link.symlink_to("venv")
    ways = [
        [jail.bin / "python", "-c", WAITER],
        [link / "bin/python", "-c", WAITER],
        [*VENVJAIL, "run", link, "python", "-c", WAITER],
        [*VENVJAIL, "run", "alias", "python", "-c", WAITER],
    ]
    commands = [start(jail, "/usr/bin/env", *way) for way in ways for _ in range(3)]
    try:
        assert len({said(command) for command in commands}) == 1
        assert supervisors(jail) == [running(jail).supervisor]
        assert len(running(jail).entries) == len(commands)
        for command in commands:
            assert command.communicate("\n", timeout=30) == ("", "")
    finally:
        for command in commands:
            command.kill()
            command.communicate()
        link.unlink()


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[list[JailedVenv]]:
    """Two homes with the same paths below them, as of two users."""
    venvs = []
    for name in ("alice", "bob"):
        (tmp_path / name).mkdir()
        home = FakeHome(tmp_path / name / "home", runtime=tmp_path / name / "run")
        venvs.append(JailedVenv(home))
    with venvs[0], venvs[1]:
        yield venvs


def test_two_homes_with_the_same_paths(twins: list[JailedVenv]) -> None:
    code = (
        "import os, sys; home = os.path.expanduser('~'); "
        "open(home + '/mine', 'w').write(home); open('/tmp/mine', 'w').write(home); "
        "print(os.readlink('/proc/self/ns/mnt'), flush=True); sys.stdin.readline(); "
        "print(open(home + '/mine').read(), open('/tmp/mine').read())"
    )
    commands = [start(venv, "-c", code) for venv in twins for _ in range(2)]
    first = [said(command) for command in commands]
    assert len(set(first)) == 2
    for command, venv in zip(commands, (twins[0], twins[0], twins[1], twins[1]), strict=True):
        output, errors = command.communicate("\n", timeout=30)
        assert (output, errors) == (f"{venv.home.root} {venv.home.root}\n", "")
    for venv in twins:
        assert (venv.store / "mine").read_text() == str(venv.home.root)
        assert (venv.tmp / "mine").read_text() == str(venv.home.root)
        assert os.listdir(venv.store) == ["mine"]
