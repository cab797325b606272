"""What happens beside the jail: the user's edits, new policy, and changes of the store itself.

The store changes behind the view where a cache of it is grafted, and when the user tidies it.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.disk import Path
from tests.model.ground import Ground
from tests.model.machine import CONFIG, CONTENT, ENTRIES, LIKELY, TEXTS, ViewMachine
from tests.model.policy import Say

BOTH = st.booleans()
MODES = st.sampled_from((0o644, 0o600, 0o400, 0o000, 0o755))
LINKED = st.one_of(LIKELY, st.just(CONFIG))


class HostSteps(ViewMachine):
    """The rules of the other side."""

    # -- policy ----------------------------------------------------------------------------

    @rule(entry=ENTRIES)
    def change_policy(self, entry: tuple[Path, Say]) -> None:
        """Add the entry, or take it away if it is there."""
        self.model.policy.entries ^= {entry}
        self.view.set_rules(self.view_rules())

    @rule()
    def forget(self) -> None:
        self.view.forget()

    # -- files -----------------------------------------------------------------------------

    @rule(path=LIKELY, data=CONTENT, in_store=BOTH)
    def edit_in_place(self, path: Path, data: bytes, in_store: bool) -> None:
        self.on_host(lambda: self._ground(in_store).write(path, data))

    @rule(path=LIKELY, data=CONTENT, in_store=BOTH)
    def replace_by_rename(self, path: Path, data: bytes, in_store: bool) -> None:
        self.on_host(lambda: self._ground(in_store).replace(path, data))

    @rule(path=LIKELY, in_store=BOTH)
    def remove_all(self, path: Path, in_store: bool) -> None:
        self.on_host(lambda: self._ground(in_store).remove(path))

    @rule(path=LIKELY, in_store=BOTH)
    def turn_into_directory(self, path: Path, in_store: bool) -> None:
        self.on_host(lambda: self._turn(self._ground(in_store), path))

    @rule(path=LIKELY, text=TEXTS, in_store=BOTH)
    def swap_for_symlink(self, path: Path, text: bytes, in_store: bool) -> None:
        self.on_host(lambda: self._swap(self._ground(in_store), path, self.text(text)))

    @rule(source=LINKED, path=LIKELY)
    def link_on_host(self, source: Path, path: Path) -> None:
        self.on_host(lambda: self.host.link(source, path))

    @rule(old=LIKELY, new=LIKELY, in_store=BOTH)
    def move(self, old: Path, new: Path, in_store: bool) -> None:
        self.on_host(lambda: self._ground(in_store).rename(old, new))

    @rule(path=LIKELY, mode=MODES)
    def chmod_on_host(self, path: Path, mode: int) -> None:
        self.on_host(lambda: self.host.chmod(path, mode))

    @rule(path=LIKELY, value=CONTENT)
    def setxattr_on_host(self, path: Path, value: bytes) -> None:
        self.on_host(lambda: self.host.setxattr(path, b"user.a", value))

    def _ground(self, in_store: bool) -> Ground:
        if in_store:
            self.held.clear()
            self.view.let_go()
        return self.store if in_store else self.host

    def _turn(self, ground: Ground, path: Path) -> None:
        ground.remove(path)
        ground.mkdir(path)

    def _swap(self, ground: Ground, path: Path, text: bytes) -> None:
        ground.remove(path)
        ground.symlink(path, text)
