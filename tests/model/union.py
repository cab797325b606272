"""What the jail sees of its home: two layers, and one rule for each name.

Lower is the host's home as the policy shows it, read-only; upper is the store.  Lower wins for a
name that both have; two directories become one.  Nothing is copied from one to the other.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace

from tests.model.disk import NAME_MAX, Inode, Path
from tests.model.links import Arrival, End, Host
from tests.model.policy import Policy, Sight

_HOPS = 40


class Refusal(Exception):  # noqa: N818 - reads as what it is
    """What an operation is refused with: any of the reasons that hold may come first."""

    def __init__(self, *reasons: int) -> None:
        super().__init__(*(errno.errorcode[reason] for reason in reasons))
        self.reasons = frozenset(reasons)


@dataclass(frozen=True)
class Seen:
    """What is at ``path`` of the view: the parts that count, of the host and of the store.

    ``own`` is where the host has its part, when a symlink brought it here; ``link`` says where a
    symlink of the host leads.
    """

    path: Path
    sight: Sight
    host: Inode | None = None
    store: Inode | None = None
    own: Path | None = None
    link: Arrival | None = None
    above: Seen | None = None

    @property
    def inode(self) -> Inode:
        """The part that wins."""
        inode = self.host or self.store
        assert inode is not None
        return inode

    @property
    def host_path(self) -> Path:
        """The host's path of its part."""
        return self.path if self.own is None else self.own


class Union:
    """The view; changing nothing."""

    def __init__(self, host: Host, home: Inode, store: Inode, policy: Policy) -> None:
        self.host = host
        self.home = home
        self.store = store
        self.policy = policy

    def root(self) -> Seen:
        """The home itself."""
        return Seen((), self.policy.sight(()), self.home, self.store)

    def see(self, path: Path) -> Seen:
        """What is at ``path``; refused as a walk along it would be."""
        seen = self.root()
        for name in path:
            inner = self.child(seen, name)
            if inner is None:
                raise Refusal(errno.ENOENT)
            seen = inner
        return seen

    def parent(self, path: Path) -> Seen:
        """The directory in which ``path`` is, or would be."""
        seen = self.see(path[:-1])
        check_step(seen, path[-1])
        return seen

    def child(self, seen: Seen, name: bytes) -> Seen | None:
        """What ``name`` is in the directory ``seen``."""
        check_step(seen, name)
        if seen.sight is Sight.PLACE:
            return None
        own = None if seen.own is None else (*seen.own, name)
        path = (*seen.path, name)
        shown = Seen(path, self._sight(path, own), own=own, above=seen)
        if seen.host is not None and seen.host.is_dir and shown.sight is not Sight.HIDDEN:
            shown = self._host_part(seen, name, shown)
        inner = seen.store.children.get(name) if seen.store and seen.store.is_dir else None
        if inner is not None and self._counts(shown, inner):
            shown = replace(shown, store=inner)
        return shown if shown.host or shown.store else None

    def names(self, seen: Seen) -> set[bytes]:
        """The names in a directory: those that can be looked up, and no others."""
        candidates: set[bytes] = set()
        for part in (seen.host, seen.store):
            if part is not None:
                candidates |= set(part.children)
        return {name for name in candidates if self.child(seen, name) is not None}

    def leads(self, at: Seen, text: bytes) -> Path:
        """The absolute path to which ``text``, followed in the jail from ``at``, leads."""
        return self._jail_walk(at, text, 0)

    def _sight(self, path: Path, own: Path | None) -> Sight:
        if own is not None:
            if self.policy.shut(own):
                return Sight.HIDDEN
            if self.policy.sight(own) is Sight.PLACE:
                return Sight.PLACE
        return self.policy.sight(path)

    def _host_part(self, seen: Seen, name: bytes, shown: Seen) -> Seen:
        assert seen.host is not None
        inode = seen.host.children.get(name)
        if inode is None or inode in self.host.never:
            return shown
        way = shown.sight is Sight.WAY
        if not inode.is_link or shown.sight is Sight.PLACE:
            return replace(shown, host=None if way and not inode.is_dir else inode)
        directory = (*self.host.home, *seen.host_path)
        arrival = self.host.follow(self.policy, directory, inode.data)
        if arrival.end is End.HIDDEN:
            assert arrival.inode is not None
            return self._target(seen, shown, inode, arrival)
        stays = arrival.end in (End.LEFT, End.SHOWN) or (arrival.end is End.NOWHERE and not way)
        return replace(shown, host=inode, link=arrival) if stays else shown

    def _target(self, seen: Seen, shown: Seen, link: Inode, arrival: Arrival) -> Seen:
        """A link that is shown as what it points to, unless that is shown above it already."""
        own = self.host.below_home(arrival.path)
        assert own is not None
        above: Seen | None = seen
        while above is not None:
            if above.own is not None and own[: len(above.own)] == above.own:
                return replace(shown, host=link, link=replace(arrival, end=End.SHOWN))
            above = above.above
        assert arrival.inode is not None
        if shown.sight is Sight.WAY and not arrival.inode.is_dir:
            return shown
        return replace(shown, host=arrival.inode, own=own)

    def _counts(self, shown: Seen, store: Inode) -> bool:
        if shown.host is None:
            return True
        merged = shown.host.is_dir and store.is_dir
        return merged and shown.sight in (Sight.WAY, Sight.ADDED_TO)

    def _jail_walk(self, at: Seen, text: bytes, hops: int) -> Path:
        way, out = _down_to(at), list(self.host.home)
        pending = text.split(b"/")
        if text.startswith(b"/"):
            way, out = [], []
        while pending:
            name = pending.pop(0)
            if name in (b"", b"."):
                continue
            if not way:
                out = out[:-1] if name == b".." else [*out, name]
                way = [self.root()] if tuple(out) == self.host.home else []
            elif name == b"..":
                way.pop()
                out = out if way else out[:-1]
            else:
                inner = self.child(way[-1], name) if way[-1].inode.is_dir else None
                if inner is not None and inner.inode.is_link and hops < _HOPS:
                    rest = b"/".join([inner.inode.data, *pending])
                    return self._jail_walk(way[-1], rest, hops + 1)
                if inner is None or not inner.inode.is_dir:
                    return (*self.host.home, *way[-1].path, name, *pending)
                way.append(inner)
        return (*out, *way[-1].path) if way else tuple(out)


def _down_to(seen: Seen) -> list[Seen]:
    way = [seen]
    while (above := way[0].above) is not None:
        way.insert(0, above)
    return way


def check_step(seen: Seen, name: bytes) -> None:
    """Refuse to look for ``name`` in what is no directory, and for names that are too long."""
    reasons = [errno.ENOTDIR] if not seen.inode.is_dir else []
    if len(name) > NAME_MAX:
        reasons.append(errno.ENAMETOOLONG)
    if reasons:
        raise Refusal(*reasons)


def stored_at(root: Inode, wanted: Inode) -> Path | None:
    """Where the directory ``wanted`` is in the store now."""
    for name, inode in root.children.items():
        if inode is wanted:
            return (name,)
        if inode.is_dir and (below := stored_at(inode, wanted)) is not None:
            return (name, *below)
    return None
