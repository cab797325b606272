"""Empty directories in place of what a jail must not make, and the locks on them."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from venvjail.errors import JailError
from venvjail.planning import placeholders

NAMES = frozenset({".git", ".vscode"})


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Somebody else holds ``path``, as who is removing it does."""
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield fd
    finally:
        os.close(fd)


def test_what_is_missing_is_made_and_removed(tmp_path: Path) -> None:
    held = placeholders.hold(str(tmp_path), NAMES)
    assert set(os.listdir(tmp_path)) == {".git", "HEAD", ".vscode"}
    placeholders.abandon(held)
    assert os.listdir(tmp_path) == []


def test_only_what_is_protected(tmp_path: Path) -> None:
    held = placeholders.hold(str(tmp_path), frozenset({".vscode"}))
    assert os.listdir(tmp_path) == [".vscode"]
    placeholders.abandon(held)


def test_two_jails_of_a_project(tmp_path: Path) -> None:
    """The first to end removes nothing that the other holds."""
    first, second = (placeholders.hold(str(tmp_path), NAMES) for _ in range(2))
    placeholders.abandon(first)
    assert set(os.listdir(tmp_path)) == {".git", "HEAD", ".vscode"}
    placeholders.abandon(second)
    assert os.listdir(tmp_path) == []


def test_what_the_user_has_made_is_left(tmp_path: Path) -> None:
    held = placeholders.hold(str(tmp_path), NAMES)
    (tmp_path / ".git/config").touch()
    (tmp_path / "HEAD").rmdir()
    (tmp_path / "HEAD").touch()
    placeholders.abandon(held)
    assert set(os.listdir(tmp_path)) == {".git", "HEAD"}
    assert placeholders.hold(str(tmp_path), frozenset({".git"})) == {}


def test_one_that_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No jail starts without it, and what was made for that jail is gone again."""
    monkeypatch.setattr(placeholders, "_LOCK_SECONDS", 0.1)
    (tmp_path / ".vscode").mkdir()
    with locked(tmp_path / ".vscode"), pytest.raises(JailError, match="is locked by another"):
        placeholders.hold(str(tmp_path), NAMES)
    assert os.listdir(tmp_path) == [".vscode"]


def test_one_that_is_locked_for_a_moment(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    with locked(tmp_path / ".vscode") as fd:
        timer = threading.Timer(0.1, fcntl.flock, (fd, fcntl.LOCK_UN))
        timer.start()
        held = placeholders.hold(str(tmp_path), frozenset({".vscode"}))
        timer.join()
    assert set(held) == {f"{tmp_path}/.vscode"}
    placeholders.abandon(held)


def test_one_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(JailError, match=r"^cannot make .*/\.vscode: No such file or directory$"):
        placeholders.hold(f"{tmp_path}/missing", frozenset({".vscode"}))


def test_a_project_that_the_user_cannot_write_to(tmp_path: Path) -> None:
    """Nor can the jail."""
    tmp_path.chmod(0o500)
    try:
        assert placeholders.hold(str(tmp_path), NAMES) == {}
    finally:
        tmp_path.chmod(0o700)


def test_another_directory_at_the_same_path(tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    fd = os.open(tmp_path / "held", os.O_RDONLY)
    assert placeholders._is(str(tmp_path / "held"), fd)
    (tmp_path / "held").rename(tmp_path / "moved")
    assert not placeholders._is(str(tmp_path / "held"), fd)
    (tmp_path / "held").mkdir()
    assert not placeholders._is(str(tmp_path / "held"), fd)
    assert placeholders._lock(str(tmp_path / "missing")) is None
    os.close(fd)
