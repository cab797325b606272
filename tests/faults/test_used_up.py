"""What the user's limits give is used up: descriptors, inotify watches."""

import json
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusefs.view import Budget
from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.namespaces import NO_INOTIFY, in_namespaces
from tests.support.running import Figures, running, said, start, supervisors, waiters
from tests.support.waiting import eventually

#: The descriptors of the supervisor where more commands are to come than it has room for.
FEW = 128


def with_few(most: int = FEW) -> list[str]:
    """What to put before a command line, so that a jail that it starts has few descriptors."""
    return ["/bin/bash", "-c", f'ulimit -n {most} && exec "$@"', "bash"]


@pytest.fixture
def cramped(jail: JailedVenv) -> Iterator[JailedVenv]:
    """The shared jail, its supervisor with few descriptors; it still runs after the test."""
    jail.stop()
    jail.home.check([*with_few(), jail.bin / "python", "-c", "pass"])
    supervisor = running(jail).supervisor
    assert resource.prlimit(supervisor, resource.RLIMIT_NOFILE) == (FEW, FEW)
    yield jail
    assert jail.python("import os; print('.bashrc' in os.listdir(os.path.expanduser('~')))")
    assert running(jail).supervisor == supervisor
    jail.stop()


def test_a_hundred_commands_with_few_descriptors(jail: JailedVenv) -> None:
    jail.stop()
    with waiters(jail, 100, before=with_few(256)) as commands:
        assert len({said(command) for command in commands}) == 1
        assert len(running(jail).entries) == 100
        for command in commands:
            assert command.communicate("\n", timeout=30) == ("", "")


def test_more_commands_than_descriptors(cramped: JailedVenv) -> None:
    """Those that find room run, the others are refused in one line; then there is room again."""
    occupied = Figures(cramped).descriptors
    with waiters(cramped, FEW - occupied) as commands:
        lines = Counter(said(command)[:5] for command in commands)
        assert lines["ready"] >= FEW - occupied - 24
        assert lines[""] > 0
        refused = [command for command in commands if command.poll() == 125]
        eventually(lambda: all(c.poll() is not None for c in refused), "the refused ones end")
        assert cramped.status is not None  # answered although it is full
        for command in refused:
            _, errors = command.communicate()
            assert errors.count("\n") == 1
            assert "too many commands run in this jail for the limit of open files" in errors
    eventually(lambda: not running(cramped).entries, "all are gone")


def test_a_full_jail_can_be_stopped(jail: JailedVenv) -> None:
    jail.stop()
    jail.home.check([*with_few(), jail.bin / "python", "-c", "pass"])
    with waiters(jail, FEW - Figures(jail).descriptors) as commands:
        for command in commands:
            said(command)
        jail.stop()
        assert supervisors(jail) == []
        ready = [c for c in commands if c.wait(timeout=20) != 125]
        assert {command.returncode for command in ready} == {-signal.SIGKILL}


#: Opens one file of a directory so often, or until it is refused; says how often, and the errno.
OPEN = """
import errno, json, os, resource, sys
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
path = os.path.expanduser(sys.argv[1])
held, refusal = [], None
with open(path, "w") as file:
    file.write("content")
while len(held) < int(sys.argv[2]):
    try:
        held.append(os.open(path, os.O_RDONLY))
    except OSError as error:
        refusal = errno.errorcode[error.errno]
        break
ends = {os.pread(held[index], 100, 0) for index in (0, len(held) // 2, -1)}
print(json.dumps([len(held), refusal, len(ends)]))
"""


def test_ten_thousand_open_files(jail: JailedVenv) -> None:
    """As many as without a jail in the project, and a quarter of the limit in the home."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = min(10_000, most - 100)
    jail.stop()
    assert json.loads(jail.python(OPEN, "in-project", str(wanted))) == [wanted, None, 1]
    in_home, refusal, same = json.loads(jail.python(OPEN, "~/in-home", str(wanted)))
    assert same == 1
    assert in_home >= min(wanted, (most - 64) // 4 - 1)
    assert refusal == (None if in_home == wanted else "ENFILE")
    eventually(lambda: Figures(jail).descriptors < 100, "the server's are closed again")
    assert Budget.of_limit().files > 0


def test_no_inotify(home: FakeHome) -> None:
    """fs.inotify.max_user_instances is 128, and editors use it up: the jail does without.

    Edits of the config count from the next command on then, as do new commands in ``venv/bin``.
    """
    with JailedVenv(home) as venv:
        script = (
            "set -eu; cd src/proj; venv/bin/python -c pass; "
            "echo '[home]\nallow = [\".gitconfig\"]' > ~/.dirjailconfig; "
            "venv/bin/python -c 'print(open(\"'$HOME'/.gitconfig\").read())'; "
            'venv/bin/python -c \'import os, sys; p = os.path.dirname(sys.executable) + "/tool"; '
            'open(p, "w").write("#!/bin/sh\\necho from the tool\\n"); os.chmod(p, 0o755)\'; '
            f"venv/bin/tool; {' '.join(VENVJAIL)} stop venv"
        )
        done = home.run([*in_namespaces(NO_INOTIFY), "/bin/bash", "-c", script], cwd=home.root)
        assert (done.returncode, done.stderr) == (0, "")
        assert "email = alice@example.org" in done.stdout
        assert "from the tool\n" in done.stdout
        log = Path(venv.paths.run, "log").read_text()
        assert "is not watched for changes" in log
        assert "Traceback" not in log


def test_control_that_inotify_was_taken_away(home: FakeHome) -> None:
    code = (
        f"import sys; sys.path.insert(0, {os.getcwd()!r}); "
        "from venvjail import inotify; inotify.watch_names('/')"
    )
    assert home.run([sys.executable, "-c", code]).returncode == 0
    taken = home.run([*in_namespaces(NO_INOTIFY), sys.executable, "-c", code])
    assert "Too many open files" in taken.stderr


def test_a_start_without_descriptors_is_one_line(jail: JailedVenv) -> None:
    jail.stop()
    script = 'ulimit -n 20 && exec "$@"'
    done = jail.home.run(["/bin/bash", "-c", script, "bash", jail.bin / "python", "-c", "pass"])
    assert done.returncode == 125
    assert done.stderr.startswith("venvjail: ")
    assert done.stderr.count("\n") == 1
    assert "Too many open files" in done.stderr
    with start(jail, "-c", "print(1)") as command:
        assert command.communicate() == ("1\n", "")
