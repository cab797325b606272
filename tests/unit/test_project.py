"""Which directory a jail may write to: not the home, nothing that belongs to all."""

import os
from pathlib import Path

import pytest

from venvjail.creation.project import choose_project, given_project
from venvjail.errors import UserError

HOME = "/home/alice"


@pytest.mark.parametrize(
    "directory",
    [
        "/home/alice/proj",
        "/home/alice/.config/x",
        "/srv/www/app",
        "/tmp/x/y",
        "/opt/app",
        "/data/a",
    ],
)
def test_the_directory_that_holds_the_venv(directory: str) -> None:
    assert choose_project(f"{directory}/venv", HOME).path == directory


@pytest.mark.parametrize(
    ("directory", "reason"),
    [
        ("/home/alice", "/home/alice is your home"),
        ("/home", "/home contains your home"),
        ("/", "/ contains your home"),
        ("/tmp", "/tmp is a system directory"),
        ("/var/tmp", "/var/tmp is a system directory"),
        ("/root", "/root is a system directory"),
        ("/dev/shm", "/dev/shm is a system directory"),
        ("/run/user/1000", "/run/user/1000 is a system directory"),
        ("/usr/local", "/usr/local is a system directory"),
    ],
)
def test_too_much_to_give(directory: str, reason: str) -> None:
    project = choose_project(os.path.join(directory, "venv"), HOME)
    assert (project.path, project.reason) == (None, reason)


def test_symlinks_hide_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "alias").symlink_to(home)
    (tmp_path / "to-tmp").symlink_to("/tmp")
    for home_name in ("home", "alias"):
        for place in ("home", "alias"):
            chosen = choose_project(str(tmp_path / place / "venv"), str(tmp_path / home_name))
            assert chosen.path is None
    assert choose_project(str(tmp_path / "to-tmp/venv"), str(home)).path is None
    inside = choose_project(str(tmp_path / "alias/proj/venv"), str(home))
    assert inside.path == str(home / "proj")


def test_a_directory_that_others_can_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    project = choose_project(str(tmp_path / "venv"), HOME)
    assert (project.path, project.reason) == (None, f"{tmp_path} is open to every user")
    tmp_path.chmod(0o755)
    assert choose_project(str(tmp_path / "venv"), HOME).path == str(tmp_path)


def test_a_given_directory(tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(tmp_path)
    project = given_project(str(tmp_path / "alias"), "/elsewhere/venv", HOME)
    assert project.path == str(tmp_path)


def test_a_given_directory_in_the_venv_adds_nothing(tmp_path: Path) -> None:
    assert given_project(str(tmp_path), str(tmp_path), HOME).path is None


@pytest.mark.parametrize("directory", ["/", "/tmp", "/usr", "/home", "/nowhere/at/all"])
def test_a_given_directory_that_cannot_be(directory: str) -> None:
    with pytest.raises(UserError, match=r"^--project /"):
        given_project(directory, "/v/env", HOME)


def test_the_home_cannot_be_given(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is your home, and the jail could write to all of it"):
        given_project(str(tmp_path), "/v/env", str(tmp_path))
