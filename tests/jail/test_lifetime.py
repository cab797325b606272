"""One running jail for each venv: how it starts, who shares it, and how it ends."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.commands import run_command
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.processes import Process
from tests.support.waiting import eventually
from venvjail import client

#: Says ``ready`` and its PID namespace, and ends with its stdin.
WAITER = "import os, sys; print('ready', os.readlink('/proc/self/ns/pid'), flush=True); input()"


@contextmanager
def waiter(jail: JailedVenv) -> Iterator[subprocess.Popen[str]]:
    """A command that runs in the jail until the end of the block; it is ready."""
    with subprocess.Popen(
        [jail.bin / "python", "-c", WAITER],
        env=jail.home.env,
        cwd=jail.home.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        yield process
        process.kill()


def running(jail: JailedVenv) -> client.Status:
    status = jail.status
    assert status is not None
    return status


def supervisors(jail: JailedVenv) -> list[int]:
    """The pids of all supervisors of the venv, whether they listen or not."""
    title = f"venvjail: supervisor {jail.env}".encode()
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and Path(f"/proc/{name}/cmdline").read_bytes().startswith(title):
                found.append(int(name))
        except OSError:
            continue
    return found


def inits(jail: JailedVenv) -> list[int]:
    """The pids on the host of what has PID 1 in a namespace below one of the supervisors."""
    children = []
    for pid in supervisors(jail):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        children += [int(child) for child in text]
    return children


def test_every_command_joins_the_one_jail(jail: JailedVenv) -> None:
    with waiter(jail):
        namespaces = {
            jail.python("import os; print(os.readlink('/proc/self/ns/pid'))"),
            jail.check(["readlink", "/proc/self/ns/pid"]).strip(),
        }
        assert len(namespaces) == 1
        assert os.readlink("/proc/self/ns/pid") not in namespaces
    eventually(lambda: not running(jail).entries, "the leases are given back")


def test_two_commands_see_each_other_and_their_tmp(jail: JailedVenv) -> None:
    with waiter(jail):
        pid = jail.python(
            "import os; print(*[p for p in os.listdir('/proc') if p.isdigit() and "
            "b'input()' in open(f'/proc/{p}/cmdline', 'rb').read() and int(p) != os.getpid()])"
        )
        assert pid.isdigit()
        jail.python("import os, sys; os.kill(int(sys.argv[1]), 0)", pid)
        jail.python("open('/tmp/shared', 'w').write('x')")
        assert jail.python("print(open('/tmp/shared').read())") == "x"
        assert (jail.tmp / "shared").exists()


def test_many_commands_at_once_start_one_jail(jail: JailedVenv) -> None:
    jail.stop()
    with ExitStack() as stack:
        commands = [
            stack.enter_context(
                subprocess.Popen(
                    [jail.bin / "python", "-c", WAITER],
                    env=jail.home.env,
                    cwd=jail.home.project,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(20)
        ]
        lines = {command.stdout.readline() for command in commands if command.stdout}
        assert len(lines) == 1
        assert lines.pop().startswith("ready pid:[")
        assert supervisors(jail) == [running(jail).supervisor]
        assert inits(jail) == [running(jail).init]
        assert set(running(jail).entries) == {command.pid for command in commands}
        for command in commands:
            _, errors = command.communicate("\n", timeout=30)
            assert (command.returncode, errors) == (0, "")


@contextmanager
def lingering(jail: JailedVenv, seconds: float) -> Iterator[None]:
    """The user's config says so in the block; no jail runs at its begin."""
    jail.stop()
    config = jail.home.write(".dirjailconfig", f"[jail]\nlinger = {seconds}\n")
    try:
        yield
    finally:
        config.unlink()


def test_linger_ends_the_jail(jail: JailedVenv) -> None:
    with lingering(jail, 1):
        jail.python("pass")
        supervisor = Process(running(jail).supervisor)
        begin = time.monotonic()
        assert supervisor.ended(begin + 10)
        assert time.monotonic() - begin > 0.7
        supervisor.close()
        assert jail.status is None
        assert jail.python("print('again')") == "again"


def test_a_process_left_behind_keeps_the_jail(jail: JailedVenv) -> None:
    fifo = jail.home.project / "keep"
    os.mkfifo(fifo)
    code = (
        "import subprocess, sys; subprocess.Popen(['cat', 'keep'], start_new_session=True, "
        "stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    )
    with lingering(jail, 0.2):
        jail.python(code)
        supervisor = Process(running(jail).supervisor)
        # Five times as long as it lingers; there is nothing else to wait for.
        assert not supervisor.ended(time.monotonic() + 1)
        assert running(jail).entries == []
        assert running(jail).processes == 1
        fifo.write_text("end")
        assert supervisor.ended(time.monotonic() + 10)
        supervisor.close()


def test_stop_kills_commands(jail: JailedVenv) -> None:
    with waiter(jail) as command:
        status = running(jail)
        ours = [Process(status.supervisor), Process(status.init)]
        done = jail.home.run([*VENVJAIL, "stop", jail.env])
        assert (done.returncode, done.stderr) == (0, "")
        assert all(process.ended(time.monotonic()) for process in ours)
        assert command.wait(timeout=10) == -signal.SIGKILL
    for process in ours:
        process.close()
    assert jail.status is None


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
    with subprocess.Popen(
        [jail.bin / "python", "-c", HOME_WATCHER],
        env=jail.home.env,
        cwd=jail.home.project,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "ready False\n"
        status = running(jail)
        others = [Process(status.supervisor), Process(status.init)]
        os.kill(getattr(status, victim), signal.SIGKILL)
        assert command.wait(timeout=10) == -signal.SIGKILL
        assert command.stdout.read() in ("", "ENOTCONN\n", "ECONNABORTED\n")
    for process in others:
        assert process.ended(time.monotonic() + 10)
        process.close()
    assert jail.python("print('a new jail')") == "a new jail"
    assert supervisors(jail) == [running(jail).supervisor]
    assert running(jail).init != status.init


def test_start_racing_stop(jail: JailedVenv) -> None:
    """A command runs to its end or is killed by the stop; what it never does is run outside."""
    jail.stop()
    for _ in range(20):
        stop = subprocess.Popen(
            [*VENVJAIL, "stop", jail.env],
            env=jail.home.env,
            cwd=jail.home.project,
            stdout=subprocess.DEVNULL,
        )
        done = run_command(
            [jail.bin / "python", "-c", "import os; print(os.environ['VENVJAIL'])"],
            env=jail.home.env,
            cwd=jail.home.project,
        )
        assert stop.wait(timeout=30) == 0
        assert done.returncode in (0, -signal.SIGKILL) or "run the command again" in done.stderr
        if done.returncode == 0:
            assert done.stdout == f"{jail.env}\n"
        assert len(supervisors(jail)) <= 1
    assert jail.python("print(1)") == "1"
    assert supervisors(jail) == [running(jail).supervisor]


def test_start_racing_the_idle_end(jail: JailedVenv) -> None:
    """A jail that ends by itself lets no command down: each runs, in that jail or a new one."""
    seen: set[int] = set()
    with lingering(jail, 0.02):
        for attempt in range(100):
            time.sleep(attempt / 2000)  # later each time, so that the start comes to meet the end
            assert jail.python("print('ran')") == "ran"
            now = supervisors(jail)
            assert len(now) <= 2  # the one that ends, and its successor
            seen.update(now)  # not namespaces: a new one may have the number of one that is gone
            if len(seen) > 8:
                break
    assert len(seen) > 1


def test_two_venvs_have_two_jails(jail: JailedVenv) -> None:
    with JailedVenv(jail.home, "other") as other, waiter(jail), waiter(other):
        listing = "import os; print(sum(name.isdigit() for name in os.listdir('/proc')))"
        assert jail.python(listing) == other.python(listing) == "3"  # init, the waiter, itself
        jail.python("open('/tmp/of-one', 'w')")
        assert other.python("import os; print(os.path.exists('/tmp/of-one'))") == "False"
        assert running(jail).init != running(other).init
        assert jail.tmp != other.tmp
