"""What a link of the host may come past on its way, and what of that counts."""

from __future__ import annotations

import os
import stat

import pytest

from fusefs import layers
from fusefs.links import Shape
from fusefs.rules import Kind, Rule
from tests.support.clients import Client
from tests.support.layouts import RULES, SECRET, Layout
from tests.support.requirements import require


def is_link(client: Client, path: str) -> bool:
    return stat.S_ISLNK(client.stat(path).st_mode)


def shape(client: Client, name: str) -> Shape:
    """What a link in the home is shown as, before any union with the store."""
    home = client.operations._view.home
    return home.backing.resolve(home.root, os.fsencode(name)).shape


@pytest.mark.parametrize("end", ["", "/", "/.", "/..", "/../more/deep", "/x"])
def test_a_file_is_no_directory_on_the_way(layout: Layout, end: str) -> None:
    """As for the kernel, for which ``FILE/`` and ``FILE/..`` are not there."""
    (layout.host / "link").symlink_to(f"dotfiles/profile{end}")
    client = Client(layout, [Rule(b"link", Kind.ALLOW)])
    is_there = os.path.exists(layout.host / "link")
    assert is_there == (end == "")
    assert is_link(client, "home/link") != is_there
    if not is_there:
        assert client.readlink("home/link") == f"dotfiles/profile{end}"
    client.operations.close()


def test_a_hidden_link_on_the_way_is_left_out(layout: Layout) -> None:
    """The jail does not have it: the text would lead nowhere."""
    (layout.host / "hop").symlink_to(".bashrc")
    (layout.host / "link").symlink_to("hop")
    client = Client(layout, [*RULES, Rule(b"link", Kind.ALLOW)])
    assert client.readlink("home/link") == str(layout.host / ".bashrc")
    client.operations.close()
    shown = Client(layout, [*RULES, Rule(b"link", Kind.ALLOW), Rule(b"hop", Kind.ALLOW)])
    assert shown.readlink("home/link") == "hop"
    shown.operations.close()


def test_what_is_hidden_but_for_a_mountpoint_does_not_refuse_the_way_to_it(layout: Layout) -> None:
    (layout.host / "src/proj").mkdir(parents=True)
    (layout.host / "link").symlink_to("src/proj/code")
    rules = [Rule(b"link", Kind.ALLOW), Rule(b"src", Kind.HIDE)]
    client = Client(layout, [*rules, Rule(b"src/proj", Kind.MOUNTPOINT)])
    assert client.readlink("home/link") == "src/proj/code"
    client.operations.close()
    hidden = Client(layout, rules)
    assert not hidden.exists("home/link")
    hidden.operations.close()


def test_a_never_visible_name_is_refused_whatever_is_there_now(layout: Layout) -> None:
    """Outside of the home, where no rule speaks of it: what it was is known by its inode alone."""
    state = layout.base / "srv/state"
    state.mkdir(parents=True)
    (layout.host / "link").symlink_to(state)
    client = Client(layout, [Rule(b"link", Kind.ALLOW)], never=[state])
    control = Client(layout, [Rule(b"link", Kind.ALLOW)], never=())
    assert shape(client, "link") is Shape.REFUSED
    state.rename(layout.base / "srv/old")
    state.write_text(SECRET)
    assert shape(client, "link") is Shape.REFUSED
    assert shape(control, "link") is Shape.LINK
    client.operations.close()
    control.operations.close()


@pytest.mark.parametrize("is_swapped", [True, False])
def test_what_is_judged_is_what_is_pinned(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, is_swapped: bool
) -> None:
    """The host's file is replaced between the two, by a name of what is never shown."""
    (layout.host / ".dirjailconfig").write_text(SECRET)
    (layout.host / "link").symlink_to("dotfiles/profile")
    client = Client(layout, [Rule(b"link", Kind.ALLOW)])
    pin = layers.pin

    def swap_then_pin(fd: int, name: bytes) -> tuple[int, os.stat_result]:
        if is_swapped and name == b"profile":
            (layout.host / "dotfiles/profile").unlink()
            os.link(layout.host / ".dirjailconfig", layout.host / "dotfiles/profile")
        return pin(fd, name)

    monkeypatch.setattr(layers, "pin", swap_then_pin)
    assert is_link(client, "home/link") == is_swapped
    client.operations.close()


@pytest.mark.parametrize("is_swapped", [True, False])
def test_a_link_on_the_way_is_the_one_that_was_judged(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, is_swapped: bool
) -> None:
    """And not, as here, another that the host puts in its place meanwhile."""
    (layout.host / "dotfiles/hop").symlink_to("profile")
    (layout.host / "dotfiles/new").symlink_to("more/deep")
    (layout.host / "link").symlink_to("dotfiles/hop")
    client = Client(layout, [Rule(b"link", Kind.ALLOW)])
    pin = layers.pin

    def swap_then_pin(fd: int, name: bytes) -> tuple[int, os.stat_result]:
        if is_swapped and name == b"hop":
            (layout.host / "dotfiles/new").rename(layout.host / "dotfiles/hop")
        return pin(fd, name)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(layers, "pin", swap_then_pin)
        assert is_link(client, "home/link") == is_swapped
    client.forget_all()
    assert client.read("home/link") == ("deep\n" if is_swapped else "umask 022\n")
    client.operations.close()


def test_no_descriptor_is_kept_on_any_way(layout: Layout) -> None:
    (layout.host / "dotfiles/hop").symlink_to("profile")
    (layout.host / "link").symlink_to("dotfiles/hop")
    client = Client(layout, [Rule(b"link", Kind.ALLOW)])
    client.stat("home/link")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        client.lookup(client.inode("home"), b"link")
    assert len(os.listdir("/proc/self/fd")) == before
    client.operations.close()


def test_the_shape_of_each_kind_of_link(layout: Layout) -> None:
    """The directory above what is allowed may be made by the jail where a link leads nowhere."""
    closed = layout.base / "closed"
    closed.mkdir()
    os.link(layout.host / ".dirjailconfig", layout.host / "docs/second")
    shapes = {
        ".bashrc": Shape.LINK,
        "dotfiles/more/../../.bashrc": Shape.LINK,
        "docs/diary": Shape.TARGET,
        "docs/missing": Shape.DANGLING,
        "docs/diary/.": Shape.DANGLING,
        str(closed / "x"): Shape.DANGLING,
        ".dirjailconfig": Shape.REFUSED,
        "docs/second": Shape.REFUSED,
        ".config/git/credentials": Shape.REFUSED,
    }
    for number, target in enumerate(shapes):
        (layout.host / f"link{number}").symlink_to(target)
    client = Client(layout)
    closed.chmod(0)
    try:
        found = {target: shape(client, f"link{n}") for n, target in enumerate(shapes)}
        assert found == shapes
    finally:
        closed.chmod(0o700)
        client.operations.close()


def test_a_rule_for_what_is_never_shown_refuses_by_itself(layout: Layout) -> None:
    (layout.host / "link").symlink_to("docs/diary")
    client = Client(layout, [Rule(b"docs/diary", Kind.NEVER)], never=())
    assert shape(client, "link") is Shape.REFUSED
    client.operations.close()
    control = Client(layout, [], never=())
    assert shape(control, "link") is Shape.TARGET
    control.operations.close()


def test_links_of_a_directory_that_is_shown_elsewhere(layout: Layout) -> None:
    """A relative text counts from where the directory is, an absolute one stays as it is."""
    absolute = f"{layout.host}/./.bashrc"
    (layout.host / ".config/conf").symlink_to("../dotfiles")
    (layout.host / "dotfiles/relative").symlink_to("../.bashrc")
    (layout.host / "dotfiles/absolute").symlink_to(absolute)
    client = Client(layout, [*RULES, Rule(b".config/conf", Kind.ALLOW)])
    assert client.readlink("home/.config/conf/relative") == str(layout.host / ".bashrc")
    assert client.readlink("home/.config/conf/absolute") == absolute
    client.operations.close()


def test_links_of_the_system_are_followed(layout: Layout) -> None:
    """As ``/bin`` is one on most machines; the user's own outside the home are not."""
    require(os.path.islink("/bin") and os.path.isdir("/bin"), "/bin is no symlink here")
    above = "/.." * len(os.path.realpath("/bin").strip("/").split("/"))
    (layout.host / "link").symlink_to(f"/bin{above}{layout.host}/docs/diary")
    assert (layout.host / "link").read_text() == SECRET
    client = Client(layout, [Rule(b"link", Kind.ALLOW)])
    assert client.read("home/link") == SECRET
    client.operations.close()
