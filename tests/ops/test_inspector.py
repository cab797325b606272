"""A home looked at without a mount, and which of the kernel's memories new rules make wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fusefs.inspector import Inspector, Shown
from fusefs.rules import Access, Kind, Rule, Rules
from fusefs.view import ViewSettings
from tests.support.clients import CONTEXT, Client
from tests.support.layouts import RULES, Layout


@pytest.fixture
def inspector(layout: Layout) -> Iterator[Inspector]:
    (layout.store / ".cache").mkdir()
    (layout.store / ".config/fish").mkdir(parents=True)
    (layout.store / ".config/fish/new").touch()
    (layout.host / "proj/link").symlink_to("code.py")
    (layout.host / ".config/fish/out").symlink_to("/usr/share/x")
    settings = ViewSettings(
        os.fsencode(layout.host),
        os.fsencode(layout.store),
        Rules(RULES),
        tuple(map(os.fsencode, layout.never)),
    )
    with Inspector(settings) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "shown", "walked"),
    [
        (b"", Shown.BOTH, b""),
        (b".bashrc", Shown.HOST, b".bashrc"),
        (b".profile", Shown.HOST, b".profile"),
        (b".config/fish", Shown.BOTH, b".config/fish"),
        (b".config/fish/new", Shown.STORE, b".config/fish/new"),
        (b".cache", Shown.STORE, b".cache"),
        (b".ssh/id_rsa", Shown.HIDDEN, b".ssh"),
        (b".config/other/settings", Shown.HIDDEN, b".config/other"),
        (b".config/git/credentials", Shown.HIDDEN, b".config/git/credentials"),
        (b".config/git/absent", Shown.ABSENT, b".config/git/absent"),
        (b"proj", Shown.MOUNTPOINT, b"proj"),
        (b".dirjailconfig", Shown.HIDDEN, b".dirjailconfig"),
    ],
)
def test_where_a_path_is_shown_from(
    inspector: Inspector, path: bytes, shown: Shown, walked: bytes
) -> None:
    sighting = inspector.look(path)
    assert (sighting.shown, sighting.path) == (shown, walked)


def test_it_names_the_rule(inspector: Inspector) -> None:
    rule = inspector.look(b".config/git/credentials").rule
    assert rule is not None
    assert (rule.path, rule.kind) == (b".config/git/credentials", Kind.HIDE)
    assert inspector.look(b".ssh").rule is None
    assert inspector.look(b".config").access is Access.ANCESTOR


def test_where_something_can_be_made(inspector: Inspector) -> None:
    assert inspector.look(b".ssh").creates
    assert inspector.look(b".config/fish").creates
    assert not inspector.look(b".pyenv/absent").creates


def test_a_symlink_ends_the_walk(inspector: Inspector) -> None:
    sighting = inspector.look(b".config/fish/out/deep")
    assert (sighting.path, sighting.link) == (b".config/fish/out", b"/usr/share/x")


def test_names_are_those_that_can_be_looked_up(inspector: Inspector) -> None:
    assert inspector.names(b".config") == [b"fish", b"git"]
    assert b".later" not in inspector.names(b"")
    with pytest.raises(NotADirectoryError):
        inspector.names(b".bashrc")
    with pytest.raises(NotADirectoryError):
        inspector.names(b".ssh")


# -- what the kernel remembers ---------------------------------------------------------------


def entries(client: Client, rules: list[Rule]) -> set[tuple[int, bytes]]:
    return set(client.operations.replace_rules(Rules(rules), ()))


def test_a_hidden_name_is_not_remembered_as_absent(client: Client) -> None:
    home = client.inode("home")
    with pytest.raises(OSError, match="No such file"):
        client.run(client.operations.lookup(home, b".ssh", CONTEXT))  # raised: not cached
    client.run(client.operations.lookup(home, b"nobody-has-this", CONTEXT))  # cached


def test_names_that_appear_and_disappear_are_to_be_forgotten(client: Client) -> None:
    home, git = client.inode("home"), client.inode("home/.config/git")
    client.inode("home/.bashrc")
    changed = [rule for rule in RULES if rule.path not in (b".bashrc", b".config/git/credentials")]
    assert entries(client, [*changed, Rule(b"docs/diary", Kind.ALLOW)]) == {
        (home, b".bashrc"),
        (home, b"docs"),
        (git, b"credentials"),
    }


def test_of_a_hidden_tree_only_the_top(client: Client) -> None:
    config = client.inode("home/.config")
    client.inode("home/.config/fish/config.fish")
    kept = [rule for rule in RULES if rule.path != b".config/fish"]
    assert entries(client, kept) == {(config, b"fish")}


def test_the_way_to_a_mount_is_never_forgotten(layout: Layout) -> None:
    deep = Rule(b"docs/src", Kind.MOUNTPOINT)
    client = Client(layout, [deep, Rule(b"docs", Kind.ALLOW)])
    home, docs = client.inode("home"), client.inode("home/docs")
    client.inode("home/docs/diary")
    assert entries(client, [deep, Rule(b"docs", Kind.HIDE)]) == {(docs, b"diary")}
    assert client.inode("home/docs") == docs
    assert (home, b"docs") not in entries(client, [deep])
    client.operations.close()


def test_nothing_changes_nothing(client: Client) -> None:
    client.inode("home/.config/fish/config.fish")
    assert entries(client, list(RULES)) == set()
