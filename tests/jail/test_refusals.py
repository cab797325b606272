"""Where no jail can be: one line that says what to do, and the command is not run at all."""

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.namespaces import (
    AS_ROOT,
    FUSE_MISSING,
    FUSE_SHUT,
    NO_USER_NAMESPACES,
    in_namespaces,
)

#: The command: it leaves a mark where it runs, jailed or not.
MARK = "import pathlib; pathlib.Path('ran').touch()"


def run_marked(
    home: FakeHome, command: Sequence[str | Path], prefix: Sequence[str] = ()
) -> "tuple[subprocess.CompletedProcess[str], bool]":
    """The command as it ended, and whether its program ran."""
    mark = home.project / "ran"
    done = home.run([*prefix, *command, "-c", MARK])
    ran = mark.exists()
    mark.unlink(missing_ok=True)
    return done, ran


def refused(
    jail: JailedVenv, *, status: int = 125, prefix: Sequence[str] = (), env: Path | None = None
) -> str:
    """The line with which both ways to run a command are refused; none of them runs it."""
    jail.stop()
    place = env or jail.env
    lines = set()
    for command in ([place / "bin/python"], [*VENVJAIL, "run", place, "python"]):
        done, ran = run_marked(jail.home, command, prefix)
        assert not ran
        assert done.returncode == status, done
        assert done.stdout == ""
        assert done.stderr.startswith("venvjail: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        lines.add(done.stderr.removeprefix("venvjail: ").removesuffix("\n"))
    assert len(lines) == 1, lines
    return lines.pop()


def refused_without_stop(jail: JailedVenv) -> str:
    """Like `refused`, for what keeps `stop` from working too."""
    done, ran = run_marked(jail.home, [jail.bin / "python"])
    assert not ran
    assert done.returncode == 125, done
    assert done.stdout == ""
    assert done.stderr.startswith("venvjail: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("venvjail: ").removesuffix("\n")


def runs(jail: JailedVenv, prefix: Sequence[str] = ()) -> bool:
    """The control: whether the same command runs."""
    jail.stop()
    done, ran = run_marked(jail.home, [jail.bin / "python"], prefix)
    assert (done.returncode, done.stderr) == (0, "")
    return ran


@contextmanager
def replaced(path: str | Path, content: bytes, mode: int = 0o600) -> Iterator[None]:
    """The file has another content for a while."""
    path = Path(path)
    former, former_mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    path.write_bytes(content)
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(0o600)
        path.write_bytes(former)
        path.chmod(former_mode)


# -- the machine ---------------------------------------------------------------------------


def test_it_runs_in_namespaces_where_nothing_is_changed(jail: JailedVenv) -> None:
    """The control for all of this section."""
    assert runs(jail)
    assert runs(jail, in_namespaces())
    jail.stop()


def test_a_missing_fuse_device(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(FUSE_MISSING))
    assert line == "/dev/fuse is missing; as root: modprobe fuse"


def test_a_fuse_device_that_cannot_be_opened(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(FUSE_SHUT))
    assert line == "/dev/fuse cannot be opened; as root: chmod 666 /dev/fuse"


def test_user_namespaces_switched_off(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(NO_USER_NAMESPACES))
    assert line == (
        "user namespaces are switched off on this machine (user.max_user_namespaces is 0 or "
        "used up); as root: sysctl user.max_user_namespaces=15000"
    )


def test_root(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(AS_ROOT))
    assert line.startswith("refusing to run as root: ")
    assert line.endswith("run it as an ordinary user (nothing was run)")


def test_creation_where_no_jail_can_be(home: FakeHome) -> None:
    """pip is installed in the jail, and never without one."""
    env = home.project / "other"
    done = home.run([*in_namespaces(FUSE_MISSING), *VENVJAIL, env])
    assert done.returncode == 125
    assert done.stderr.startswith("venvjail: /dev/fuse is missing; as root: modprobe fuse")
    assert done.stderr.count("\n") == 1
    assert not list(env.glob("lib/python*/site-packages/pip"))


# -- the venv ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["moved", "renamed", "copied"])
def test_a_venv_that_is_elsewhere_now(own_jail: JailedVenv, how: str) -> None:
    assert runs(own_jail)
    own_jail.stop()
    place = own_jail.home.project / "other/venv"
    place.parent.mkdir()
    if how == "copied":
        subprocess.run(["cp", "-a", own_jail.env, place], check=True)
    else:
        place = place if how == "moved" else own_jail.env.with_name("renamed")
        own_jail.env.rename(place)
    commands = [([place / "bin/python"], 125), ([*VENVJAIL, "run", place, "python"], 2)]
    if how != "copied":  # that of a copy starts a shell in the original's jail
        commands.append(([place / "bin/activate-new-shell"], 125))
    for command, status in commands:
        done, ran = run_marked(own_jail.home, command)
        assert not ran
        assert done.returncode == status, done
        assert done.stderr.startswith("venvjail: "), done.stderr
        assert done.stderr.count("\n") == 1
        assert "move it back" in done.stderr
        assert str(own_jail.env) in done.stderr
    own_jail.home.check([*VENVJAIL, "--clear", "--without-pip", place])
    assert own_jail.home.check([place / "bin/python", "-c", "print('again')"]) == "again\n"
    own_jail.home.check([*VENVJAIL, "remove", "--yes", place])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "is damaged; run: python -m venvjail --upgrade "),
        (b"{", "is damaged; run: python -m venvjail --upgrade "),
        (b"[]", "is damaged; run: python -m venvjail --upgrade "),
        (b'{"version": 1}', "is damaged; run: python -m venvjail --upgrade "),
        (b"\xff\xfe", "is damaged; run: python -m venvjail --upgrade "),
        (b"[" * 100_000, "is damaged; run: python -m venvjail --upgrade "),
        (b'{"version": 99}', "was made by a newer venvjail (layout 99, this one knows 1); upgrade"),
    ],
)
def test_a_damaged_record(jail: JailedVenv, content: bytes, line: str) -> None:
    with replaced(jail.paths.record, content):
        assert line in refused(jail, status=2)
    assert runs(jail)


def test_a_record_that_others_can_write_to(jail: JailedVenv) -> None:
    record = Path(jail.paths.record)
    with replaced(record, record.read_bytes(), 0o666):
        line = refused(jail, status=2)
    assert line == f"{record}: others can write to it; run: chmod go-w {record}"


def test_a_venv_without_its_record(jail: JailedVenv) -> None:
    record, aside = Path(jail.paths.record), Path(jail.paths.record + ".aside")
    record.rename(aside)
    try:
        line = refused(jail, status=2)
    finally:
        aside.rename(record)
    assert line == (
        f"{jail.env}: was not created completely; run: python -m venvjail --clear {jail.env}"
    )


def test_an_upgrade_mends_a_damaged_record(own_jail: JailedVenv) -> None:
    Path(own_jail.paths.record).write_bytes(b"{")
    own_jail.home.check([*VENVJAIL, "--upgrade", "--without-pip", own_jail.env])
    assert runs(own_jail)


def test_an_interpreter_that_is_gone(jail: JailedVenv) -> None:
    """The one that has venvjail's dependencies: a venv that was deleted, perhaps."""
    record = json.loads(Path(jail.paths.record).read_bytes())
    record["python"] = "/nowhere/bin/python"
    with replaced(jail.paths.record, json.dumps(record).encode()):
        line = refused(jail)
    assert line.startswith("cannot start /nowhere/bin/python: No such file or directory; ")
    assert line.endswith(f"python -m venvjail --upgrade {jail.env}")


# -- the config ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[home\n", ":1: "),
        ("\n[hom]\n", ":2: "),
        ("[home]\nalow = []\n", ":2: "),
        ('[home]\nallow = ".gitconfig"\n', ":2: "),
        ('[home]\nallow = [\n  ".gitconfig",\n  1,\n]\n', ":4: "),
        ('[home]\nallow = ["../other"]\n', ":2: "),
        ('[home]\nallow = ["."]\n', ":2: "),
        ('[filesystem]\nwritable = ["/"]\n', ":2: "),
        ('[filesystem]\nhide = ["relative"]\n', ":2: "),
        ('[run]\nallow = ["/etc"]\n', ":2: "),
        ('[dev]\nallow = ["/etc/*"]\n', ":2: "),
        ('[network]\nmode = "some"\n', ":2: "),
        ("[jail]\nlinger = -1\n", ":2: "),
        ('[jail]\nuser_namespaces = "yes"\n', ":2: "),
        ("[environment]\nset = {A = 1}\n", ":2: "),
        ('[home]\nwritable = ["missing"]\n', ":2: "),
        ('[filesystem]\nwritable = ["/missing"]\n', ":2: "),
    ],
)
def test_a_config_that_cannot_be_used(jail: JailedVenv, text: str, where: str) -> None:
    config = jail.home.write(".dirjailconfig", text)
    try:
        line = refused(jail, status=2)
    finally:
        config.unlink()
    assert line.startswith(str(config) + where)


def test_a_config_that_is_no_text(jail: JailedVenv) -> None:
    with replaced(jail.paths.config, b"\xff\xfe[home]"):
        assert refused(jail, status=2).startswith(jail.paths.config)


def test_a_config_that_cannot_be_read(jail: JailedVenv) -> None:
    path = Path(jail.paths.config)
    with replaced(path, path.read_bytes(), 0):
        assert refused(jail, status=2).startswith(f"{path}: ")
    assert runs(jail)


def test_a_config_that_is_a_directory(jail: JailedVenv) -> None:
    path = jail.home.root / ".dirjailconfig"
    path.mkdir()
    try:
        assert refused(jail, status=2).startswith(f"{path}: ")
    finally:
        path.rmdir()


def test_a_project_that_is_gone(own_jail: JailedVenv) -> None:
    config = Path(own_jail.paths.config)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(str(own_jail.home.project), "/nowhere"), encoding="utf-8")
    line = refused(own_jail, status=2)
    assert line.startswith(f"{config}:")
    assert "/nowhere is not a directory" in line


# -- the runtime directory -----------------------------------------------------------------


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
