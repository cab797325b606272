"""A clock that is wrong or was moved: times of files and records in the future and in the past.

All waiting goes by the monotonic clock; what goes by the other one is here.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import TREE, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import user_config
from tests.support.running import Command, said
from tests.support.waiting import eventually
from venvjail.audit.store import Refusal, Writer

#: The epoch, just after it, and 2096.
TIMES = [0, 1, 4_000_000_000]
READ = "import os; print(open(os.path.expanduser('~/notes')).read())"


@pytest.fixture(scope="module")
def noted(jail: JailedVenv) -> JailedVenv:
    user_config(jail.home, '[home]\nallow = ["notes"]\n')
    return jail


def set_time(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


@pytest.mark.parametrize("seconds", TIMES)
def test_an_edit_of_the_host_is_seen_whatever_the_time(noted: JailedVenv, seconds: int) -> None:
    notes = noted.home.write("notes", "before")
    set_time(notes, seconds)
    eventually(lambda: noted.python(READ) == "before", "the content is read", seconds=3)
    notes.write_text("edited")  # as long as before, and with the same time
    set_time(notes, seconds)
    eventually(lambda: noted.python(READ) == "edited", "the edit is seen", seconds=3)


@pytest.mark.parametrize("seconds", TIMES)
def test_times_that_programs_set_are_kept(jail: JailedVenv, seconds: int) -> None:
    code = (
        "import os, sys; path = os.path.expanduser('~/dated'); open(path, 'w').close(); "
        "os.utime(path, (int(sys.argv[1]),) * 2); print(int(os.stat(path).st_mtime))"
    )
    assert jail.python(code, str(seconds)) == str(seconds)
    assert int((jail.store / "dated").stat().st_mtime) == seconds


@pytest.mark.parametrize("seconds", TIMES)
def test_a_config_of_any_time_counts_at_once(own_jail: JailedVenv, seconds: int) -> None:
    own_jail.home.write("notes", "allowed")
    text = '[home]\nallow = ["notes"]\n'
    config = user_config(own_jail.home, "#" * len(text))
    set_time(config, seconds)
    assert "FileNotFoundError" in own_jail.home.run([own_jail.bin / "python", "-c", READ]).stderr
    config.write_text(text)
    set_time(config, seconds)
    assert own_jail.python(READ) == "allowed"


@pytest.mark.parametrize("seconds", TIMES)
def test_a_tool_installed_at_any_time_is_a_command(jail: JailedVenv, seconds: int) -> None:
    code = (
        "import os, sys; path = os.path.dirname(sys.executable) + '/' + sys.argv[1]; "
        "open(path, 'w').write('#!/bin/sh\\necho ran\\n'); os.chmod(path, 0o755); "
        "os.utime(path, (int(sys.argv[2]),) * 2); "
        "os.utime(os.path.dirname(path), (int(sys.argv[2]),) * 2)"
    )
    name = f"tool{seconds}"
    jail.python(code, name, str(seconds))
    assert jail.home.check([jail.bin / name]) == "ran\n"


@pytest.fixture
def follower(home: FakeHome) -> Iterator[tuple[JailedVenv, Command]]:
    """``venvjail log --follow`` of a venv to which something happened tomorrow."""
    with JailedVenv(home) as venv:
        writer = Writer(venv.paths.audit)
        tomorrow = time.time() + 86400
        writer.write(
            [
                Refusal(
                    "e", "open", "/tomorrow", "hidden", "c", 1, 1, "", True, 1, tomorrow, tomorrow
                )
            ]
        )
        writer.close()
        argv = [*VENVJAIL, "log", venv.env, "--follow", "--json"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=home.env) as process:
            yield venv, process
            process.kill()


def test_following_the_log_after_the_clock_was_set_back(
    follower: tuple[JailedVenv, Command],
) -> None:
    venv, process = follower
    assert json.loads(said(process))["path"] == "/tomorrow"
    venv.python("import os; os.path.exists(os.path.expanduser('~/.ssh'))")
    assert json.loads(said(process))["path"] == f"{venv.home.root}/.ssh"


def test_nothing_waits_by_the_clock() -> None:
    """What uses the time of day: records, and whether a time stamp can still be used again."""
    allowed = {"venvjail/cli.py", "venvjail/bins.py"}
    allowed |= {"venvjail/audit/recorder.py", "fusefs/reading.py"}
    users = set()
    for path in [*TREE.glob("venvjail/**/*.py"), *TREE.glob("fusefs/*.py")]:
        if re.search(r"\btime\.time(_ns)?\(", path.read_text(encoding="utf-8")):
            users.add(str(path.relative_to(TREE)))
    assert users <= allowed
