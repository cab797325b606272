"""One running jail for each venv: how it starts, who shares it, and how it ends."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.processes import Process
from tests.support.races import lingering
from tests.support.running import WAITER, running, said, started
from tests.support.waiting import eventually


@contextmanager
def waiter(jail: JailedVenv) -> Iterator[subprocess.Popen[str]]:
    """A command that runs in the jail until the end of the block; it is ready."""
    with started(jail, "-c", WAITER) as process:
        assert said(process).startswith("ready")
        yield process


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
            "b'readline()' in open(f'/proc/{p}/cmdline', 'rb').read() and int(p) != os.getpid()])"
        )
        assert pid.isdigit()
        jail.python("import os, sys; os.kill(int(sys.argv[1]), 0)", pid)
        jail.python("open('/tmp/shared', 'w').write('x')")
        assert jail.python("print(open('/tmp/shared').read())") == "x"
        assert (jail.tmp / "shared").exists()


def test_linger_ends_the_jail(jail: JailedVenv) -> None:
    with lingering(jail, 1):
        with waiter(jail):
            supervisor = Process(running(jail).supervisor)
            begin = time.monotonic()
        assert supervisor.ended(begin + 20)
        assert time.monotonic() - begin >= 1
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


def test_two_venvs_have_two_jails(jail: JailedVenv) -> None:
    with JailedVenv(jail.home, "other") as other, waiter(jail), waiter(other):
        listing = "import os; print(sum(name.isdigit() for name in os.listdir('/proc')))"
        assert jail.python(listing) == other.python(listing) == "3"  # init, the waiter, itself
        jail.python("open('/tmp/of-one', 'w')")
        assert other.python("import os; print(os.path.exists('/tmp/of-one'))") == "False"
        assert running(jail).init != running(other).init
        assert jail.tmp != other.tmp
