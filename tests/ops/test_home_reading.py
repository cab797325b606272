"""What the home shows: the host's side through the rules, the store's beside it."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from fusefs.rules import Kind, Rule
from tests.support.clients import CONTEXT, Client
from tests.support.layouts import SECRET, Layout
from tests.support.mounts import poll

HIDDEN = [
    "home/.ssh",
    "home/docs",
    "home/dotfiles",
    "home/.dirjailconfig",
    "home/.config/other",
    "home/.config/git/credentials",
    "home/later",
    "home/proj/code.py",
]

ALSO_SLOW = True


def test_the_view_has_a_home_and_a_proc(client: Client) -> None:
    assert client.names("") == {"home", "proc"}
    assert stat.S_ISDIR(client.stat("").st_mode)


def test_what_is_allowed_has_the_hosts_content(client: Client, layout: Layout) -> None:
    for name in (".bashrc", ".config/fish/config.fish", ".pyenv/version"):
        assert client.read(f"home/{name}") == (layout.host / name).read_text()


def test_listings_show_what_is_visible_and_nothing_else(client: Client) -> None:
    assert client.names("home") == {".bashrc", ".profile", ".config", ".local", ".pyenv", "proj"}
    assert client.names("home/.config") == {"fish", "git"}
    assert client.names("home/.config/git") == {"config"}
    assert client.names("home/proj") == set()


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_hidden_does_not_exist(client: Client, path: str) -> None:
    assert not client.exists(path)


def test_without_the_rules_the_hidden_could_be_read(layout: Layout) -> None:
    client = Client(layout, [Rule(b"", Kind.ALLOW)], never=())
    assert client.read("home/.ssh/id_rsa") == SECRET
    client.operations.close()


def test_attributes_are_the_hosts(client: Client, layout: Layout) -> None:
    host, shown = (layout.host / ".bashrc").stat(), client.stat("home/.bashrc")
    for field in ("st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_nlink"):
        assert getattr(shown, field) == getattr(host, field)


def test_a_replaced_file_shows_its_new_content(client: Client, layout: Layout) -> None:
    before = client.inode("home/.bashrc")
    (layout.host / ".bashrc.new").write_text("new\n")
    (layout.host / ".bashrc.new").rename(layout.host / ".bashrc")
    assert client.read("home/.bashrc") == "new\n"
    assert client.inode("home/.bashrc") != before


def test_an_allowed_file_appears_when_the_host_creates_it(client: Client, layout: Layout) -> None:
    assert not client.exists("home/later")
    (layout.host / "later").write_text("now\n")
    assert client.read("home/later") == "now\n"
    assert "later" in client.names("home")


def test_what_appears_on_the_host_wins_over_the_store(client: Client, layout: Layout) -> None:
    client.write("home/later", "the jail's")
    assert client.read("home/later") == "the jail's"
    (layout.host / "later").write_text("the host's")
    assert client.read("home/later") == "the host's"
    with pytest.raises(OSError) as caught:
        client.unlink("home/later")
    assert caught.value.errno == errno.EROFS
    (layout.host / "later").unlink()
    assert client.read("home/later") == "the jail's"


def test_a_directory_that_appears_on_the_host_is_merged(client: Client, layout: Layout) -> None:
    inode = client.mkdir("home/later")
    client.write("home/later/mine", "mine")
    (layout.host / "later").mkdir()
    (layout.host / "later" / "theirs").write_text("theirs")
    assert client.names("home/later") == {"mine", "theirs"}
    assert client.inode("home/later") == inode


def test_a_file_that_hides_an_allowed_ancestor_is_not_shown(layout: Layout) -> None:
    (layout.host / "plain").write_text(SECRET)
    client = Client(layout, [Rule(b"plain/below", Kind.ALLOW)])
    assert not client.exists("home/plain")
    assert client.names("home") == set()
    client.operations.close()


def test_a_mountpoint_has_the_hosts_attributes_and_no_content(
    client: Client, layout: Layout
) -> None:
    (layout.host / "proj").chmod(0o750)
    assert stat.S_IMODE(client.stat("home/proj").st_mode) == 0o750


def test_a_file_as_mountpoint_is_empty(layout: Layout) -> None:
    client = Client(layout, [Rule(b"docs/diary", Kind.MOUNTPOINT)])
    assert client.names("home/docs") == {"diary"}
    assert client.stat("home/docs/diary").st_size == 0
    with pytest.raises(PermissionError):
        client.open("home/docs/diary")
    client.operations.close()


def test_numbers_stay_the_same_after_the_kernel_forgot(client: Client) -> None:
    client.write("home/mine", "x")
    paths = ("home", "home/.bashrc", "home/.config/fish", "home/mine", "proc/cpuinfo")
    before = [client.inode(path) for path in paths]
    client.forget_all()
    assert [client.inode(path) for path in paths] == before
    assert len(set(before)) == len(before)


def test_a_merged_directory_changes_when_the_store_does(client: Client, layout: Layout) -> None:
    os.utime(layout.host / ".local/bin", ns=(10**18, 10**18))
    assert client.stat("home/.local/bin").st_mtime_ns == 10**18
    client.write("home/.local/bin/new", "x")
    assert client.stat("home/.local/bin").st_mtime_ns > 10**18


def test_an_ancestor_does_not_tell_how_many_it_hides(client: Client) -> None:
    shown = client.stat("home/.config")
    assert (shown.st_nlink, shown.st_size) == (1, 0)


def test_names_that_are_not_one_component_are_refused(client: Client) -> None:
    home = client.inode("home")
    for name in (b"..", b".", b"a/b", b""):
        with pytest.raises(OSError) as caught:
            client.lookup(home, name)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        client.lookup(home, b"n" * 256)
    assert caught.value.errno == errno.ENAMETOOLONG


def test_the_cache_is_kept_only_while_a_file_is_unchanged(client: Client, layout: Layout) -> None:
    path = layout.host / ".bashrc"
    old = 10**18
    # The change time cannot be set: a file just made counts as still changing for a moment.
    inode = client.inode("home/.bashrc")

    def kept() -> bool:
        info = client.run(client.operations.open(inode, os.O_RDONLY, CONTEXT))
        client.release(info.fh)
        return bool(info.keep_cache)

    assert not kept()
    poll(kept, "the cache is kept for a settled file")
    os.utime(path, ns=(old, old))
    assert not kept()
    poll(kept, "the cache is kept again")
    with path.open("a") as file:
        file.write("more\n")
    assert not kept()
