"""The entry's half of job control that needs no jail: what a child learns of its caller."""

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, sys
from venvjail import job
caller = job.Caller()
go_read, go_write = os.pipe()
if os.fork() == 0:
    os.close(go_write)
    os.read(go_read, 1)  # until the parent has died, or says so
    print(caller.entry_is_gone(), flush=True)
    os._exit(0)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
os.write(go_write, b"x")
os.wait()
"""


def entry_is_gone(what: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    assert done.returncode == (-signal.SIGKILL if what == "die" else 0)
    return done.stdout


def test_an_entry_that_died_before_its_command_began() -> None:
    """PR_SET_PDEATHSIG does not tell of a death that was before it."""
    assert entry_is_gone("die") == "True\n"
    assert entry_is_gone("live") == "False\n"


CONTINUED = """
import os, signal
from venvjail import job
caller = job.Caller()
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(7)
os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOWAIT)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
os.kill(os.getpid(), signal.SIGCONT)
print(os.waitstatus_to_exitcode(job.accompany(child, caller)))
"""


def test_an_entry_that_is_continued_before_it_has_stopped() -> None:
    """It would stop for ever: the stop takes the SIGCONT away, and the shell sends one only."""
    done = subprocess.run(
        [sys.executable, "-c", CONTINUED],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    assert done.stdout == "7\n"
