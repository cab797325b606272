"""Any sequence of changes does in the view's store what it does in a plain directory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fusefs.rules import Kind, Rule
from fusefs.view import Budget
from tests.support.clients import Client
from tests.support.layouts import Layout

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
FIRST = [("mkdir", "a"), ("mkdir", "b"), ("mkdir", "a/b"), ("write", "a/c"), ("write", "a/b/c")]
STEPS = st.one_of(
    st.tuples(st.sampled_from(("write", "mkdir", "unlink", "rmdir", "forget", "evict")), PATHS),
    st.tuples(st.sampled_from(("rename", "link", "symlink")), PATHS, PATHS),
)


def on_disk(root: Path, step: tuple[str, ...]) -> None:
    """The step on a plain directory."""
    kind, *names = step
    paths = [root / name for name in names]
    if kind == "write":
        fd = os.open(paths[0], os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, names[0].encode())
        os.close(fd)
    elif kind == "symlink":
        os.symlink("target", paths[1])
    elif kind not in ("forget", "evict"):
        calls: dict[str, Callable[..., None]] = {
            "mkdir": os.mkdir,
            "unlink": os.unlink,
            "rmdir": os.rmdir,
            "rename": os.rename,
            "link": lambda old, new: os.link(old, new, follow_symlinks=False),
        }
        calls[kind](*paths)


def in_view(client: Client, step: tuple[str, ...]) -> None:
    """The same step through the operations."""
    kind, *names = step
    paths = [f"home/{name}" for name in names]
    if kind == "write":
        handle = client.create(paths[0], flags=os.O_WRONLY | os.O_EXCL)
        client.run(client.operations.write(handle, 0, names[0].encode()))
        client.release(handle)
    elif kind == "symlink":
        client.symlink("target", paths[1])
    elif kind == "forget":
        client.forget_all()
    elif kind == "evict":
        client.operations._table.descriptors.capacity = 0
        client.stat("")
        client.operations._table.descriptors.capacity = 4
    else:
        getattr(client, kind)(*paths)


def succeeds(action: Callable[[], None]) -> bool:
    """Whether it does; which of two errors comes first is the kernel's choice, not ours."""
    try:
        action()
    except OSError:
        return False
    return True


def tree(root: Path) -> dict[str, object]:
    """Everything below ``root``: type, content, link count."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = (path.read_bytes(), path.stat().st_nlink)
    return found


def tree_in_view(client: Client, path: str = "home") -> dict[str, object]:
    """The same, asked of the view."""
    found: dict[str, object] = {}
    for name in client.names(path):
        below = f"{path}/{name}"
        kind = client.stat(below).st_mode & 0o170000
        key = below.removeprefix("home/")
        if kind == 0o040000:
            found[key] = None
            found.update(tree_in_view(client, below))
        elif kind == 0o120000:
            found[key] = client.readlink(below)
        else:
            found[key] = (client.read(below).encode(), client.stat(below).st_nlink)
    return found


@settings(max_examples=120, deadline=None)
@given(st.lists(STEPS, max_size=25), st.booleans())
def test_the_same_results_and_the_same_tree(steps: list[tuple[str, ...]], allowed: bool) -> None:
    with tempfile.TemporaryDirectory() as base:
        layout, plain = Layout.make(Path(base)), Path(base) / "plain"
        plain.mkdir()
        # Whether the rules would show what the host does not have makes no difference.
        rules = [Rule(name, Kind.ALLOW) for name in (b"a", b"b/c")] if allowed else []
        client = Client(layout, rules, budget=Budget(inodes=4, files=4, directories=4))
        try:
            for step in [*FIRST, *steps]:
                expected = succeeds(lambda step=step: on_disk(plain, step))
                assert succeeds(lambda step=step: in_view(client, step)) == expected, step
            assert tree(layout.store) == tree(plain)
            assert tree_in_view(client) == tree(plain)
            client.forget_all()
            assert len(client.operations._table) == 3
        finally:
            client.operations.close()
