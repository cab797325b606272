"""Other ways to the same place: ESCAPES 8, 17, 18 and 28."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.attempts import DONE, all_end, in_jail, on_host
from tests.support.home import SECRET, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.requirements import require

SYSTEM_PYTHON = "/usr/bin/python3"

#: A user and mount namespace in which the test may mount, as the same user.
NAMESPACE = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")

READ = """
import errno, sys
for path in sys.argv[1:]:
    try:
        print(open(path, "rb").read())
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


@pytest.fixture(autouse=True)
def _outside_tmp(tmp_path: Path) -> None:
    require(not tmp_path.is_relative_to("/tmp"), "the tests' own directory is in /tmp")


def aliases(home: Path) -> list[str]:
    """Paths of ``~/.ssh/id_rsa`` for a process whose working directory is ``~/src/proj``."""
    return [
        *(f"/proc/{process}/root{home}/.ssh/id_rsa" for process in ("self", "thread-self")),
        *(f"/proc/{process}/cwd/../../.ssh/id_rsa" for process in ("self", "thread-self")),
        "../../.ssh/id_rsa",
        f"{home}/src/../.ssh/id_rsa",
        f"//{home}//.ssh/./id_rsa",
        f"/dev/fd/../root{home}/.ssh/id_rsa",
        f"{home}/src/proj/venv/../../../.ssh/id_rsa",
    ]


def test_detours(jail: JailedVenv) -> None:
    paths = aliases(jail.home.root)
    assert all_end(on_host(jail.home, "read", paths), DONE)
    assert all_end(in_jail(jail, "read", paths), "ENOENT")
    assert all_end(in_jail(jail, "read", [f"/proc/1/root{jail.home.root}/.ssh/id_rsa"]), "EACCES")


def test_a_symlink_to_the_home_and_one_into_it(jail: JailedVenv, tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(jail.home.root)
    (tmp_path / "key").symlink_to(jail.home.root / ".ssh/id_rsa")
    paths = [tmp_path / "home/.ssh/id_rsa", tmp_path / "key"]
    assert all_end(on_host(jail.home, "read", paths), DONE)
    assert all_end(in_jail(jail, "read", paths), "ENOENT")


def test_snapshots_of_what_is_above_the_home(home: FakeHome) -> None:
    """As file systems have them, in directories that they need not list."""
    kept = [home.root.parent / ".zfs/snapshot/daily", home.root.parent / ".snapshot/hourly.0"]
    for snapshot in kept:
        shutil.copytree(home.root / ".ssh", snapshot / home.root.name / ".ssh")
    keys = [snapshot / home.root.name / ".ssh/id_rsa" for snapshot in kept]
    with JailedVenv(home) as venv:
        assert all_end(on_host(home, "read", keys), DONE)
        assert all_end(in_jail(venv, "read", keys), "EACCES")
        assert all_end(in_jail(venv, "enlist", [key.parents[3] for key in keys]), "EACCES")
        explained = home.check([*VENVJAIL, "explain", "venv", keys[0]])
        assert "snapshots that hold your home" in explained


#: Mounts the home, the directory above it, and the whole root once more; runs the rest.
MOUNT_AGAIN = """
set -e
cd "$1"; shift
mkdir home above all
mount --bind "$HOME" home
mount --bind "$HOME/.." above
mount --rbind / all
cd "$HOME/src/proj"
exec "$@"
"""


def test_the_homes_disk_mounted_once_more(home: FakeHome, tmp_path: Path) -> None:
    """As with a disk at /mnt/disk of which /home is a part; the jail starts where it is so."""
    again = tmp_path / "again"
    again.mkdir()
    keys = [
        again / "home/.ssh/id_rsa",
        again / "above" / home.root.name / ".ssh/id_rsa",
        Path(f"{again}/all{home.root}/.ssh/id_rsa"),
    ]
    start = [*NAMESPACE, "sh", "-c", MOUNT_AGAIN, "sh", again]
    with JailedVenv(home) as venv:
        for python, expected in ((SYSTEM_PYTHON, SECRET), (venv.bin / "python", "ENOENT")):
            lines = home.check([*start, python, "-c", READ, *keys]).splitlines()
            assert len(lines) == len(keys)
            assert all(expected in line for line in lines), lines
            for path in again.iterdir():
                path.rmdir()


#: Starts a jailed command, then mounts a disk, and has the command look for it.
MOUNT_LATER = """
import subprocess, sys
place, secret, *command = sys.argv[1:]
subprocess.run(["mount", "--make-rshared", "/"], check=True)
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
    print(child.stdout.readline(), end="")
    subprocess.run(["mount", "-t", "tmpfs", "disk", place], check=True)
    with open(place + "/file", "w") as file:
        file.write(secret)
    print(child.communicate("\\n")[0], end="")
"""
LOOK_LATER = """
import os, sys
print(os.listdir(sys.argv[1]), flush=True)
sys.stdin.readline()
print(os.listdir(sys.argv[1]))
try:
    open(sys.argv[1] + "/file", "a").close()
    print("written")
except OSError as error:
    print(error.strerror)
"""


def test_a_disk_mounted_after_the_start(home: FakeHome, tmp_path: Path) -> None:
    """Where mounts are shared, as systemd makes them: a slave of the host's would get it too."""
    place = tmp_path / "disk"
    place.mkdir()
    start = [*NAMESPACE, SYSTEM_PYTHON, "-c", MOUNT_LATER, place, SECRET]
    look = ["-c", LOOK_LATER, place]
    assert home.check([*start, SYSTEM_PYTHON, *look]) == "[]\n['file']\nwritten\n"
    with JailedVenv(home) as venv:
        outcome = home.check([*start, venv.bin / "python", *look])
        assert outcome == "[]\n[]\nRead-only file system\n"


#: Stands in for a cgroup that systemd has delegated to the user.
CGROUP = """
set -e
mount --bind "$1" /sys/fs/cgroup; shift
exec "$@"
"""
KILL = """
import os
path = "/sys/fs/cgroup/app.slice/cgroup.kill"
try:
    with open(path, "r+") as file:
        file.write("1")
    print("done")
except OSError as error:
    print(error.strerror)
"""


def test_a_delegated_cgroup(home: FakeHome, tmp_path: Path) -> None:
    delegated = tmp_path / "cgroup"
    switch = delegated / "app.slice/cgroup.kill"
    switch.parent.mkdir(parents=True)
    switch.write_text("0")
    start = [*NAMESPACE, "sh", "-c", CGROUP, "sh", delegated]
    with JailedVenv(home) as venv:
        jailed = home.check([*start, venv.bin / "python", "-c", KILL])
        assert jailed == "Read-only file system\n"
        assert switch.read_text() == "0"
    assert home.check([*start, SYSTEM_PYTHON, "-c", KILL]) == "done\n"


WRITABLE_MOUNTS = """
for line in open("/proc/self/mountinfo"):
    words = line.split()
    if words[4].startswith("/sys") and "ro" not in words[5].split(","):
        print(words[4])
"""


def test_every_mount_below_sys_is_read_only(jail: JailedVenv) -> None:
    assert jail.python(WRITABLE_MOUNTS) == ""
    assert "/sys" in jail.home.check([SYSTEM_PYTHON, "-c", WRITABLE_MOUNTS])


INHERITED = """
import os
for attempt in (lambda: os.read(3, 1), lambda: os.open(".ssh/id_rsa", os.O_RDONLY, dir_fd=4)):
    try:
        attempt()
        print("done")
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.parametrize("cold", [True, False])
def test_descriptors_that_the_caller_has_open(jail: JailedVenv, cold: bool) -> None:
    if cold:
        jail.stop()
    script = 'exec 3<"$HOME/.ssh/id_rsa" 4<"$HOME"; exec "$@"'
    for python, outcome in (
        (SYSTEM_PYTHON, "done"),
        (str(jail.bin / "python"), "Bad file descriptor"),
    ):
        done = subprocess.run(
            ["bash", "-c", script, "bash", python, "-c", INHERITED],
            env=jail.home.env,
            cwd=jail.home.project,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.splitlines() == [outcome] * 2
    assert os.path.lexists(jail.home.root / ".ssh/id_rsa")
