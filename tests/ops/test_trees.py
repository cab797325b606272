"""Deletion of what a jail has made: nothing keeps it from going, nothing leads it astray."""

import os
from pathlib import Path

import pytest

from venvjail.trees import delete_tree


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    directory = tmp_path / "outside"
    directory.mkdir(mode=0o755)
    (directory / "kept").write_text("kept")
    return directory


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_text("")
    (tree / "state/inner").mkdir(parents=True)
    return tree


def test_everything_goes(tree: Path) -> None:
    (tree / "odd\udcff\n").write_text("")
    os.mkfifo(tree / "a/fifo")
    delete_tree(str(tree))
    assert not os.path.lexists(tree)


def test_symlinks_are_deleted_and_not_followed(tree: Path, outside: Path) -> None:
    (tree / "a/out").symlink_to(outside)
    (tree / "a/file-out").symlink_to(outside / "kept")
    (tree / "out").symlink_to(outside)
    delete_tree(str(tree))
    assert (outside / "kept").read_text() == "kept"
    assert outside.stat().st_mode & 0o777 == 0o755


def test_a_symlink_in_the_place_of_the_tree_is_refused(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(OSError):
        delete_tree(str(tmp_path / "link"))
    assert (outside / "kept").exists()


def test_directories_without_permissions(tree: Path) -> None:
    for name in ("a/b", "a", "state"):
        (tree / name).chmod(0)
    tree.chmod(0)
    delete_tree(str(tree))
    assert not tree.exists()


def test_deeper_than_a_path_can_be(tree: Path) -> None:
    """4,096 bytes is PATH_MAX, a thousand calls Python's recursion limit."""
    fd = os.open(tree, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=fd)
        inner = os.open("deep", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    delete_tree(str(tree))
    assert not tree.exists()


def test_what_is_to_go_last_is_there_when_the_rest_cannot_go(tree: Path) -> None:
    unlinked: list[str] = []
    real = os.rmdir

    def rmdir(name: str, *, dir_fd: int) -> None:
        unlinked.append(name)
        real(name, dir_fd=dir_fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rmdir", rmdir)
        delete_tree(str(tree), last="state")
    assert unlinked.index("a") < unlinked.index("state")


def test_a_missing_tree(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        delete_tree(str(tmp_path / "nothing"))
