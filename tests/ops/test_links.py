"""Symlinks of the host: resolved there when their target is hidden, else left to the jail."""

from __future__ import annotations

import os
import stat

import pytest

from fusefs import layers
from fusefs.rules import Kind, Rule, Rules
from tests.support.clients import Client
from tests.support.layouts import RULES, SECRET, Layout

ALSO_SLOW = True


def is_link(client: Client, path: str) -> bool:
    return stat.S_ISLNK(client.stat(path).st_mode)


def allow(layout: Layout, *names: str) -> Client:
    return Client(layout, [*RULES, *(Rule(os.fsencode(name), Kind.ALLOW) for name in names)])


def test_a_hidden_file_is_shown_through_an_allowed_link(client: Client, layout: Layout) -> None:
    assert not is_link(client, "home/.profile")
    assert client.read("home/.profile") == "umask 022\n"
    assert not client.exists("home/dotfiles")
    with pytest.raises(OSError, match="Read-only"):
        client.write("home/.profile", "x")
    (layout.host / "dotfiles/profile").write_text("edited\n")
    assert client.read("home/.profile") == "edited\n"


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("target", [".bashrc", ".config/fish/config.fish", "proj/code.py", "."])
def test_a_visible_target_stays_a_link(layout: Layout, target: str, absolute: bool) -> None:
    text = str(layout.host / target) if absolute else target
    (layout.host / "link").symlink_to(text)
    client = allow(layout, "link")
    assert is_link(client, "home/link")
    assert client.readlink("home/link") == text
    client.operations.close()


def test_a_target_outside_the_home_stays_a_link(layout: Layout) -> None:
    (layout.host / "link").symlink_to("/etc/passwd")
    client = allow(layout, "link")
    assert client.readlink("home/link") == "/etc/passwd"
    client.operations.close()


def test_a_dangling_link_is_shown_dangling(layout: Layout) -> None:
    (layout.host / "link").symlink_to("nowhere/at/all")
    client = allow(layout, "link")
    assert client.readlink("home/link") == "nowhere/at/all"
    client.operations.close()


def test_a_loop_of_links_is_shown_dangling(layout: Layout) -> None:
    (layout.host / "link").symlink_to("other")
    (layout.host / "other").symlink_to("link")
    client = allow(layout, "link", "other")
    assert is_link(client, "home/link")
    client.operations.close()


@pytest.mark.parametrize(
    "target",
    [
        ".dirjailconfig",
        "proj/venv/.venvjail",
        "proj/venv/.venvjail/config",
        "proj/venv/home",
        ".config/git/credentials",
    ],
)
def test_never_visible_and_explicitly_hidden_targets_stay_hidden(
    layout: Layout, target: str
) -> None:
    (layout.host / "link").symlink_to(target)
    (layout.host / "chain").symlink_to("link")
    rules = [rule for rule in RULES if rule.kind is not Kind.MOUNTPOINT]
    client = Client(layout, [*rules, Rule(b"link", Kind.ALLOW), Rule(b"chain", Kind.ALLOW)])
    assert not client.exists("home/link")
    assert not client.exists("home/chain")
    assert "link" not in client.names("home")
    client.operations.close()


def test_the_store_is_never_shown_by_its_own_path(layout: Layout) -> None:
    client = Client(layout, [Rule(b"proj", Kind.ALLOW)], never=())
    assert client.names("home/proj/venv") == {".venvjail"}
    assert not client.exists("home/proj/venv/home")
    client.operations.close()


def test_never_visible_files_are_known_by_inode_too(layout: Layout) -> None:
    os.link(layout.host / ".dirjailconfig", layout.host / ".config/fish/alias")
    client = Client(layout)
    assert not client.exists("home/.config/fish/alias")
    assert client.names("home/.config/fish") == {"config.fish"}
    client.operations.close()
    without = Client(layout, never=())
    assert without.exists("home/.config/fish/alias")
    without.operations.close()


def test_a_never_visible_name_stays_so_when_it_is_replaced(layout: Layout) -> None:
    (layout.host / "all").symlink_to("dotfiles")
    (layout.host / "dotfiles/state").mkdir()
    client = Client(layout, [Rule(b"all", Kind.ALLOW)], never=[layout.host / "dotfiles/state"])
    assert client.names("home/all") == {"profile", "more"}
    (layout.host / "dotfiles/state").rename(layout.host / "dotfiles/old")
    (layout.host / "dotfiles/state").write_text(SECRET)
    assert not client.exists("home/all/state")
    client.operations.close()


def test_a_linked_directory_is_shown_with_all_below(layout: Layout) -> None:
    (layout.host / "conf").symlink_to("dotfiles")
    client = allow(layout, "conf")
    assert stat.S_ISDIR(client.stat("home/conf").st_mode)
    assert client.names("home/conf") == {"profile", "more"}
    assert client.read("home/conf/more/deep") == "deep\n"
    client.forget_all()
    assert client.read("home/conf/more/deep") == "deep\n"
    client.operations.close()


def test_new_names_in_a_linked_directory_go_to_the_store_by_the_links_name(
    layout: Layout,
) -> None:
    (layout.host / "conf").symlink_to("dotfiles")
    client = allow(layout, "conf")
    client.write("home/conf/more/new", "x")
    assert (layout.store / "conf/more/new").read_text() == "x"
    assert not (layout.host / "dotfiles/more/new").exists()
    client.operations.close()


def test_what_is_hidden_at_its_own_place_is_hidden_in_a_linked_directory(
    layout: Layout,
) -> None:
    (layout.host / "conf").symlink_to("dotfiles")
    client = Client(layout, [Rule(b"conf", Kind.ALLOW), Rule(b"dotfiles/more", Kind.HIDE)])
    assert client.names("home/conf") == {"profile"}
    conf = client.inode("home/conf")
    rules = Rules([Rule(b"conf", Kind.ALLOW), Rule(b"dotfiles", Kind.MOUNTPOINT)])
    client.operations.replace_rules(rules, ())
    with pytest.raises(FileNotFoundError):
        client.lookup(conf, b"profile")
    client.operations.close()


def test_a_link_to_an_ancestor_does_not_show_what_that_hides(layout: Layout) -> None:
    (layout.host / "me").symlink_to(".")
    (layout.host / "conf").symlink_to(".config")
    client = allow(layout, "me", "conf")
    assert is_link(client, "home/me")
    assert is_link(client, "home/conf")
    client.operations.close()


def test_a_linked_ancestor_shows_only_what_is_allowed(layout: Layout) -> None:
    (layout.host / "conf").symlink_to("dotfiles")
    client = allow(layout, "conf/more")
    assert client.names("home/conf") == {"more"}
    assert client.read("home/conf/more/deep") == "deep\n"
    assert not client.exists("home/conf/profile")
    client.operations.close()


def test_a_chain_through_the_hidden_to_the_visible_points_straight_there(
    layout: Layout,
) -> None:
    (layout.host / "dotfiles/hop").symlink_to("../.bashrc")
    (layout.host / "dotfiles/out").symlink_to("/etc/passwd")
    (layout.host / "in").symlink_to("dotfiles/hop")
    (layout.host / "out").symlink_to("dotfiles/out")
    (layout.host / "by").symlink_to("dotfiles/more/../../.bashrc")
    client = allow(layout, "in", "out", "by")
    assert client.readlink("home/by") == str(layout.host / ".bashrc")
    assert client.readlink("home/in") == str(layout.host / ".bashrc")
    assert client.readlink("home/out") == "/etc/passwd"
    client.operations.close()


def test_a_link_back_into_a_linked_directory_stays_a_link(layout: Layout) -> None:
    (layout.host / "conf").symlink_to("dotfiles")
    (layout.host / "dotfiles/more/up").symlink_to("..")
    (layout.host / "dotfiles/more/side").symlink_to("../profile")
    (layout.host / "dotfiles/more/self").symlink_to(layout.host / "dotfiles/more")
    client = allow(layout, "conf")
    assert client.readlink("home/conf/more/up") == ".."
    assert client.readlink("home/conf/more/side") == "../profile"
    assert client.readlink("home/conf/more/self") == "../more"
    client.operations.close()


def test_a_retargeted_link_shows_the_new_target(client: Client, layout: Layout) -> None:
    (layout.host / "docs/new").write_text("new\n")
    (layout.host / ".tmp").symlink_to("docs/new")
    assert client.read("home/.profile") == "umask 022\n"
    (layout.host / ".tmp").rename(layout.host / ".profile")
    assert client.read("home/.profile") == "new\n"


def test_a_link_planted_at_a_mountpoint_leads_nowhere(layout: Layout) -> None:
    """The host's link goes through what the jail can write to."""
    (layout.host / "link").symlink_to("proj/conf")
    (layout.host / "proj/conf").symlink_to("../.ssh/id_rsa")
    client = allow(layout, "link")
    assert client.readlink("home/link") == "proj/conf"
    client.operations.close()
    # Without the mount point the target is what the link would show.
    control = Client(layout, [Rule(b"link", Kind.ALLOW)], never=())
    assert control.read("home/link") == SECRET
    control.operations.close()


def test_a_mountpoint_stops_a_link_even_if_it_was_just_replaced(layout: Layout) -> None:
    (layout.host / "link").symlink_to("src/conf")
    (layout.host / "src").mkdir()
    client = Client(layout, [Rule(b"link", Kind.ALLOW), Rule(b"src", Kind.MOUNTPOINT)])
    (layout.host / "src").rename(layout.host / "old")
    (layout.host / "src").mkdir()
    (layout.host / "src/conf").symlink_to("../.ssh/id_rsa")
    assert client.readlink("home/link") == "src/conf"
    client.operations.close()


def test_a_directory_moved_during_the_walk_does_not_change_what_is_judged(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = layout.base / "scratch"
    (scratch / "a/b").mkdir(parents=True)
    planted = scratch / "x" / layout.host.name / "docs/diary"
    planted.parent.mkdir(parents=True)
    planted.write_text("planted")
    (scratch / "x/y/z").mkdir(parents=True)
    (layout.host / "link").symlink_to(scratch / "a/b/../../.." / layout.host.name / "docs/diary")
    client = allow(layout, "link")
    assert client.read("home/link") == SECRET
    client.forget_all()
    climb = layers.pin_parent

    def move_then_climb(fd: int) -> int:
        if (scratch / "a/b").exists():
            (scratch / "a/b").rename(scratch / "x/y/z/b")
        return climb(fd)

    monkeypatch.setattr(layers, "pin_parent", move_then_climb)
    assert not client.exists("home/link")
    client.operations.close()


def test_a_chain_through_what_is_explicitly_hidden_is_refused(layout: Layout) -> None:
    (layout.host / "dotfiles/hop").symlink_to("../docs/diary")
    (layout.host / "link").symlink_to("dotfiles/hop")
    client = Client(layout, [Rule(b"link", Kind.ALLOW), Rule(b"dotfiles", Kind.HIDE)])
    assert not client.exists("home/link")
    client.operations.close()
    control = allow(layout, "link")
    assert control.read("home/link") == SECRET
    control.operations.close()


def test_a_link_to_where_the_user_may_not_go_stays_a_link(layout: Layout) -> None:
    closed = layout.base / "closed"
    closed.mkdir()
    (layout.host / "link").symlink_to(closed / "x")
    closed.chmod(0)
    try:
        client = allow(layout, "link")
        assert client.readlink("home/link") == str(closed / "x")
        client.operations.close()
    finally:
        closed.chmod(0o700)


def test_the_users_own_link_outside_the_home_leads_nowhere(layout: Layout) -> None:
    outside = layout.base / "scratch"
    outside.mkdir()
    (outside / "conf").symlink_to(layout.host / ".ssh/id_rsa")
    (layout.host / "link").symlink_to(outside / "conf")
    client = allow(layout, "link")
    assert client.readlink("home/link") == str(outside / "conf")
    client.operations.close()


def test_a_link_to_a_file_where_the_rules_expect_a_directory_is_shown_as_the_file(
    layout: Layout,
) -> None:
    (layout.host / "way").write_text("a file after all")
    (layout.host / "later").symlink_to("way")
    client = Client(layout, [Rule(b"later", Kind.ALLOW), Rule(b"way/below", Kind.ALLOW)])
    assert client.read("home/later") == "a file after all"
    client.operations.close()


@pytest.mark.parametrize("length", [40, 41])
def test_a_chain_of_links_is_as_long_as_the_kernel_lets_it_be(layout: Layout, length: int) -> None:
    for number in range(length):
        target = f"chain{number + 1}" if number + 1 < length else "docs/diary"
        (layout.host / f"chain{number}").symlink_to(target)
    try:
        on_host = (layout.host / "chain0").read_text()
    except OSError:
        on_host = None
    assert (on_host is None) == (length > 40)
    client = Client(layout, [Rule(b"chain0", Kind.ALLOW)])
    if on_host is None:
        assert client.readlink("home/chain0") == "chain1"
    else:
        assert client.read("home/chain0") == on_host
    client.operations.close()


def test_walking_along_links_keeps_no_descriptor(client: Client) -> None:
    client.stat("home/.profile")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        client.lookup(client.inode("home"), b".profile")
    assert len(os.listdir("/proc/self/fd")) == before
