"""What the jail's operations do to the model: everything new goes to the store.

An operation first gathers every reason against it.  With none it is done, else it is refused with
all of them: which of two comes first is the kernel's choice, and no promise of the view.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from tests.model.disk import Inode, Path, directory, remove
from tests.model.policy import Sight
from tests.model.union import Refusal, Seen, Union

NOREPLACE, EXCHANGE = 1, 2
_SET_ID = stat.S_ISUID | stat.S_ISGID


class Model(Union):
    """The view as jailed programs change it."""

    # -- making names ----------------------------------------------------------------------

    def mkdir(self, path: Path, mode: int) -> None:
        """mkdir(2)."""
        self._add(path, directory(mode), mode=mode)

    def mknod(self, path: Path, kind: int, mode: int) -> None:
        """mknod(2) of a regular file, a fifo or a socket."""
        self._add(path, Inode(kind, mode), mode=mode)

    def symlink(self, text: bytes, path: Path) -> None:
        """symlink(2)."""
        self._add(path, Inode(stat.S_IFLNK, 0o777, text))

    def create(self, path: Path, mode: int) -> Inode:
        """open(2) with O_CREAT and O_EXCL."""
        inode = Inode(stat.S_IFREG, mode)
        self._add(path, inode, mode=mode)
        return inode

    def link(self, source: Path, path: Path) -> None:
        """link(2): not for what the host has."""
        seen, parent = _all(lambda: self.see(source), lambda: self.parent(path))
        reasons = set()
        if seen.host is not None:
            reasons.add(errno.EROFS)
        if seen.inode.is_dir:
            reasons.add(errno.EPERM)
        existing = self.child(parent, path[-1])
        if existing is not None and existing.host is not None:
            reasons.add(errno.EROFS)
        self._add(path, seen.inode, reasons)
        seen.inode.names += 1

    def _add(
        self, path: Path, inode: Inode, reasons: set[int] | None = None, *, mode: int = 0
    ) -> None:
        parent = self.parent(path)
        reasons = set() if reasons is None else reasons
        if self.child(parent, path[-1]) is not None:
            reasons.add(errno.EEXIST)
        if mode & _SET_ID:
            reasons.add(errno.EPERM)
        reasons |= self._reasons_against_names_in(parent)
        _refuse(reasons)
        self._storage(parent).children[path[-1]] = inode

    def _reasons_against_names_in(self, seen: Seen) -> set[int]:
        if seen.sight is Sight.PLACE:
            return {errno.EROFS}
        if seen.sight is Sight.READ_ONLY and seen.host is not None:
            return {errno.EROFS}
        above: Seen | None = seen
        while above is not None and above.store is None:
            outer = above.above
            name = above.path[-1:]
            if outer and outer.store and name and name[0] in outer.store.children:
                return {errno.EROFS}  # the store has something else by this directory's name
            above = outer
        return set()

    def _storage(self, seen: Seen) -> Inode:
        """The store's side of a directory, made where it is missing."""
        if seen.store is not None:
            return seen.store
        assert seen.above is not None
        assert seen.host is not None
        outer = self._storage(seen.above)
        made = outer.children[seen.path[-1]] = directory(seen.host.mode & 0o777 | 0o700)
        return made

    # -- taking names away -----------------------------------------------------------------

    def unlink(self, path: Path) -> None:
        """unlink(2)."""
        self._remove(path, {errno.EISDIR} if self._at(path).inode.is_dir else set())

    def rmdir(self, path: Path) -> None:
        """rmdir(2)."""
        inode = self._at(path).inode
        reasons = set() if inode.is_dir else {errno.ENOTDIR}
        if inode.children:
            reasons.add(errno.ENOTEMPTY)
        self._remove(path, reasons)

    def _at(self, path: Path) -> Seen:
        """What is there, its parent being a directory."""
        self.parent(path)
        return self.see(path)

    def _remove(self, path: Path, reasons: set[int]) -> None:
        if self._at(path).host is not None:
            reasons.add(errno.EROFS)
        _refuse(reasons)
        store = self.parent(path).store
        assert store is not None
        remove(store, path[-1])

    def rename(self, old: Path, new: Path, flags: int = 0) -> None:
        """renameat2(2)."""
        source, parent = _all(lambda: self._at(old), lambda: self.parent(new))
        target = self.child(parent, new[-1])
        if target is not None and target.inode is source.inode and not flags & NOREPLACE:
            return  # two names of one inode: rename(2) does nothing, whoever owns it
        reasons = self._reasons_against_names_in(parent)
        if source.host is not None:
            reasons.add(errno.EXDEV if source.host.is_dir else errno.EROFS)
        if target is not None and target.host is not None:
            reasons.add(errno.EROFS)
        if target is not None and flags & NOREPLACE:
            reasons.add(errno.EEXIST)
        if target is None and flags & EXCHANGE:
            reasons.add(errno.ENOENT)
        reasons |= _reasons_of_places(source, target, old, new, flags)
        if target is not None and not flags & EXCHANGE:
            reasons |= _reasons_against_replacing(source.inode, target.inode)
        _refuse(reasons)
        here, there = self.parent(old).store, self._storage(parent)
        assert here is not None
        if flags & EXCHANGE:
            swapped = here.children[old[-1]], there.children[new[-1]]
            there.children[new[-1]], here.children[old[-1]] = swapped
            return
        if target is not None:
            remove(there, new[-1])
        there.children[new[-1]] = here.children.pop(old[-1])

    # -- files -----------------------------------------------------------------------------

    def open(self, path: Path, flags: int) -> Inode:
        """open(2) with O_NOFOLLOW of what is there; not for fifos."""
        seen = self._at(path) if path else self.root()
        writes = bool(flags & (os.O_ACCMODE | os.O_TRUNC))
        inode, reasons = seen.inode, set()
        if inode.is_link:
            reasons.add(errno.ELOOP)
        if inode.is_dir and writes:
            reasons.add(errno.EISDIR)
        if writes and seen.host is not None:
            reasons.add(errno.EROFS)
        if inode.is_file:
            reads = flags & os.O_ACCMODE != os.O_WRONLY
            if (reads and not inode.mode & 0o400) or (writes and not inode.mode & 0o200):
                reasons.add(errno.EACCES)
            if seen.sight is Sight.PLACE:
                reasons.add(errno.EACCES)
        _refuse(reasons)
        if flags & os.O_TRUNC:
            inode.resize(0)
        return inode

    def truncate(self, path: Path, size: int) -> None:
        """truncate(2)."""
        self.open(path, os.O_WRONLY).resize(size)

    # -- attributes ------------------------------------------------------------------------

    def chmod(self, path: Path, mode: int) -> None:
        """chmod(2); not for symlinks."""
        seen = self.see(path)
        self._check_own(seen, {errno.EPERM} if mode & _SET_ID else set())
        seen.inode.mode = mode

    def check_own(self, path: Path) -> None:
        """Refuse where the host has a part in it."""
        self._check_own(self.see(path), set())

    def _check_own(self, seen: Seen, reasons: set[int]) -> None:
        if seen.host is not None:
            reasons.add(errno.EROFS)
        _refuse(reasons)

    def getxattr(self, path: Path, name: bytes) -> bytes:
        """getxattr(2) of the user's attributes."""
        inode = self.see(path).inode
        reasons = set() if name in inode.xattrs else {errno.ENODATA}
        if inode.is_file and not inode.mode & 0o400:
            reasons.add(errno.EACCES)
        _refuse(reasons)
        return inode.xattrs[name]

    def setxattr(self, path: Path, name: bytes, value: bytes, flags: int) -> None:
        """setxattr(2)."""
        seen = self.see(path)
        reasons = _reasons_against_attributes(seen.inode)
        if flags and seen.inode.is_file and not seen.inode.mode & 0o400:
            reasons.add(errno.EACCES)  # for these flags pyfuse3 reads the attribute first
        if flags == os.XATTR_CREATE and name in seen.inode.xattrs:
            reasons.add(errno.EEXIST)
        if flags == os.XATTR_REPLACE and name not in seen.inode.xattrs:
            reasons.add(errno.ENODATA)
        self._check_own(seen, reasons)
        seen.inode.xattrs[name] = value

    def removexattr(self, path: Path, name: bytes) -> None:
        """removexattr(2)."""
        seen = self.see(path)
        reasons = _reasons_against_attributes(seen.inode)
        if name not in seen.inode.xattrs:
            reasons.add(errno.ENODATA)
        self._check_own(seen, reasons)
        del seen.inode.xattrs[name]


def _all(*walks: Callable[[], Seen]) -> list[Seen]:
    """What several walks come to; refused for the reasons of all, as their order is no promise."""
    found: list[Seen] = []
    reasons: set[int] = set()
    for walk in walks:
        try:
            found.append(walk())
        except Refusal as refusal:
            reasons |= refusal.reasons
    _refuse(reasons)
    return found


def _refuse(reasons: set[int]) -> None:
    if reasons:
        raise Refusal(*reasons)


def _reasons_of_places(
    source: Seen, target: Seen | None, old: Path, new: Path, flags: int
) -> set[int]:
    """rename(2): no directory into itself, none over what it is in."""
    reasons = set()
    if source.inode.is_dir and len(new) > len(old) and new[: len(old)] == old:
        reasons.add(errno.EINVAL)
    if target is not None and len(old) > len(new) and old[: len(new)] == new:
        reasons |= {errno.EINVAL} if flags & EXCHANGE else {errno.ENOTEMPTY, errno.EEXIST}
    return reasons


def _reasons_against_replacing(source: Inode, target: Inode) -> set[int]:
    if source.is_dir and not target.is_dir:
        return {errno.ENOTDIR}
    if target.is_dir and not source.is_dir:
        return {errno.EISDIR}
    return {errno.ENOTEMPTY, errno.EEXIST} if target.children else set()


def _reasons_against_attributes(inode: Inode) -> set[int]:
    if not (inode.is_file or inode.is_dir):
        return {errno.EPERM}  # xattr(7): the user's are for files and directories
    return {errno.EACCES} if inode.is_file and not inode.mode & 0o200 else set()
