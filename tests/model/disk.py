"""An in-memory file system: names, inodes and hard links, as any disk has them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

Path = tuple[bytes, ...]
"""The names from the home on; empty: the home itself."""

NAME_MAX = 255


@dataclass(eq=False)
class Inode:
    """One file of any type; ``kind`` is its S_IFMT, ``data`` its content or a symlink's text."""

    kind: int
    mode: int = 0o644
    data: bytes = b""
    children: dict[bytes, Inode] = field(default_factory=dict)
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    names: int = 1

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.kind == stat.S_IFDIR

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.kind == stat.S_IFREG

    @property
    def is_link(self) -> bool:
        """Whether it is a symlink."""
        return self.kind == stat.S_IFLNK

    def resize(self, size: int) -> None:
        """truncate(2)."""
        self.data = self.data[:size].ljust(size, b"\0")

    def write(self, offset: int, data: bytes) -> None:
        """pwrite(2)."""
        before = self.data[:offset].ljust(offset, b"\0")
        self.data = before + data + self.data[offset + len(data) :]


def directory(mode: int = 0o755) -> Inode:
    """A new, empty directory."""
    return Inode(stat.S_IFDIR, mode)


def find(root: Inode, path: Path) -> Inode | None:
    """The inode at ``path``; no symlink is followed."""
    for name in path:
        inner = root.children.get(name) if root.is_dir else None
        if inner is None:
            return None
        root = inner
    return root


def remove(parent: Inode, name: bytes) -> None:
    """Take a name away; what is below a directory goes with it."""
    gone = parent.children.pop(name)
    gone.names -= 1
    for inner in list(gone.children):
        remove(gone, inner)


def walk(root: Inode, at: Path = ()) -> Iterator[tuple[Path, Inode]]:
    """Everything below ``root``, parents first."""
    for name, inode in root.children.items():
        yield (*at, name), inode
        yield from walk(inode, (*at, name))
