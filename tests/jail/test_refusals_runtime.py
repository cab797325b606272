"""A runtime directory that is not as it was made: one line each, and the command is not run."""

import os
import select
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.jail import JailedVenv
from tests.support.refusals import refused_without_stop, run_marked, runs


@contextmanager
def instead_of_run(jail: JailedVenv) -> Iterator[Path]:
    """The path of the runtime directory, free to be anything for a while."""
    jail.stop()
    run, aside = Path(jail.paths.run), Path(jail.paths.run + ".aside")
    run.rename(aside)
    try:
        yield run
    finally:
        if run.is_dir() and not run.is_symlink():
            shutil.rmtree(run)
        else:
            run.unlink(missing_ok=True)
        aside.rename(run)


def test_a_runtime_directory_that_others_can_enter(jail: JailedVenv) -> None:
    run = Path(jail.paths.run)
    run.chmod(0o755)
    try:
        line = refused_without_stop(jail)
    finally:
        run.chmod(0o700)
    assert line == f"{run} must belong to you and have mode 0700: chmod 700 {run}"


def test_a_runtime_directory_that_is_a_symlink(jail: JailedVenv, tmp_path: Path) -> None:
    (tmp_path / "planted").mkdir(mode=0o700)
    with instead_of_run(jail) as run:
        run.symlink_to(tmp_path / "planted")
        line = refused_without_stop(jail)
    assert line.startswith(f"{run}: ")
    assert line.endswith("this must be a directory of yours")
    assert os.listdir(tmp_path / "planted") == []


def test_a_runtime_directory_that_is_a_file(jail: JailedVenv) -> None:
    with instead_of_run(jail) as run:
        run.touch(0o600)
        assert refused_without_stop(jail).endswith("this must be a directory of yours")


def test_a_runtime_directory_of_somebody_else(jail: JailedVenv) -> None:
    with instead_of_run(jail) as run:
        run.symlink_to("/root")
        assert "directory of yours" in refused_without_stop(jail)


def test_a_missing_runtime_directory_is_made(jail: JailedVenv) -> None:
    with instead_of_run(jail) as run:
        assert runs(jail)
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        jail.stop()


def test_a_runtime_directory_that_cannot_be_written(jail: JailedVenv) -> None:
    jail.stop()
    run = Path(jail.paths.run)
    for path in (run / "control", run / "lock", run / "log"):
        path.unlink(missing_ok=True)
    run.chmod(0o500)
    try:
        line = refused_without_stop(jail)
    finally:
        run.chmod(0o700)
    assert str(run) in line
    assert "Permission denied" in line


def test_a_lock_that_is_a_symlink(jail: JailedVenv, tmp_path: Path) -> None:
    jail.stop()
    lock = Path(jail.paths.run) / "lock"
    lock.unlink(missing_ok=True)
    lock.symlink_to(tmp_path / "planted")
    try:
        line = refused_without_stop(jail)
    finally:
        lock.unlink()
    assert str(lock) in line
    assert not (tmp_path / "planted").exists()


def test_a_stale_socket_is_replaced(jail: JailedVenv) -> None:
    assert runs(jail)
    status = jail.status
    assert status is not None
    pidfd = os.pidfd_open(status.supervisor)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)
    assert (Path(jail.paths.run) / "control").is_socket()
    done, ran = run_marked(jail.home, [jail.bin / "python"])
    assert (done.returncode, done.stderr, ran) == (0, "", True)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense", b"VJ1O", b"VJ1Z\0\0\0\1x", b"VJ1O\0\0\0\x0aend"]
)
def test_a_forged_socket(jail: JailedVenv, answer: bytes) -> None:
    """Whatever answers there: a command that did not get namespaces is not run."""
    jail.stop()
    path = Path(jail.paths.run) / "control"
    path.unlink(missing_ok=True)
    program = f"""
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("control")
listener.listen()
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    connection.recv(1 << 17)
    connection.send({answer!r}) if {answer!r} else None
    connection.close()
"""
    with subprocess.Popen(
        ["/usr/bin/python3", "-c", program], cwd=path.parent, stdout=subprocess.PIPE, text=True
    ) as forger:
        try:
            assert forger.stdout is not None
            assert forger.stdout.readline() == "ready\n"
            refused_without_stop(jail)
        finally:
            forger.kill()
    path.unlink()
    assert runs(jail)


def test_a_file_in_the_place_of_the_socket(jail: JailedVenv) -> None:
    jail.stop()
    path = Path(jail.paths.run) / "control"
    path.unlink(missing_ok=True)
    path.touch()
    assert runs(jail)  # nobody serves a file: it is replaced, as a stale socket is
    assert path.is_socket()


def test_a_socket_of_another_type(jail: JailedVenv) -> None:
    jail.stop()
    path = Path(jail.paths.run) / "control"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        directory = os.open(path.parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{directory}/control")
        os.close(directory)
        listener.listen()
        assert "cannot reach the jail's supervisor" in refused_without_stop(jail)
    path.unlink()
