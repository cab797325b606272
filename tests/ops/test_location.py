"""Places where a venv cannot be made, each said in one line before anything is changed."""

import os
from pathlib import Path

import pytest

from venvjail.creation.location import check_contents, check_location
from venvjail.errors import UserError


def contents(env_dir: Path, *, clear: bool = False, upgrade: bool = False) -> None:
    check_contents(str(env_dir), clear=clear, upgrade=upgrade)


def test_new_and_existing_directories(tmp_path: Path) -> None:
    check_location(str(tmp_path / "a/b/venv"), "/home/alice")
    check_location(str(tmp_path), "/home/alice")
    check_location("/home/alice/venv", "/home/alice")


@pytest.mark.parametrize(
    ("env_dir", "reason"),
    [
        ("/", "not a place for a venv"),
        ("/home/alice", "not a place for a venv"),
        ("/home/alice/a:b", "separates directories in PATH"),
        ("/home/alice/a\nb", "contains a control character"),
        ("/home/alice/a\x7f", "contains a control character"),
        ("/home/alice/proj/.git/venv", "inside .git"),
        ("/home/alice/proj/.hg/x/venv", "inside .hg"),
        ("/etc", "belongs to another user"),
    ],
)
def test_refused(env_dir: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        check_location(env_dir, "/home/alice")


def test_the_home_by_another_name(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "home")
    for env_dir, home in (("alias", "home"), ("home", "alias")):
        with pytest.raises(UserError, match="not a place for a venv"):
            check_location(str(tmp_path / env_dir), str(tmp_path / home))


@pytest.mark.parametrize("below", ["home", ".venvjail", "home/a/b", "lib"])
def test_inside_another_venv(tmp_path: Path, below: str) -> None:
    (tmp_path / "venv/.venvjail").mkdir(parents=True)
    (tmp_path / "alias").symlink_to(tmp_path / "venv")
    for name in ("venv", "alias"):
        with pytest.raises(UserError, match=r"inside the venv .*, whose jail"):
            check_location(str(tmp_path / name / below / "new"), "/home/alice")


def test_inside_a_plain_venv(tmp_path: Path) -> None:
    (tmp_path / "plain/lib").mkdir(parents=True)
    check_location(str(tmp_path / "plain/lib/new"), "/home/alice")
    (tmp_path / "plain/pyvenv.cfg").touch()
    with pytest.raises(UserError, match=r"inside the virtual environment .*, which you run"):
        check_location(str(tmp_path / "plain/lib/new"), "/home/alice")


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Not a directory"):
        check_location(str(tmp_path / "file/venv"), "/home/alice")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to("/usr/bin/python3")
    (tmp_path / "pyvenv.cfg").touch()
    return tmp_path


def test_plain_venv(plain: Path) -> None:
    with pytest.raises(UserError, match=r"plain virtual environment.*unjailed; .*--clear"):
        contents(plain)
    with pytest.raises(UserError, match=r"--upgrade cannot jail them; .*--clear"):
        contents(plain, upgrade=True)
    contents(plain, clear=True)


@pytest.mark.parametrize("name", ["bin", "home", ".venvjail"])
def test_other_directory_whose_contents_would_be_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / "src").mkdir()
    contents(tmp_path)
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"{name}: exists and was not made by venvjail"):
        contents(tmp_path)


def test_clear_does_not_delete_what_is_no_venv(tmp_path: Path) -> None:
    contents(tmp_path, clear=True)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="not a virtual environment, and --clear would delete"):
        contents(tmp_path, clear=True)


PACKAGES = "lib/python3.11/site-packages"


class TestOwn:
    """An existing venv of ours, in which a jail may have planted links."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        for name in ("bin", "home", ".venvjail/bin", ".venvjail/run", "lib/python3.11"):
            (tmp_path / "env" / name).mkdir(parents=True)
        contents(tmp_path / "env")
        return tmp_path / "env"

    @pytest.mark.parametrize("name", ["bin", "home", ".venvjail/bin", ".venvjail/run"])
    def test_directory_that_is_a_link(self, own: Path, name: str) -> None:
        (own / name).rename(own.parent / "elsewhere")
        (own / name).symlink_to(own.parent / "elsewhere")
        with pytest.raises(UserError, match=f"{name}: not a directory"):
            contents(own)

    @pytest.mark.parametrize("name", ["lib", "lib/python3.11", PACKAGES, "include"])
    def test_library_that_is_a_link(self, own: Path, name: str) -> None:
        if (own / name).exists():
            (own / name).rename(own.parent / "elsewhere")
        (own / name).symlink_to(own.parent / "elsewhere")
        with pytest.raises(UserError, match=f"{name}: is a symlink"):
            contents(own)
        contents(own, clear=True)

    @pytest.mark.parametrize("name", ["include", PACKAGES])
    def test_library_that_is_a_file(self, own: Path, name: str) -> None:
        (own / name).touch()
        with pytest.raises(UserError, match=f"{name}: is not a directory"):
            contents(own, upgrade=True)
        contents(own, clear=True)

    def test_program_that_is_no_entry(self, own: Path) -> None:
        (own / "bin/activate-new-shell").touch()
        contents(own, upgrade=True)
        (own / "bin/tool").write_text("#!/bin/sh\n", encoding="utf-8")
        for options in ({}, {"upgrade": True}):
            with pytest.raises(UserError, match="bin/tool: not made by venvjail, and"):
                contents(own, **options)
        contents(own, clear=True)


def test_directory_without_permission(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o000)
    try:
        with pytest.raises(UserError, match="Permission denied"):
            check_location(str(closed / "venv"), "/home/alice")
    finally:
        os.chmod(closed, 0o700)


def test_a_venv_without_commands(tmp_path: Path) -> None:
    """Its ``bin`` is made anew; a file of somebody else's in there is not overlooked."""
    (tmp_path / ".venvjail").mkdir()
    (tmp_path / "pyvenv.cfg").touch()
    contents(tmp_path, upgrade=True)
    (tmp_path / "bin").mkdir()
    contents(tmp_path, upgrade=True)
    (tmp_path / "bin/tool").touch()
    with pytest.raises(UserError, match="not made by venvjail, and would run unjailed"):
        contents(tmp_path, upgrade=True)
