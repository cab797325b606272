"""Which mounts of the host may take their time, and where a name leads into one.

Known from mountinfo (proc_pid_mountinfo(5)), without a look at the mounts themselves: a stat(2) on
one whose server is gone does not return.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from fusefs.layers import Identity
from fusefs.slow import Slow

if TYPE_CHECKING:
    from fusefs.lanes import Calls, Lane

_LOCAL = frozenset(
    # Disks, with what is stacked on them, memory, and the kernel's own.
    b"ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs jfs nilfs2 reiserfs ntfs3 vfat exfat msdos "
    b"iso9660 udf squashfs erofs cramfs overlay aufs ecryptfs tmpfs ramfs rootfs devtmpfs "
    b"hugetlbfs proc sysfs devpts mqueue cgroup cgroup2 securityfs debugfs tracefs pstore bpf "
    b"configfs efivarfs fusectl binfmt_misc nsfs selinuxfs".split()
)
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """A line of mountinfo."""

    number: int
    device: str
    path: bytes
    kind: bytes


class Mounts:
    """The mounts that this process sees; without ``calls`` none is slow."""

    def __init__(self, calls: Calls | None = None) -> None:
        self._calls = calls
        self._lanes: dict[str, Lane] = {}
        self._by_number: dict[int, Lane] = {}
        self._by_path: dict[bytes, Lane] = {}
        self._crossings: dict[tuple[int, int, bytes], Lane] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again; lanes of mounts that are still there stay."""
        if self._calls is None:
            return
        slow = [mount for mount in _mounts() if mount.kind not in _LOCAL]
        lanes, self._lanes = self._lanes, {}
        for mount in slow:
            known = self._lanes.get(mount.device) or lanes.get(mount.device)
            self._lanes[mount.device] = known or self._calls.lane()
        self._by_number = {mount.number: self._lanes[mount.device] for mount in slow}
        self._by_path = {mount.path: self._lanes[mount.device] for mount in slow}
        self._crossings = {}
        for path, lane in self._by_path.items():
            parent, name = os.path.split(path)
            if name and self.on_way(parent) is None:
                st = _stat(parent)
                if st is not None:
                    self._crossings[st.st_dev, st.st_ino, name] = lane

    def opened(self, fd: int) -> int:
        """``fd``, opened by a path, as a slow one if that led into a slow mount."""
        if not self._by_number:
            return fd
        with open(f"/proc/self/fdinfo/{fd}") as info:  # open itself has looked at the mount
            fields = dict(line.split(":\t") for line in info.read().splitlines())
        lane = self._by_number.get(int(fields["mnt_id"]))
        return fd if lane is None else Slow(fd, lane)

    def toward(self, fd: int, inode: Identity, name: bytes) -> int:
        """``fd``, which pins the directory ``inode``: slow if ``name`` in it is a slow mount."""
        if not self._crossings or type(fd) is Slow:
            return fd
        lane = self._crossings.get((inode.dev, inode.ino, name))
        return fd if lane is None else Slow(fd, lane, (inode, name))

    def on_way(self, path: bytes) -> Lane | None:
        """A slow mount that an absolute path leads through, without a look at any."""
        if not self._by_path:
            return None
        while path not in self._by_path and path != b"/":
            path = os.path.dirname(path)
        return self._by_path.get(path)

    def canonical(self, path: bytes) -> bytes:
        """The absolute path with its parents resolved, itself not: it may be a symlink or absent.

        As it is if it leads to a slow mount.
        """
        path = os.path.abspath(path)
        if self.on_way(path) is not None:
            return path
        parent, name = os.path.split(path)
        return os.path.join(os.path.realpath(parent), name)

    @property
    def waited(self) -> bool:
        """Whether the operation that is run now has waited for a slow mount already."""
        return self._calls is not None and self._calls.waited

    def any_below(self, path: bytes) -> bool:
        """Whether a slow mount is at ``path`` or below it."""
        return any((mount + b"/").startswith(path + b"/") for mount in self._by_path)


def _mounts() -> list[Mount]:
    with open("/proc/self/mountinfo", "rb") as file:
        return [_parsed(line) for line in file]


def _parsed(line: bytes) -> Mount:
    before, _, after = line.partition(b" - ")
    number, _, device, _, path = before.split(b" ")[:5]
    path = _ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), path)
    return Mount(int(number), device.decode(), path, after.split(b" ")[0])


def _stat(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
