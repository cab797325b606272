"""The table of mounts, as init reads it."""

from pathlib import Path

from venvjail.building.mounttable import MountTable, mount_points


def test_mount_points_by_number() -> None:
    table = (
        b"22 28 0:20 / /sys rw,relatime shared:7 - sysfs sysfs rw\n"
        b"36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 - ext3 /dev/root rw\n"
    )
    assert mount_points(table) == {b"22": b"/sys", b"36": b"/mnt 2\\x"}


def test_nothing_is_lost_where_nothing_happens() -> None:
    table = MountTable()
    assert table.fileno() > 2
    assert table.lost() == []
    assert len(table._known) == len(Path("/proc/self/mountinfo").read_bytes().splitlines())
