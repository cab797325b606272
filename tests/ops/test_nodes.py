"""Inodes and descriptors: bounded, given back, and never mistaken for another file's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from fusefs import nodes
from fusefs.view import Budget
from tests.support.clients import CONTEXT, Client
from tests.support.layouts import SECRET, Layout

SMALL = Budget(inodes=8, files=16, directories=8)


@pytest.fixture
def small(layout: Layout) -> Client:
    """A view that may keep few descriptors."""
    return Client(layout, budget=SMALL)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_many_inodes_need_few_descriptors(layout: Layout) -> None:
    for number in range(40):
        directory = layout.store / f"d{number}"
        directory.mkdir()
        for file in range(100):
            (directory / f"f{file}").touch()
    before = descriptors()
    small = Client(layout, budget=SMALL)
    paths = [f"home/d{number}/f{file}" for number in range(40) for file in range(100)]
    inodes = {path: small.inode(path) for path in paths}
    for path in paths[::7]:
        small.release(small.open(path))
    assert len(set(inodes.values())) == len(paths)
    assert descriptors() - before < 40
    shown = [
        small.run(small.operations.getattr(inode, CONTEXT)).st_ino for inode in inodes.values()
    ]
    assert shown == list(inodes.values())
    small.operations.close()
    assert descriptors() == before


def test_forgetting_gives_everything_back(small: Client) -> None:
    baseline = descriptors()
    for number in range(30):
        small.mkdir(f"home/d{number}")
        small.write(f"home/d{number}/f", "x")
        small.read(f"home/d{number}/f")
    known = len(small.operations._table)
    small.forget_all()
    assert len(small.operations._table) < known
    assert len(small.operations._table) == 3
    assert descriptors() == baseline
    small.operations.close()


def test_what_was_made_for_many_inodes_is_given_back(
    small: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dict keeps the size that it once had."""
    monkeypatch.setattr(nodes, "_MANY", 50)
    table, union = small.operations._table, small.operations._view.home
    told: list[int] = []
    small.operations.when_thinned(lambda: told.append(len(table)))
    paths = [f"home/f{number}" for number in range(397)]
    for path in paths:
        small.write(path, path)
    assert told == []
    most = [sys.getsizeof(found) for found in (table._nodes, union._files)]
    kept, *others = paths
    counts = [(small.inode(path), small.lookups[small.inode(path)]) for path in others]
    small.run(small.operations.forget(counts))
    assert told == [99, 24], "when three quarters are gone, and again"
    few = [sys.getsizeof(found) for found in (table._nodes, union._files)]
    assert all(8 * now < before for now, before in zip(few, most, strict=True))
    assert small.read(kept) == kept
    # Next time, from what it is then.
    told.clear()
    small.forget_all()
    for number in range(57):
        small.mkdir(f"home/d{number}")
    assert len(table) == 60
    small.forget_all()
    assert told == [14]
    for path in paths[:20]:
        small.read(path)
    small.forget_all()
    assert told == [14], "few are not worth it"
    small.operations.close()


@pytest.mark.parametrize("moved", [False, True])
def test_a_parent_is_remembered_as_long_as_a_child(small: Client, moved: bool) -> None:
    small.mkdir("home/a")
    small.mkdir("home/b")
    small.write("home/a/x", "x")
    inode = small.inode("home/a/x")
    if moved:
        small.rename("home/a/x", "home/b/x")
    counts = [(node, count) for node, count in small.lookups.items() if node != inode]
    small.run(small.operations.forget(counts))
    assert len(small.operations._table) == 5  # the view's three, one directory, the file
    _evict(small)
    assert small.run(small.operations.getattr(inode, CONTEXT)).st_size == 1
    small.run(small.operations.forget([(inode, small.lookups[inode])]))
    assert len(small.operations._table) == 3
    small.operations.close()


def test_forgetting_too_much_does_no_harm(client: Client) -> None:
    inode = client.inode("home/.bashrc")
    client.run(client.operations.forget([(inode, 99), (inode, 1), (12345, 1), (1, 5), (2, 5)]))
    assert client.read("home/.bashrc")
    with pytest.raises(OSError) as caught:
        client.run(client.operations.getattr(12345, CONTEXT))
    assert caught.value.errno == errno.ESTALE


@pytest.mark.parametrize("replacement", ["file", "link", "nothing"])
def test_what_replaced_a_file_is_not_taken_for_it(
    small: Client, layout: Layout, replacement: str
) -> None:
    small.write("home/x", "mine")
    inode = small.inode("home/x")
    _evict(small)
    (layout.store / "x").rename(layout.store / "y")
    if replacement == "file":
        (layout.store / "x").write_text("another")
    elif replacement == "link":
        (layout.store / "x").symlink_to(layout.host / ".ssh/id_rsa")
    for call in (
        small.operations.getattr(inode, CONTEXT),
        small.operations.open(inode, os.O_RDWR, CONTEXT),
    ):
        with pytest.raises(OSError) as caught:
            small.run(call)
        assert caught.value.errno == errno.ESTALE
    assert (layout.host / ".ssh/id_rsa").read_text() == SECRET
    small.operations.close()


def test_an_open_unlinked_file_outlives_the_search_for_descriptors(small: Client) -> None:
    small.write("home/x", "data")
    inode, handle = small.inode("home/x"), small.open("home/x")
    small.unlink("home/x")
    _evict(small)
    assert small.run(small.operations.getattr(inode, CONTEXT)).st_nlink == 0
    assert small.run(small.operations.read(handle, 0, 10)) == b"data"
    small.operations.close()


@pytest.mark.parametrize("how", ["unlink", "replace"])
def test_an_inode_without_a_name_outlives_interest_in_others(small: Client, how: str) -> None:
    small.write("home/x", "data")
    inode = small.inode("home/x")
    if how == "unlink":
        small.unlink("home/x")
    else:
        small.write("home/y", "other")
        small.rename("home/y", "home/x")
    for number in range(3 * SMALL.inodes):
        small.write(f"home/f{number}", "x")
        small.read(f"home/f{number}")
    assert small.run(small.operations.getattr(inode, CONTEXT)).st_nlink == 0
    small.operations.close()


def test_a_removed_directory_is_not_the_next_of_its_name(client: Client) -> None:
    first = client.mkdir("home/d")
    client.rmdir("home/d")
    assert client.mkdir("home/d") != first
    client.write("home/d/x", "x")
    with pytest.raises(FileNotFoundError):
        client.lookup(first, b"x")


def test_a_replaced_directory_is_not_the_one_that_took_its_name(client: Client) -> None:
    client.mkdir("home/a")
    client.mkdir("home/b")
    client.forget_all()
    replaced = client.inode("home/b")
    client.rename("home/a", "home/b")  # of which the kernel does not know the first
    assert client.inode("home/b") != replaced


def test_a_directory_that_was_a_file_meanwhile_is_another(client: Client, layout: Layout) -> None:
    first = client.mkdir("home/d")
    (layout.store / "d").rename(layout.store / "old")
    (layout.store / "d").touch()
    client.inode("home/d")
    (layout.store / "d").unlink()
    (layout.store / "d").mkdir()
    assert client.inode("home/d") != first


def test_a_refused_creation_leaves_no_inode_behind(client: Client) -> None:
    client.inode("home")
    known = len(client.operations._table)
    with pytest.raises(OSError, match="Read-only"):
        client.create("home/.bashrc", flags=os.O_RDWR)
    assert len(client.operations._table) == known


def test_inodes_without_a_name_are_bounded_too(small: Client) -> None:
    baseline = descriptors()
    for number in range(50):
        small.write(f"home/f{number}", "x")
        small.unlink(f"home/f{number}")
    assert descriptors() - baseline <= 2 * SMALL.inodes
    small.operations.close()


@pytest.mark.parametrize("removed", ["a", "b"])
def test_a_hard_link_outlives_its_other_name(small: Client, removed: str) -> None:
    small.write("home/a", "x")
    inode = small.link("home/a", "home/b")
    small.unlink(f"home/{removed}")
    assert small.run(small.operations.getattr(inode, CONTEXT)).st_nlink == 1
    [kept] = {"a", "b"} - {removed}
    assert small.inode(f"home/{kept}") == inode
    _evict(small)
    assert small.read(f"home/{kept}") == "x"
    small.operations.close()


def test_open_files_are_bounded_and_service_goes_on(small: Client) -> None:
    small.write("home/x", "data")
    handles = [small.open("home/x") for _ in range(SMALL.files)]
    for attempt in (lambda: small.open("home/x"), lambda: small.create("home/y")):
        with pytest.raises(OSError) as caught:
            attempt()
        assert caught.value.errno == errno.ENFILE
    assert not small.exists("home/y")
    assert small.names("home") > {"x"}
    small.release(handles.pop())
    assert small.read("home/x") == "data"
    small.operations.close()


def test_a_very_deep_directory_is_served(small: Client, layout: Layout) -> None:
    inode = small.inode("home")
    for _ in range(1500):
        entry = small.run(small.operations.mkdir(inode, b"d", 0o755, CONTEXT))
        inode = entry.st_ino
    _evict(small)
    info, _ = small.run(small.operations.create(inode, b"f", 0o644, os.O_RDWR, CONTEXT))
    small.release(info.fh)
    with pytest.raises(FileNotFoundError):
        small.lookup(inode, b"absent")
    small.operations.close()
    # Too deep for pytest's own removal of its temporary directories.
    subprocess.run(["rm", "-r", layout.store / "d"], check=True)


def test_a_store_directory_removed_behind_our_back_leaves_the_hosts(
    client: Client, layout: Layout
) -> None:
    client.write("home/.local/bin/new", "x")
    inode = client.inode("home/.local/bin")
    (layout.store / ".local/bin/new").unlink()
    (layout.store / ".local/bin").rmdir()
    client.operations._table.descriptors.capacity = 0
    assert client.run(client.operations.getattr(inode, CONTEXT)).st_ino == inode
    assert client.names("home/.local/bin") == {"tool"}
    client.write("home/.local/bin/again", "x")
    assert (layout.store / ".local/bin/again").exists()


def _evict(client: Client) -> None:
    """Close what can be found again, as looking at many others would."""
    table = client.operations._table.descriptors
    capacity, table.capacity = table.capacity, 0
    table.trim()
    table.capacity = capacity
