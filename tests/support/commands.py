"""Run a program to its end, whatever it leaves behind."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_command(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: str = "",
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` in a session of its own and return its status and output.

    After ``timeout`` seconds the whole process group is killed and ``AssertionError`` tells what
    was printed until then: ``subprocess.run`` would kill the child alone, then wait for whoever
    still holds its pipes.  Bytes that are no UTF-8 are surrogate-escaped (PEP 383).
    """
    with subprocess.Popen(
        [os.fspath(word) for word in argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=cwd,
        encoding="utf-8",
        errors="surrogateescape",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate(timeout=10)
            raise AssertionError(
                f"still running after {timeout} s: {argv}\n{stdout}{stderr}"
            ) from None
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
