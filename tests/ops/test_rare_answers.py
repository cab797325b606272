"""What the kernel asks rarely: after a race with the host, without permissions, in vain."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable

import pyfuse3
import pytest

from fusefs.rules import Kind, Rule, Rules
from fusefs.view import Budget
from tests.support.clients import CONTEXT, Client
from tests.support.layouts import Layout


def refused(call: Callable[[], object]) -> int | None:
    """The errno."""
    with pytest.raises(OSError) as caught:
        call()
    return caught.value.errno


def test_access_asks_the_layer_that_is_shown(client: Client, layout: Layout) -> None:
    client.write("home/own", "x")
    (layout.store / "own").chmod(0o600)

    def access(path: str, mode: int) -> bool:
        return client.run(client.operations.access(client.inode(path), mode, CONTEXT))

    assert access("home/own", os.R_OK | os.W_OK)
    assert not access("home/own", os.X_OK)
    assert access("home/.bashrc", os.R_OK)
    assert refused(lambda: access("home/.bashrc", os.W_OK)) == errno.EROFS
    assert access("home/.config", os.W_OK), "names can be made in it"
    assert access("", os.R_OK | os.X_OK)
    assert not access("proc/interrupts", os.X_OK)
    assert refused(lambda: access("", os.W_OK)) == errno.EROFS


def test_a_name_that_became_something_else_is_looked_up_again(
    client: Client, layout: Layout
) -> None:
    (layout.store / "raced").mkdir()
    assert refused(lambda: client.create("home/raced")) == errno.ESTALE


def test_a_directory_has_no_size_to_set(client: Client) -> None:
    client.mkdir("home/directory")
    os_fifo = client.mknod("home/fifo", 0o010644)
    assert os_fifo
    assert refused(lambda: client.set("home/directory", size=0)) == errno.EISDIR
    assert refused(lambda: client.set("home/fifo", size=0)) == errno.EINVAL


def test_a_symlink_that_has_gone_or_changed_is_stale(client: Client, layout: Layout) -> None:
    link = layout.host / ".config" / "git" / "link"
    link.symlink_to("config")
    inode = client.inode("home/.config/git/link")

    def read() -> bytes:
        return client.run(client.operations.readlink(inode, CONTEXT))

    assert read() == b"config"
    client.operations.replace_rules(Rules(), ())
    assert refused(read) == errno.ESTALE


def test_a_symlink_retargeted_to_what_is_hidden_is_stale(client: Client, layout: Layout) -> None:
    link = layout.host / ".config" / "git" / "link"
    link.symlink_to("config")
    inode = client.inode("home/.config/git/link")
    link.unlink()
    link.symlink_to("credentials")
    handler = client.operations.readlink(inode, CONTEXT)
    assert refused(lambda: client.run(handler)) == errno.ESTALE


def test_a_place_to_mount_on_may_be_a_symlink(layout: Layout) -> None:
    (layout.host / "place").symlink_to("proj")
    client = Client(layout, [Rule(b"place", Kind.MOUNTPOINT)])
    assert client.readlink("home/place") == "proj"
    client.operations.close()


def test_a_directory_that_was_removed_takes_no_new_names(client: Client, layout: Layout) -> None:
    inode = client.mkdir("home/.config/git/gone")
    client.rmdir("home/.config/git/gone")
    handler = client.operations.mkdir(inode, b"new", 0o755, CONTEXT)
    assert refused(lambda: client.run(handler)) == errno.ENOENT


def test_names_that_nothing_has(client: Client) -> None:
    assert refused(lambda: client.inode("nothing")) == errno.ENOENT
    assert refused(lambda: client.run(client.operations.read(4711, 0, 1))) == errno.EBADF
    assert refused(lambda: client.run(client.operations.releasedir(4711))) == errno.EBADF


def test_entries_to_forget_are_those_the_kernel_can_know(client: Client) -> None:
    client.inode("home/.config/git/config")
    entries = client.operations.replace_rules(
        Rules([Rule(b".config", Kind.ALLOW)]), (), [b".config/git", b"unknown/path"]
    )
    assert (client.inode("home/.config"), b"git") in entries
    assert all(name != b"path" for _, name in entries)


def test_a_hard_link_to_what_is_never_shown_is_not_shown_through_a_symlink(
    layout: Layout,
) -> None:
    (layout.host / ".dirjailconfig").write_text("secret")
    os.link(layout.host / ".dirjailconfig", layout.host / "second")
    (layout.host / "later").symlink_to("second")
    client = Client(layout)
    assert not client.exists("home/later")
    client.operations.close()


def test_a_link_to_the_inode_of_a_place_is_left_to_the_jail(layout: Layout) -> None:
    (layout.host / "place").write_text("mounted over")
    os.link(layout.host / "place", layout.host / "second")
    (layout.host / "later").symlink_to("second")
    rules = [Rule(b"later", Kind.ALLOW), Rule(b"place", Kind.MOUNTPOINT)]
    client = Client(layout, rules)
    assert client.readlink("home/later") == "second"
    client.operations.close()


def test_closing_twice_with_files_and_directories_open(layout: Layout) -> None:
    before = set(os.listdir("/proc/self/fd"))
    client = Client(layout)
    client.open("home/.bashrc")
    client.run(client.operations.opendir(client.inode("home/.config"), CONTEXT))
    client.operations.close()
    client.operations.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_without_a_limit_of_descriptors_there_still_is_a_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _limit: (unlimited, unlimited))
    assert 1000 < Budget.of_limit().inodes <= 1 << 14


def test_a_symlink_of_proc_that_is_not_listed_is_denied(client: Client) -> None:
    inode = client.inode("proc/interrupts")
    handler = client.operations.readlink(inode, CONTEXT)
    assert refused(lambda: client.run(handler)) == errno.EACCES


def test_the_root_cannot_be_changed(client: Client) -> None:
    handler = client.operations.mkdir(pyfuse3.ROOT_INODE, b"new", 0o755, CONTEXT)
    assert refused(lambda: client.run(handler)) == errno.EROFS
    handler = client.operations.rename(
        pyfuse3.ROOT_INODE, b"home", client.inode("home"), b"new", 0, CONTEXT
    )
    assert refused(lambda: client.run(handler)) == errno.EXDEV
