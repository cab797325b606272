"""A process of the jail is killed: everything of the jail ends with it, and the next one starts."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.jail import JailedVenv
from tests.support.processes import Process
from tests.support.running import everyone, running, said, started, supervisors, waiters
from tests.support.waiting import eventually, is_locked

#: Waits in the jail until its home fails, and says with what; never shows the real home.
HOME_WATCHER = """
import errno, os, signal, sys, time
home = os.environ["HOME"]
print("ready", ".ssh" in os.listdir(home), flush=True)
while True:
    try:
        if ".ssh" in os.listdir(home):
            print("the real home", flush=True)
            break
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("victim", ["supervisor", "init"])
def test_jail_fails_closed_and_starts_again(jail: JailedVenv, victim: str) -> None:
    with started(jail, "-c", HOME_WATCHER) as command:
        assert said(command) == "ready False\n"
        status = running(jail)
        others = everyone(jail)
        os.kill(getattr(status, victim), signal.SIGKILL)
        assert command.wait(timeout=20) == -signal.SIGKILL
        assert command.stdout is not None
        assert command.stdout.read() in ("", "ENOTCONN\n", "ECONNABORTED\n")
    _all_end(others)
    assert jail.python("print('a new jail')") == "a new jail"
    assert supervisors(jail) == [running(jail).supervisor]
    assert running(jail).init != status.init


#: Writes lines to a file of the home, each with one write(2), and says each that was taken; other
#: processes of it read, list and make names meanwhile.
WRITER = """
import os, subprocess, sys
noise = '''
import os
home = os.path.expanduser("~")
while True:
    os.listdir(home)
    open(home + "/.bashrc").read()
    with open(f"{home}/noise-{os.getpid()}", "w") as file:
        file.write("x" * 200_000)
    os.unlink(f"{home}/noise-{os.getpid()}")
'''
for _ in range(3):
    subprocess.Popen([sys.executable, "-c", noise])
fd = os.open(os.path.expanduser("~/" + sys.argv[1]), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
said = os.open("said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
for number in range(10**9):
    os.write(fd, b"%08d\\n" % number)
    os.pwrite(said, b"%08d\\n" % number, 0)
"""


@pytest.mark.parametrize("victim", ["supervisor", "init"])
def test_killed_with_requests_in_flight(jail: JailedVenv, victim: str) -> None:
    """What write(2) has taken is in the store, and nobody hangs in a request."""
    journal = jail.store / f"journal-{victim}"
    last = jail.home.project / "said"
    with started(jail, "-c", WRITER, journal.name) as command:
        eventually(lambda: journal.exists() and journal.stat().st_size > 2000, "lines are written")
        others = [*everyone(jail), *_children(command.pid)]
        os.kill(getattr(running(jail), victim), signal.SIGKILL)
        # An interpreter may see its home fail before it is killed.
        assert command.wait(timeout=20) in (-signal.SIGKILL, 1)
    _all_end(others)
    taken = int(last.read_text())
    lines = journal.read_text().splitlines()
    assert lines[: taken + 1] == [f"{number:08}" for number in range(taken + 1)]
    assert len(lines) <= taken + 2
    count = "import os, sys; print(len(open(os.path.expanduser('~/' + sys.argv[1])).readlines()))"
    assert int(jail.python(count, journal.name)) == len(lines)
    last.unlink()


@pytest.mark.parametrize(
    ("victim", "why"),
    [
        ("supervisor", ()),
        ("init", ("the init of the jail of {} was killed, and all with it",)),
    ],
)
def test_who_ran_a_command_is_told(jail: JailedVenv, victim: str, why: tuple[str, ...]) -> None:
    """``why``, unless the supervisor, which knows it, has ended by then."""
    lines = (*why, "the jail of {} has ended, and the command with it")
    with waiters(jail, 2) as commands:
        assert len({said(command) for command in commands}) == 1
        os.kill(getattr(running(jail), victim), signal.SIGKILL)
        for command in commands:
            assert command.wait(timeout=20) == -signal.SIGKILL
            out, errors = command.communicate()
            assert out == ""
            assert errors in [f"venvjail: {line.format(jail.env)}\n" for line in lines]
    assert jail.home.run([jail.bin / "python", "-c", "pass"]).stderr == ""


def test_an_entry_is_killed_and_the_others_go_on(jail: JailedVenv) -> None:
    with waiters(jail, 3) as commands:
        assert len({said(command) for command in commands}) == 1
        victim, *rest = commands
        inside = _children(victim.pid)
        assert inside
        victim.kill()
        _all_end(inside)
        eventually(lambda: len(running(jail).entries) == 2, "the lease is given back")
        for command in rest:
            assert command.communicate("\n", timeout=20) == ("", "")
            assert command.returncode == 0


def test_nothing_stale_is_left_by_a_crash(own_jail: JailedVenv) -> None:
    """Not mounted, running or locked; the files that wait for the next jail are taken over."""
    assert not _mounts(own_jail)
    own_jail.python("pass")
    before = set(os.listdir("/tmp"))
    others = everyone(own_jail)
    others[0].kill(signal.SIGKILL)
    _all_end(others)
    assert not _mounts(own_jail)
    assert not is_locked(Path(own_jail.paths.run, "lock"))
    assert own_jail.status is None
    assert own_jail.home.run(["git", "status", "--short"]).returncode == 0
    tmp = own_jail.tmp
    own_jail.python("open('/tmp/kept', 'w')")
    assert own_jail.tmp == tmp
    assert own_jail.python("import os; print(os.listdir('/tmp'))") == "['kept']"
    own_jail.stop()
    assert {name for name in os.listdir("/tmp") if name == tmp.name} <= before
    assert sorted(os.listdir(own_jail.paths.run)) == ["control", "lock", "log"]


def test_placeholders_of_a_crash_go_with_the_next_jail(own_jail: JailedVenv) -> None:
    project = own_jail.home.project
    subprocess.run(["rm", "-rf", project / ".git"], check=True)
    own_jail.python("pass")
    held = {".git", "HEAD", ".vscode", ".claude", ".cursor"}
    assert held <= set(os.listdir(project))
    others = everyone(own_jail)
    others[0].kill(signal.SIGKILL)
    _all_end(others)
    assert held <= set(os.listdir(project))  # the user can use them, or remove them
    own_jail.python("pass")
    own_jail.stop()
    assert not held & set(os.listdir(project))


def _mounts(jail: JailedVenv) -> list[str]:
    """What is mounted at or below the home, seen from the host."""
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in table if str(jail.home.root) in line]


def _children(pid: int) -> list[Process]:
    """The processes that ``pid`` has started, held."""
    numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Process(int(number)) for number in numbers]


def _all_end(processes: list[Process]) -> None:
    deadline = time.monotonic() + 20
    for process in processes:
        assert process.ended(deadline), f"still running: {process}"
        process.close()
