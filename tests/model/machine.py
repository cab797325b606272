"""The machine: one world, its model, the view of it through a driver, and how they are compared."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path as RealPath
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from fusefs.rules import Kind, Rule
from tests.model.changes import Model
from tests.model.disk import Inode, Path, directory, walk
from tests.model.driver import Driver, Facts
from tests.model.ground import Ground
from tests.model.links import End, Host
from tests.model.policy import Policy, Say, Sight
from tests.model.union import Refusal, Seen
from tests.support.layouts import Layout

PROJECT, DATA, CONFIG = (b"proj",), (b"w", b"data"), (b".dirjailconfig",)
STATE, STORE = (*PROJECT, b"venv", b".venvjail"), (*PROJECT, b"venv", b"home")
FIXED = frozenset({PROJECT, DATA, CONFIG})
ALWAYS = {
    (PROJECT, Say.MOUNTPOINT),
    (DATA, Say.MOUNTPOINT),
    *((path, Say.NEVER) for path in (CONFIG, STATE, STORE)),
}
ODD_NAMES = (b"\xff\xfe", "é".encode(), b"n" * 255, b"n" * 256, b"new\nline", b"-rf")
NAMES = st.sampled_from((b"a", b"b", b"c"))
SHORT_PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)


def _of_machine(paths: Callable[[Any], list[Path]]) -> st.SearchStrategy[Path]:
    """One of the paths that the running machine says."""
    return st.runner().flatmap(lambda machine: st.sampled_from(paths(machine)))


HOSTED = _of_machine(lambda machine: machine.paths_in(machine.host))
STORED = _of_machine(lambda machine: machine.paths_in(machine.store))
BELOW = st.tuples(st.one_of(HOSTED, STORED), NAMES).map(lambda pair: (*pair[0], pair[1]))
LIKELY = st.one_of(SHORT_PATHS, HOSTED, STORED, BELOW)
PATHS = st.one_of(
    LIKELY,
    LIKELY,
    st.tuples(NAMES, st.sampled_from(ODD_NAMES)),
    st.tuples(st.sampled_from((b"w", *ODD_NAMES))),
    st.tuples(st.just(b"w"), NAMES),
    st.sampled_from(
        [PROJECT, (*PROJECT, b"code"), STATE, (*STORE, b"a"), CONFIG, DATA, (*DATA, b"x")]
    ),
)
MOVABLE = st.one_of(STORED, STORED, PATHS)
ENTRIES = st.tuples(
    st.one_of(SHORT_PATHS, SHORT_PATHS, st.sampled_from([(b"w",), (b"w", b"a"), PROJECT, CONFIG])),
    st.sampled_from((Say.ALLOW, Say.ALLOW, Say.ALLOW_RO, Say.HIDE)),
)
CONTENT = st.binary(min_size=0, max_size=12)


def _texts() -> st.SearchStrategy[bytes]:
    """Texts of symlinks, ``@`` for the world's directory: relative, absolute, to what is shut."""
    special = st.sampled_from([CONFIG, DATA, (*DATA, b"x"), STATE, PROJECT])
    inside = st.one_of(SHORT_PATHS, SHORT_PATHS, special).map(b"/".join)
    ups = st.sampled_from([b"", b"", b"../", b"../../", b"./"])
    outside = [b"@/outside/file", b"@/outside/back", b"@/outside/back/b", b"@/outside/none"]
    return st.one_of(
        st.tuples(ups, inside).map(b"".join),
        inside.map(lambda path: b"@/alice/" + path),
        st.sampled_from([*outside, b".", b"..", b"../..", b"@/alice/"]),
    )


TEXTS = _texts()


class ViewMachine(RuleBasedStateMachine):
    """A home, a store and a view of them, with the model of all that."""

    def __init__(self) -> None:
        super().__init__()
        self.base = RealPath(os.path.realpath(tempfile.mkdtemp(prefix="model-")))
        self.handles: list[tuple[int, Inode, int]] = []
        self.held: list[tuple[int, Inode]] = []
        self.driver: Driver | None = None

    @abstractmethod
    def make_driver(self, layout: Layout, rules: list[Rule]) -> Driver:
        """The view to be tested."""

    @initialize(
        entries=st.sets(ENTRIES, min_size=1, max_size=5),
        planted=st.lists(st.tuples(SHORT_PATHS, st.none() | TEXTS), min_size=5, max_size=15),
    )
    def begin(
        self, entries: set[tuple[Path, Say]], planted: list[tuple[Path, bytes | None]]
    ) -> None:
        """Make the world: at each path of ``planted`` a symlink of that text, or a file."""
        layout = Layout(self.base)
        home, store, world = directory(), directory(), directory()
        self.host = Ground(layout.host, home, FIXED)
        self.store = Ground(layout.store, store)
        _build(layout, world, home)
        for path, text in planted:
            for length in range(1, len(path)):
                self.host.mkdir(path[:length])
            if text is None:
                self.host.write(path, b"host " + b"/".join(path))
            else:
                self.host.symlink(path, self.text(text))
        [config] = [inode for path, inode in walk(home) if path == CONFIG]
        names = tuple(os.fsencode(layout.host).split(b"/"))[1:]
        host = Host(world, names, frozenset({config}))
        self.model = Model(host, home, store, Policy(ALWAYS | entries))
        self.driver = self.make_driver(layout, self.view_rules())
        self.untouched = self._host_snapshot()

    def teardown(self) -> None:
        """Compare everything a last time."""
        try:
            if self.driver is not None:
                try:
                    self.compare_everything()
                    self.check_host()
                    self.store.check()
                finally:
                    driver, self.driver = self.driver, None
                    driver.close()
        finally:
            for above, _, _ in os.walk(self.base):
                os.chmod(above, 0o700)
            shutil.rmtree(self.base)

    def view_rules(self) -> list[Rule]:
        """The policy as the view takes it; NEVER comes to it as paths."""
        return [
            Rule(b"/".join(path), Kind[say.name])
            for path, say in sorted(self.model.policy.entries, key=repr)
            if say is not Say.NEVER
        ]

    @property
    def view(self) -> Driver:
        """The driver, which there is from `begin` on."""
        assert self.driver is not None
        return self.driver

    def text(self, text: bytes) -> bytes:
        """One of `TEXTS` in this world."""
        return text.replace(b"@", os.fsencode(self.base))

    def paths_in(self, ground: Ground) -> list[Path]:
        """The paths that are there, or one where there is none."""
        paths = [path for path, _ in walk(ground.root) if path[:1] != PROJECT]
        return sorted(paths) or [(b"a",)]

    # -- comparing -------------------------------------------------------------------------

    def both(self, expected: Callable[[], Any], actual: Callable[[], Any]) -> tuple[Any, Any]:
        """What the model and the view answer; ``(None, None)`` when both refuse, and alike."""
        try:
            answer = expected()
        except Refusal as refusal:
            try:
                got = actual()
            except OSError as error:
                assert error.errno in refusal.reasons, (refusal, error)
                return None, None
            raise AssertionError(f"{refusal} was expected, not {got!r}") from None
        return answer, actual()

    def compare(self, seen: Seen) -> None:
        """Attributes and content of what is seen."""
        assert self.view.stat(seen.path) == self.facts(seen), seen.path
        inode = seen.inode
        if inode.is_dir:
            assert self.view.names(seen.path) == self.model.names(seen), seen.path
        elif inode.is_link:
            self.compare_text(seen, self.view.readlink(seen.path))
        elif inode.is_file and inode.mode & 0o400 and seen.sight is not Sight.PLACE:
            handle = self.view.open(seen.path, os.O_RDONLY)
            assert self.view.read(handle, 0, 1 << 16) == inode.data, seen.path
            self.view.release(handle)

    def compare_text(self, seen: Seen, text: bytes) -> None:
        """A symlink of the host may be given another text, if it leads to the same place."""
        link, above = seen.link, seen.above
        if link is None:
            assert text == seen.inode.data
            return
        assert above is not None
        if link.end is End.NOWHERE:
            assert text in (seen.inode.data, b"/" + b"/".join(link.path))
            return
        leads = self.model.leads(above, text)
        if link.end is End.LEFT:
            assert leads == link.path, (text, leads, link)
            return
        place = self.model.host.below_home(leads)
        assert place is not None, (text, leads, link)
        assert self.model.see(place).host is link.inode, (text, leads, link)

    def facts(self, seen: Seen) -> Facts:
        """The attributes that what is seen should have."""
        inode = seen.inode
        size = 0 if seen.sight is Sight.PLACE else len(inode.data)
        parts = []
        if seen.host is not None:
            parts.append(os.lstat(self.host.at(seen.host_path)))
        if seen.store is not None:
            parts.append(os.lstat(self.store.at(seen.path)))
        if inode.is_dir:
            got = self.view.stat(seen.path)
            size, links = got.size, got.links  # no promise
        else:
            links = inode.names
        when = max(part.st_mtime_ns for part in parts)
        return Facts(inode.kind, inode.mode, size, links, when)

    def compare_everything(self, seen: Seen | None = None) -> None:
        """The whole view."""
        seen = seen or self.model.root()
        self.compare(seen)
        for name in sorted(self.model.names(seen) if seen.inode.is_dir else ()):
            inner = self.model.child(seen, name)
            assert inner is not None
            self.compare_everything(inner)

    def check_host(self) -> None:
        """The host's home is what the host's own steps made of it."""
        assert self._host_snapshot() == self.untouched
        self.untouched = self._host_snapshot()

    def on_host(self, step: Callable[[], None]) -> None:
        """A step of the host, before which nothing else may have changed its home."""
        self.check_host()
        step()
        self.untouched = self._host_snapshot()

    def _host_snapshot(self) -> Any:
        return self.host.snapshot(without=self.store.real)


def _build(layout: Layout, world: Inode, home: Inode) -> None:
    """What every world has, real and modelled: the project, places, what is never shown."""
    layout.state.mkdir(parents=True)
    layout.store.mkdir()
    data = layout.host / "w" / "data"
    data.mkdir(parents=True)
    outside = layout.base / "outside"
    outside.mkdir()
    layout.mountpoint.mkdir()
    for file in (layout.state / "config", layout.host / "proj" / "code", data / "x"):
        file.write_bytes(b"real")
    for file in (outside / "file", layout.host / ".dirjailconfig"):
        file.write_bytes(b"real")
    (outside / "back").symlink_to(layout.host)
    inode = world
    for name in layout.base.parts[1:]:
        inner = inode.children[os.fsencode(name)] = directory()
        inode = inner
    inode.children[b"outside"] = directory()
    inode.children[b"outside"].children = {
        b"file": Inode(stat.S_IFREG, 0o644, b"real"),
        b"back": Inode(stat.S_IFLNK, 0o777, os.fsencode(layout.host)),
    }
    inode.children[b"alice"] = home
    _model_of(layout.host, home)


def _model_of(real: RealPath, inode: Inode) -> None:
    for path in real.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
        name = os.fsencode(path.name)
        if path.is_dir():
            inode.children[name] = directory()
            _model_of(path, inode.children[name])
        else:
            inode.children[name] = Inode(stat.S_IFREG, 0o644, path.read_bytes())
