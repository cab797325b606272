"""Programs that stay in a directory of the store while it is renamed, removed and filled.

What a program holds is a directory and no path: a working directory, or a descriptor for ``*at()``
calls.  The model finds where it is now; where the store changes behind the view they are let go.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.disk import Inode, Path
from tests.model.driver import held
from tests.model.machine import LIKELY, NAMES, STORED, ViewMachine
from tests.model.union import Refusal, Seen, stored_at

Call = Callable[[Path], object]


class HeldSteps(ViewMachine):
    """The rules about directories that are held."""

    @rule(path=STORED)
    def hold(self, path: Path) -> None:
        try:
            seen = self.model.see(path)
        except Refusal:
            return
        if seen.host is None and seen.inode.is_dir and seen.store is not None:
            self.held.append((self.view.hold(path), seen.store))

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99), name=NAMES)
    def mkdir_in_held(self, number: int, name: bytes) -> None:
        self._in_held(
            number,
            name,
            lambda path: self.model.mkdir(path, 0o755),
            lambda path: self.view.mkdir(path, 0o755),
        )

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99), name=NAMES)
    def create_in_held(self, number: int, name: bytes) -> None:
        def create(path: Path) -> None:
            self.view.release(self.view.create(path, 0o644))

        self._in_held(number, name, lambda path: self.model.create(path, 0o644), create)

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99), name=NAMES)
    def unlink_in_held(self, number: int, name: bytes) -> None:
        self._in_held(number, name, self.model.unlink, self.view.unlink)

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99), name=NAMES, new=LIKELY)
    def rename_from_held(self, number: int, name: bytes, new: Path) -> None:
        self._in_held(
            number,
            name,
            lambda path: self.model.rename(path, new),
            lambda path: self.view.rename(path, new, 0),
        )

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99))
    def list_held(self, number: int) -> None:
        token, inode = self.held[number % len(self.held)]
        seen = self._now(inode)
        if seen is not None:
            assert self.view.names((held(token),)) == self.model.names(seen)
        elif stored_at(self.store.root, inode) is None:
            assert self.view.names((held(token),)) == set()

    def _in_held(self, number: int, name: bytes, expected: Call, actual: Call) -> None:
        token, inode = self.held[number % len(self.held)]
        seen = self._now(inode)
        if seen is not None:
            place = (*seen.path, name)
            self.both(lambda: expected(place), lambda: actual((held(token), name)))
        elif stored_at(self.store.root, inode) is None:
            self.both(self._removed, lambda: actual((held(token), name)))

    def _now(self, inode: Inode) -> Seen | None:
        """What the view shows of it, where that is the store's directory alone."""
        place = stored_at(self.store.root, inode)
        if place is None:
            return None
        try:
            seen = self.model.see(place)
        except Refusal:
            return None
        return seen if seen.store is inode and seen.host is None else None

    def _removed(self) -> None:
        raise Refusal(errno.ENOENT)
