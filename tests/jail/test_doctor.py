"""`venvjail doctor` on this machine, and on one that lacks something."""

import tempfile
from pathlib import Path

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL
from tests.support.namespaces import AS_ROOT, FUSE_MISSING, NO_USER_NAMESPACES, in_namespaces


def left_behind() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("venvjail-doctor-*")}


def test_where_a_jail_starts(shared_home: FakeHome) -> None:
    before = left_behind()
    done = shared_home.run([*VENVJAIL, "doctor"])
    assert done.returncode == 0, done.stdout
    assert "MISSING" not in done.stdout
    assert done.stdout.splitlines()[-1].split(maxsplit=3) == [
        *("ok", "a", "jail"),
        "started one, and ran a program in it",
    ]
    assert "\x1b" not in done.stdout
    assert left_behind() == before


def test_without_user_namespaces(shared_home: FakeHome) -> None:
    done = shared_home.run([*in_namespaces(NO_USER_NAMESPACES), *VENVJAIL, "doctor"])
    assert done.returncode == 1
    assert "MISSING  user namespaces" in done.stdout
    assert "echo user.max_user_namespaces=15000 | sudo tee " in done.stdout
    assert "MISSING  a jail" in done.stdout
    assert "ok       libfuse" in done.stdout


def test_without_fuse(shared_home: FakeHome) -> None:
    done = shared_home.run([*in_namespaces(FUSE_MISSING), *VENVJAIL, "doctor"])
    assert done.returncode == 1
    assert "MISSING  /dev/fuse             No such file or directory\n" in done.stdout
    assert "sudo modprobe fuse" in done.stdout
    assert "ok       mounts" in done.stdout


def test_a_config_that_cannot_be_used_is_found(home: FakeHome) -> None:
    """It is tried with the user's own config: that too decides whether a jail starts."""
    home.write(".dirjailconfig", "[homes]\n").chmod(0o600)
    done = home.run([*VENVJAIL, "doctor"])
    assert done.returncode == 1
    assert (
        f'MISSING  a jail                {home.root}/.dirjailconfig:1: unknown section "homes"'
        in (done.stdout)
    )


def test_as_root(shared_home: FakeHome) -> None:
    done = shared_home.run([*in_namespaces(AS_ROOT), *VENVJAIL, "doctor"])
    assert done.returncode == 2
    assert done.stderr.startswith("venvjail: refusing to run as root")
