"""Where Landlock lets a jailed process and the supervisor write, decided from the facts."""

import stat
from collections.abc import Iterable

import pytest

from venvjail.layout import VenvPaths
from venvjail.planning.plan import STANDARD_DEVICES, Facts, within
from venvjail.walls import landlock
from venvjail.walls.landlock import DEVICE, REMOVE_DIR, TREE, WRITE_FILE, Grant

PATHS = VenvPaths("/home/alice/proj/venv")
FACTS = Facts(
    paths=PATHS,
    uid=1000,
    home="/home/alice",
    tmp="/tmp/dirjail-x",
    project="/home/alice/proj",
    home_aliases=("/mnt/disk/alice",),
    writable=("/mnt/scratch",),
    devices=("/dev/dri", "/dev/nvidia0"),
    run=("/run/postgresql",),
)


def may(grants: Iterable[Grant], path: str, access: int) -> bool:
    """Whether all of ``access`` is allowed at ``path``: rights add up along the path."""
    given = 0
    for grant in grants:
        if within(path, grant.path):
            given |= grant.access
    return given & access == access


JAIL = landlock.jail_grants(FACTS)


@pytest.mark.parametrize(
    "path",
    [
        "/home/alice/.cache/x",
        "/home/alice/proj/main.py",
        "/home/alice/proj/venv/lib/x",
        "/home/alice/proj/venv/bin/black",
        "/mnt/disk/alice/x",
        "/mnt/scratch/x",
        "/tmp/x",
        "/var/tmp/x",
        "/dev/shm/x",
        "/dev/mqueue/x",
        "/run/user/1000/x",
    ],
)
def test_a_command_may_write_there(path: str) -> None:
    assert may(JAIL, path, TREE)
    assert not may(JAIL, path, landlock.MAKE_CHAR)
    assert not may(JAIL, path, landlock.MAKE_BLOCK)


@pytest.mark.parametrize(
    "path", ["/", "/etc/passwd", "/home/bob/x", "/run/x", "/run/user/x", "/usr/x", "/sys/x", "/opt"]
)
def test_a_command_may_not_write_there(path: str) -> None:
    for right in (1 << bit for bit in range(1, 17)):
        if right & landlock.handled(99):
            assert not may(JAIL, path, right)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/tty", "/dev/pts/3", "/dev/dri/card0"])
def test_devices_are_used_not_made(path: str) -> None:
    assert may(JAIL, path, DEVICE)
    assert may(JAIL, path, WRITE_FILE | landlock.TRUNCATE | landlock.IOCTL_DEV)
    assert not may(JAIL, path, landlock.MAKE_REG)
    assert not may(JAIL, path, landlock.REMOVE_FILE)


def test_standard_devices_are_granted_by_themselves() -> None:
    """As the host's file, which a redirected stream is, it is not below the jail's ``/dev``."""
    assert {f"/dev/{name}" for name in STANDARD_DEVICES} <= {grant.path for grant in JAIL}


def test_a_project_outside_the_home_is_writable() -> None:
    elsewhere = landlock.jail_grants(FACTS._replace(project="/srv/proj"))
    assert may(elsewhere, "/srv/proj/x", TREE)
    assert not may(elsewhere, "/srv/x", WRITE_FILE)


def test_proc_is_written_not_changed() -> None:
    assert may(JAIL, "/proc/self/oom_score_adj", WRITE_FILE | landlock.TRUNCATE)
    assert not may(JAIL, "/proc/self/oom_score_adj", landlock.MAKE_REG)


def test_path_sockets_are_in_reach_where_the_jail_has_its_own_and_where_allowed() -> None:
    for path in ("/tmp/x", "/home/alice/proj/x", "/run/user/1000/bus", "/run/postgresql/.s"):
        assert may(JAIL, path, landlock.RESOLVE_UNIX)
    for path in ("/run/docker.sock", "/var/lib/x", "/opt/x"):
        assert not may(JAIL, path, landlock.RESOLVE_UNIX)
    assert not may(JAIL, "/run/postgresql/x", WRITE_FILE)


def test_a_venv_without_project_is_writable() -> None:
    facts = Facts(PATHS, 1000, "/home/alice", "/tmp/dirjail-x", project=None)
    grants = landlock.jail_grants(facts)
    assert may(grants, PATHS.env + "/x", TREE)
    assert all(not within("/srv/x", grant.path) for grant in grants)


def test_each_path_of_the_supervisor() -> None:
    grants = landlock.supervisor_grants(PATHS, ["/home/alice/proj/.git"])
    for path in (PATHS.store, PATHS.state, PATHS.run, PATHS.bin):
        assert may(grants, path + "/x", TREE)
    for path in ("/home/alice/.bashrc", "/home/alice/proj/x", PATHS.env + "/lib/x", "/tmp/x"):
        assert not may(grants, path, WRITE_FILE)
        assert not may(grants, path, landlock.MAKE_REG)
        assert not may(grants, path, landlock.REMOVE_FILE)
    assert may(grants, "/home/alice/proj/.git", REMOVE_DIR)


def test_no_abi_is_asked_for_more_than_it_has() -> None:
    """From linux/landlock.h: rights 0 to 12 in ABI 1, then one bit more each."""
    last = {1: 12, 2: 13, 3: 14, 4: 14, 5: 15, 6: 15, 7: 15, 8: 15, 9: 16}
    for abi, bit in last.items():
        handled = landlock.handled(abi)
        assert handled < 1 << (bit + 1)
        assert handled & (1 << bit)
    assert landlock.handled(0) == 0
    reading = 1 << 0 | 1 << 2 | 1 << 3
    assert landlock.handled(99) & reading == 0, "reading and executing are left to the mounts"


def test_a_wall_against_abstract_sockets_from_abi_6_on() -> None:
    assert [landlock.scope(abi) for abi in (0, 5, 6, 9)] == [0, 0, 1, 1]


def test_what_can_be_given_for_something_that_is_no_directory() -> None:
    """linux/landlock.h: the kernel refuses a rule with any other right for it."""
    for_files = WRITE_FILE | landlock.TRUNCATE | landlock.IOCTL_DEV | landlock.RESOLVE_UNIX
    every = landlock.handled(99)
    assert landlock.applicable(every, stat.S_IFDIR) == every
    for kind in (stat.S_IFREG, stat.S_IFCHR, stat.S_IFSOCK):
        assert landlock.applicable(every, kind) == for_files


@pytest.mark.parametrize(("abi", "usable"), [(0, False), (1, False), (2, True), (7, True)])
def test_kernels_before_refer_have_no_usable_landlock(
    monkeypatch: pytest.MonkeyPatch, abi: int, usable: bool
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    assert landlock.usable() == usable
    assert landlock.restrict_flags() == (4 if abi >= 7 else 0)
