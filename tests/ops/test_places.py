"""Places of the host that are recognised by inode and by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fusefs.layers import Identity, identity
from fusefs.places import Places
from tests.support.clients import Client
from tests.support.layouts import Layout


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def inode(path: Path) -> Identity:
    return identity(path.lstat())


def test_a_place_is_known_by_inode_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "other").touch()
    places = Places([os.fsencode(tmp_path / "a")])
    assert places.holds(inode(tmp_path / "b"))
    assert not places.holds(inode(tmp_path / "other"))


def test_a_place_is_known_by_name_before_it_exists(tmp_path: Path) -> None:
    places = Places([os.fsencode(tmp_path / "a")])
    assert places.holds_name(inode(tmp_path), b"a")
    assert not places.holds_name(inode(tmp_path), b"b")
    assert not places.holds_name(inode(tmp_path.parent), b"a")


def test_a_path_through_a_symlink_means_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    places = Places([os.fsencode(tmp_path / "link" / "a")])
    assert places.holds_name(inode(tmp_path / "real"), b"a")


def test_replaced_places_are_found_again_within_a_second(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "a").touch()
    places = Places([os.fsencode(tmp_path / "a")], clock=clock)
    (tmp_path / "b").touch()
    (tmp_path / "b").rename(tmp_path / "a")
    assert not places.holds(inode(tmp_path / "a"))
    clock.now = 1.0
    assert places.holds(inode(tmp_path / "a"))


def test_an_unseen_place_is_known_by_name_and_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: (looked.append(path), real(path))[1])
    mount = os.fsencode(tmp_path / "mnt")
    places = Places([mount])
    looked.clear()
    places.add_unseen(mount)
    assert places.holds_name(inode(tmp_path), b"mnt")
    assert mount not in looked


def test_the_views_own_mountpoint_is_not_shown(client: Client, layout: Layout) -> None:
    (layout.host / ".config/fish/mnt").mkdir()
    assert client.exists("home/.config/fish/mnt")
    client.operations.never_look_at(os.fsencode(layout.host / ".config/fish/mnt"))
    assert not client.exists("home/.config/fish/mnt")
    client.mkdir("home/.config/fish/mnt")
    assert client.names("home/.config/fish/mnt") == set()
