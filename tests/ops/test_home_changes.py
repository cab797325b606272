"""Changes: what the host owns is read-only, the rest works in the store as on any disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

import pytest

from fusefs.layers import RENAME_EXCHANGE, RENAME_NOREPLACE
from fusefs.rules import Access, Kind, Rule
from tests.support.clients import CONTEXT, Client
from tests.support.layouts import SECRET, Layout

BASHRC = "home/.bashrc"
FISH = "home/.config/fish"
REFUSALS: dict[str, tuple[int, Callable[[Client], object]]] = {
    "open for writing": (errno.EROFS, lambda c: c.open(BASHRC, os.O_WRONLY)),
    "open for both": (errno.EROFS, lambda c: c.open(BASHRC, os.O_RDWR)),
    "open truncating": (errno.EROFS, lambda c: c.open(BASHRC, os.O_RDONLY | os.O_TRUNC)),
    "truncate": (errno.EROFS, lambda c: c.set(BASHRC, size=0)),
    "chmod": (errno.EROFS, lambda c: c.set(BASHRC, mode=0o777)),
    "chown": (errno.EROFS, lambda c: c.set(BASHRC, uid=os.getuid())),
    "utimes": (errno.EROFS, lambda c: c.set(BASHRC, mtime_ns=1)),
    "unlink": (errno.EROFS, lambda c: c.unlink(BASHRC)),
    "rename away": (errno.EROFS, lambda c: c.rename(BASHRC, "home/x")),
    "rename over": (errno.EROFS, lambda c: c.rename("home/mine", BASHRC)),
    "rename not over": (
        errno.EEXIST,
        lambda c: c.rename("home/mine", BASHRC, RENAME_NOREPLACE),
    ),
    "exchange": (errno.EROFS, lambda c: c.rename("home/mine", BASHRC, RENAME_EXCHANGE)),
    "exchange back": (errno.EROFS, lambda c: c.rename(BASHRC, "home/mine", RENAME_EXCHANGE)),
    "hard link from": (errno.EROFS, lambda c: c.link(BASHRC, "home/x")),
    "hard link over": (errno.EROFS, lambda c: c.link("home/mine", BASHRC)),
    "create over": (errno.EEXIST, lambda c: c.create(BASHRC, flags=os.O_EXCL)),
    "create into": (errno.EROFS, lambda c: c.create(BASHRC)),
    "mkdir over": (errno.EEXIST, lambda c: c.mkdir(FISH)),
    "symlink over": (errno.EEXIST, lambda c: c.symlink("x", BASHRC)),
    "mknod over": (errno.EEXIST, lambda c: c.mknod(BASHRC, stat.S_IFIFO | 0o600)),
    "chmod of a merged directory": (errno.EROFS, lambda c: c.set(FISH, mode=0o777)),
    "rmdir of a merged directory": (errno.EROFS, lambda c: c.rmdir(FISH)),
    "rmdir of an ancestor": (errno.EROFS, lambda c: c.rmdir("home/.config")),
    "rename of a merged directory": (errno.EXDEV, lambda c: c.rename(FISH, "home/x")),
    "rename of an ancestor": (errno.EXDEV, lambda c: c.rename("home/.config", "home/x")),
    "rename over a merged directory": (errno.EROFS, lambda c: c.rename("home/dir", FISH)),
    "rename into a read-only one": (
        errno.EROFS,
        lambda c: c.rename("home/mine", "home/.pyenv/mine"),
    ),
    "create in a read-only one": (errno.EROFS, lambda c: c.create("home/.pyenv/new")),
    "mkdir in a read-only one": (errno.EROFS, lambda c: c.mkdir("home/.pyenv/new")),
    "create at a mount point": (errno.EROFS, lambda c: c.create("home/proj/new")),
    "rmdir of a mount point": (errno.EROFS, lambda c: c.rmdir("home/proj")),
    "rename of a mount point": (errno.EXDEV, lambda c: c.rename("home/proj", "home/x")),
    "set an attribute": (errno.EROFS, lambda c: setxattr(c, BASHRC)),
    "unlink of the hidden": (errno.ENOENT, lambda c: c.unlink("home/.ssh")),
    "rmdir of the hidden": (errno.ENOENT, lambda c: c.rmdir("home/.ssh")),
    "rename of the hidden": (errno.ENOENT, lambda c: c.rename("home/.ssh", "home/x")),
    "exchange with the hidden": (
        errno.ENOENT,
        lambda c: c.rename("home/mine", "home/.ssh", RENAME_EXCHANGE),
    ),
    "unlink of a directory": (errno.EISDIR, lambda c: c.unlink("home/dir")),
    "rmdir of a file": (errno.ENOTDIR, lambda c: c.rmdir("home/mine")),
    "create in the view's root": (errno.EROFS, lambda c: c.create("new")),
    "rename between home and proc": (errno.EXDEV, lambda c: c.rename("home/mine", "proc/x")),
    "unknown rename flag": (errno.EINVAL, lambda c: c.rename("home/mine", "home/x", 4)),
    "set-user-ID in create": (errno.EPERM, lambda c: c.create("home/x", 0o4755)),
    "set-group-ID in mkdir": (errno.EPERM, lambda c: c.mkdir("home/x", 0o2755)),
    "set-user-ID in mknod": (errno.EPERM, lambda c: c.mknod("home/x", stat.S_IFREG | 0o4755)),
    "set-user-ID in chmod": (errno.EPERM, lambda c: c.set("home/mine", mode=0o4755)),
    "set-group-ID of a directory": (errno.EPERM, lambda c: c.set("home/dir", mode=0o2755)),
    "device": (errno.EPERM, lambda c: c.mknod("home/x", stat.S_IFCHR | 0o666)),
    "whiteout": (errno.EPERM, lambda c: c.mknod("home/x", stat.S_IFCHR)),
    "give away": (errno.EPERM, lambda c: c.set("home/mine", uid=0)),
}

ALSO_SLOW = True


def setxattr(client: Client, path: str, name: bytes = b"user.x") -> None:
    client.run(client.operations.setxattr(client.inode(path), name, b"1", CONTEXT))


def snapshot(layout: Layout) -> dict[str, tuple[int, bytes | None]]:
    """The host's home without the store."""
    found = {}
    for path in sorted(layout.host.rglob("*")):
        if layout.store not in (path, *path.parents):
            content = path.read_bytes() if path.is_file() else None
            found[str(path)] = (path.lstat().st_mode, content)
    return found


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_with_the_right_errno_and_nothing_changed(
    client: Client, layout: Layout, what: str
) -> None:
    client.write("home/mine", "mine")
    client.mkdir("home/dir")
    before, stored = snapshot(layout), sorted(layout.store.rglob("*"))
    number, attempt = REFUSALS[what]
    with pytest.raises(OSError) as caught:
        attempt(client)
    assert caught.value.errno == number
    assert snapshot(layout) == before
    assert sorted(layout.store.rglob("*")) == stored
    assert client.read("home/mine") == "mine"


def test_a_hidden_name_is_free_to_create(client: Client, layout: Layout) -> None:
    client.mkdir("home/.ssh", 0o700)
    client.write("home/.ssh/id_rsa", "the jail's own")
    assert client.read("home/.ssh/id_rsa") == "the jail's own"
    assert client.names("home/.ssh") == {"id_rsa"}
    assert (layout.store / ".ssh/id_rsa").read_text() == "the jail's own"
    assert (layout.host / ".ssh/id_rsa").read_text() == SECRET
    client.write("home/.config/git/credentials", "mine")
    assert client.read("home/.config/git/credentials") == "mine"
    client.rename("home/.config/git/credentials", "home/docs")
    assert (layout.store / "docs").read_text() == "mine"


def test_new_names_in_a_merged_directory_go_to_the_store(client: Client, layout: Layout) -> None:
    (layout.host / ".local").chmod(0o750)
    client.write("home/.local/bin/new", "x")
    assert client.names("home/.local/bin") == {"tool", "new"}
    assert (layout.store / ".local/bin/new").read_text() == "x"
    assert not (layout.host / ".local/bin/new").exists()
    assert stat.S_IMODE((layout.store / ".local").stat().st_mode) == 0o750
    client.unlink("home/.local/bin/new")
    assert client.names("home/.local/bin") == {"tool"}


def test_modes_are_exact_whatever_the_servers_umask(client: Client, layout: Layout) -> None:
    old = os.umask(0o077)
    try:
        client.release(client.create("home/file", 0o666))
        client.mkdir("home/dir", 0o1777)
        client.mknod("home/fifo", stat.S_IFIFO | 0o622)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE((layout.store / n).stat().st_mode) for n in ("file", "dir", "fifo")]
    assert modes == [0o666, 0o1777, 0o622]


def test_a_file_created_unreadable_can_still_be_written(client: Client, layout: Layout) -> None:
    handle = client.create("home/x", 0o000)
    client.run(client.operations.write(handle, 0, b"data"))
    client.release(handle)
    assert (layout.store / "x").stat().st_size == 4


def test_each_handle_has_its_own_access_mode(client: Client) -> None:
    client.write("home/x", "data")
    reader, writer = client.open("home/x"), client.open("home/x", os.O_WRONLY | os.O_APPEND)
    with pytest.raises(OSError) as caught:
        client.run(client.operations.write(reader, 0, b"x"))
    assert caught.value.errno == errno.EBADF
    # The kernel gives the offset of an append: ours must be obeyed.
    client.run(client.operations.write(writer, 0, b"D"))
    assert client.read("home/x") == "Data"


def test_create_opens_what_is_there_unless_exclusive(client: Client) -> None:
    client.write("home/x", "data")
    client.release(client.create("home/x"))
    assert client.read("home/x") == "data"
    client.release(client.create("home/x", flags=os.O_RDWR | os.O_TRUNC))
    assert client.read("home/x") == ""
    with pytest.raises(FileExistsError):
        client.create("home/x", flags=os.O_RDWR | os.O_EXCL)


def test_an_unlinked_file_works_while_it_is_open(client: Client) -> None:
    client.write("home/x", "data")
    inode = client.inode("home/x")
    handle = client.open("home/x", os.O_RDWR)
    client.unlink("home/x")
    assert not client.exists("home/x")
    client.run(client.operations.write(handle, 4, b" more"))
    assert client.run(client.operations.read(handle, 0, 100)) == b"data more"
    shown = client.run(client.operations.getattr(inode, CONTEXT))
    assert (shown.st_nlink, shown.st_size) == (0, 9)
    client.release(handle)


def test_rename_moves_files_and_whole_directories(client: Client, layout: Layout) -> None:
    client.mkdir("home/a")
    client.mkdir("home/a/b")
    client.write("home/a/b/x", "x")
    inodes = [client.inode(path) for path in ("home/a", "home/a/b", "home/a/b/x")]
    client.rename("home/a", "home/.config/moved")
    moved = [f"home/.config/moved{rest}" for rest in ("", "/b", "/b/x")]
    assert [client.inode(path) for path in moved] == inodes
    assert client.read("home/.config/moved/b/x") == "x"
    assert (layout.store / ".config/moved/b/x").exists()
    assert not client.exists("home/a")


def test_rename_replaces_and_its_flags_hold(client: Client) -> None:
    client.write("home/a", "a")
    client.write("home/b", "b")
    with pytest.raises(FileExistsError):
        client.rename("home/a", "home/b", RENAME_NOREPLACE)
    client.rename("home/a", "home/b", RENAME_EXCHANGE)
    assert (client.read("home/a"), client.read("home/b")) == ("b", "a")
    client.rename("home/a", "home/b")
    assert client.read("home/b") == "b"
    assert not client.exists("home/a")
    client.rename("home/b", "home/c", RENAME_NOREPLACE)
    assert client.read("home/c") == "b"


def test_exchanged_directories_keep_their_inodes(client: Client) -> None:
    for name in "ab":
        client.mkdir(f"home/{name}")
        client.write(f"home/{name}/in", name)
    a, b = client.inode("home/a"), client.inode("home/b")
    client.rename("home/a", "home/b", RENAME_EXCHANGE)
    assert (client.inode("home/a"), client.inode("home/b")) == (b, a)
    assert (client.read("home/a/in"), client.read("home/b/in")) == ("b", "a")


def test_a_moved_directory_gets_the_rules_of_its_new_place(client: Client, layout: Layout) -> None:
    client.mkdir("home/dir")
    inner = client.mkdir("home/dir/inner")
    client.rename("home/dir", "home/later")
    backing, node = client.operations._view.home.backing, client.operations._table[inner]
    assert backing.place(node).access is Access.MERGED
    (layout.host / "later").mkdir()
    (layout.host / "later/inner").mkdir()
    (layout.host / "later/inner/theirs").write_text("theirs")
    assert client.names("home/later/inner") == {"theirs"}


def test_renaming_a_file_onto_its_own_hard_link_does_nothing(client: Client) -> None:
    client.write("home/a", "x")
    client.link("home/a", "home/b")
    client.rename("home/a", "home/b")
    assert (client.read("home/a"), client.read("home/b")) == ("x", "x")


def test_hard_links_share_one_inode(client: Client) -> None:
    client.write("home/a", "x")
    assert client.link("home/a", "home/.config/b") == client.inode("home/a")
    assert client.stat("home/a").st_nlink == 2
    client.write("home/.config/b", "y")
    assert client.read("home/a") == "y"
    client.unlink("home/.config/b")
    assert client.stat("home/a").st_nlink == 1


def test_attributes_of_the_stores_files(client: Client, layout: Layout) -> None:
    client.write("home/x", "data")
    assert stat.S_IMODE(client.set("home/x", mode=0o400).st_mode) == 0o400
    assert client.set("home/x", mtime_ns=5 * 10**9).st_mtime_ns == 5 * 10**9
    assert client.set("home/x", atime_ns=7 * 10**9).st_mtime_ns == 5 * 10**9
    assert client.set("home/x", uid=os.getuid(), gid=os.getgid()).st_uid == os.getuid()
    client.set("home/x", mode=0o600)
    assert client.set("home/x", size=2).st_size == 2
    assert (layout.store / "x").read_text() == "da"
    handle = client.open("home/x", os.O_WRONLY)
    client.set("home/x", mode=0o400)
    assert client.set("home/x", fh=handle, size=0).st_size == 0
    client.release(handle)


def test_a_symlinks_times_are_its_own(client: Client, layout: Layout) -> None:
    client.symlink("mine", "home/link")
    client.write("home/mine", "x")
    assert client.set("home/link", mtime_ns=10**9).st_mtime_ns == 10**9
    assert (layout.store / "mine").stat().st_mtime_ns != 10**9


def test_only_user_attributes_pass(client: Client, layout: Layout) -> None:
    def get(path: str, name: bytes) -> bytes:
        return client.run(client.operations.getxattr(client.inode(path), name, CONTEXT))

    client.write("home/x", "")
    setxattr(client, "home/x")
    os.setxattr(layout.host / ".bashrc", "user.host", b"2")
    assert get("home/x", b"user.x") == b"1"
    assert get(BASHRC, b"user.host") == b"2"
    listed = client.run(client.operations.listxattr(client.inode(BASHRC), CONTEXT))
    assert list(listed) == [b"user.host"]
    for name in (b"security.capability", b"trusted.x", b"system.posix_acl_access"):
        with pytest.raises(OSError) as caught:
            get("home/x", name)
        assert caught.value.errno == errno.EOPNOTSUPP
        with pytest.raises(OSError) as caught:
            setxattr(client, "home/x", name)
        assert caught.value.errno == errno.EOPNOTSUPP
    client.run(client.operations.removexattr(client.inode("home/x"), b"user.x", CONTEXT))
    with pytest.raises(OSError) as caught:
        get("home/x", b"user.x")
    assert caught.value.errno == errno.ENODATA


def test_what_covers_a_store_file_on_the_host_takes_no_new_names(
    client: Client, layout: Layout
) -> None:
    client.write("home/later", "a file")
    (layout.host / "later").mkdir()
    with pytest.raises(OSError) as caught:
        client.create("home/later/x")
    assert caught.value.errno == errno.EROFS
    assert (layout.store / "later").read_text() == "a file"


def test_an_allowed_read_only_place_that_the_host_lacks_is_free(layout: Layout) -> None:
    client = Client(layout, [Rule(b"absent", Kind.ALLOW_RO)])
    client.mkdir("home/absent")
    client.write("home/absent/x", "x")
    assert client.read("home/absent/x") == "x"
    client.operations.close()


def test_a_file_removed_behind_the_view_can_be_asked_about_while_it_is_open(
    client: Client, layout: Layout
) -> None:
    handle = client.create("home/file")
    inode = client.inode("home/file")
    (layout.store / "file").unlink()
    client.run(client.operations.write(handle, 0, b"still here"))
    assert client.run(client.operations.getattr(inode, CONTEXT)).st_size == len("still here")
    client.release(handle)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_TRUNC])
def test_a_store_file_removed_behind_the_view_is_not_opened(
    client: Client, layout: Layout, flags: int
) -> None:
    """The kernel still trusts its name; ESTALE makes it look again."""
    client.write("home/file", "x")
    inode = client.inode("home/file")
    (layout.store / "file").unlink()
    with pytest.raises(OSError) as caught:
        client.run(client.operations.open(inode, flags, CONTEXT))
    assert caught.value.errno == errno.ESTALE


def test_a_host_file_that_was_replaced_is_not_opened(client: Client, layout: Layout) -> None:
    inode = client.inode("home/.bashrc")
    new = layout.host / "new"
    new.write_text("new")
    new.rename(layout.host / ".bashrc")
    with pytest.raises(OSError) as caught:
        client.run(client.operations.open(inode, os.O_RDONLY, CONTEXT))
    assert caught.value.errno == errno.ESTALE
    assert client.read("home/.bashrc") == "new"


def test_a_file_that_the_jail_removed_can_be_opened_again(client: Client) -> None:
    """By /proc/self/fd, as without a jail."""
    handle = client.create("home/file")
    inode = client.inode("home/file")
    client.run(client.operations.write(handle, 0, b"kept"))
    client.unlink("home/file")
    info = client.run(client.operations.open(inode, os.O_RDONLY, CONTEXT))
    assert client.run(client.operations.read(info.fh, 0, 10)) == b"kept"
    client.release(info.fh)
    client.release(handle)
