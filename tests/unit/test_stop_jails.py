"""The end of a test's jails, tried on processes that look like a supervisor."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import stop_jails

# A supervisor with a child, which ends both at SIGTERM, or with "stubborn" neither.
SUPERVISOR = """
import signal, subprocess, sys, setproctitle

setproctitle.setproctitle(f"venvjail: supervisor {sys.argv[1]}/venv")
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
# Popen returns when execve(2) has closed a pipe, which is before the new words can be read.
while not open(f"/proc/{child.pid}/cmdline", "rb").read():
    pass
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
if sys.argv[2] == "stubborn":
    signal.pause()
child.kill()
child.wait()
"""


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(directory: Path, manner: str, cleanup: ExitStack) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", SUPERVISOR, str(directory), manner]
    process = cleanup.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
    cleanup.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_jail_that_ends_is_no_survivor_and_others_stay(
    tmp_path: Path, cleanup: ExitStack
) -> None:
    other = start(tmp_path / "proj-other", "docile", cleanup)
    ours = start(tmp_path / "proj", "docile", cleanup)
    assert stop_jails(tmp_path / "proj") == []
    assert ours.wait(timeout=10) == 0
    assert other.poll() is None
    assert stop_jails(tmp_path) == []


def test_what_does_not_end_is_killed_and_named(
    tmp_path: Path, cleanup: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.2)
    process = start(tmp_path, "stubborn", cleanup)
    survivors = stop_jails(tmp_path)
    assert len(survivors) == 2
    assert f"venvjail: supervisor {tmp_path}/venv" in survivors[0]
    assert "sleep 600" in survivors[1]
    assert process.wait(timeout=10) == -9
