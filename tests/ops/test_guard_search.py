"""How far the search for what has to be guarded goes, and what it takes along on its way."""

import errno
import os
from pathlib import Path

import pytest

from tests.support.guarding import config, found, make
from tests.support.records import record_of
from venvjail import record
from venvjail.layout import VenvPaths
from venvjail.planning import guards, search


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


def searched(top: Path) -> int:
    return guards.find([str(top)], f"{top}/venv", config(top)).searched


def test_each_directory_is_searched_once(top: Path) -> None:
    make(top, "a/b/.envrc", "ab/.envrc")
    tops = [f"{top}/a", f"{top}/a/b", f"{top}/ab"]
    result = guards.find(tops, f"{top}/venv", config(top))
    assert result.read_only == {f"{top}/a/b/.envrc", f"{top}/ab/.envrc"}
    assert result.searched == 3


@pytest.mark.parametrize("name", ["__pycache__", "node_modules", "site-packages", ".tox", ".nox"])
def test_what_programs_fill_is_not_searched(top: Path, name: str) -> None:
    make(top, f"{name}/deep/.envrc", "other/deep/.envrc")
    assert found(top) == {"other/deep/.envrc"}
    assert searched(top) == 3


def test_a_venv_beside_the_project_ends_no_search_for_links(top: Path) -> None:
    make(top, "proj/.git/", "venv/")
    (top / "proj/link").symlink_to(".git")
    result = guards.find([f"{top}/proj"], f"{top}/venv", config(top))
    assert result.links == {f"{top}/proj/link"}


def test_hooks_above_the_venv_itself_are_left(top: Path) -> None:
    """Read-only, they would take it along."""
    make(top, "x/.git/", "deep/venv/", "hooks/")
    (top / "x/.git/config").write_text("[core]\nhooksPath = ../deep\n[include]\n")
    above = guards.find([str(top)], f"{top}/deep/venv", config(top))
    assert above.read_only == {f"{top}/x/.git"}
    elsewhere = guards.find([str(top)], f"{top}/venv", config(top))
    assert elsewhere.read_only == {f"{top}/x/.git", f"{top}/deep"}


def test_deeper_than_any_path_can_say(top: Path) -> None:
    """Nothing can be mounted there; it must not be taken for closed, and keep the jail from it."""
    here = os.open(top, os.O_DIRECTORY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        deeper = os.open("d" * 250, os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    result = guards.find([str(top)], f"{top}/venv", config(top))
    assert result.searched > 10
    assert result.all() == set()


@pytest.mark.parametrize(
    "shown", ["PYVENV.CFG", ".VenvJail", "pyvenv.cf\u0261", "pyvenv\u200c.cfg"]
)
def test_names_as_file_systems_without_case_show_them(top: Path, shown: str) -> None:
    """There, the listing has one spelling, and looking the other one up finds it as well."""
    make(top, f"x/{shown}")
    with os.scandir(top / "x") as entries:
        listed = list(entries)
    is_alike = "\u0261" not in shown
    known = ".venvjail" if "jail" in shown.lower() else "pyvenv.cfg"
    assert search._telling(f"{top}/x", listed) == set(), "no such name on this one"
    (top / "x" / known).touch()
    assert search._telling(f"{top}/x", listed) == ({known} if is_alike else set())


def test_parts_of_a_repository_as_such_file_systems_show_them(top: Path) -> None:
    make(top, "x/head", "x/Objects/", "x/REFS/", "x/CommonDir")
    with os.scandir(top / "x") as entries:
        listed = list(entries)
    names = {"HEAD", "objects", "refs", "commondir"}
    make(top, *(f"x/{name}" for name in names))
    assert search._telling(f"{top}/x", listed) == names


@pytest.mark.parametrize("version", [record.VERSION, 1])
def test_the_code_that_is_run_for_another_venv(top: Path, version: int) -> None:
    """Whatever layout its record has: the venvjail that wrote that may be there still."""
    env = f"{top}/other"
    make(top, "other/pyvenv.cfg", "other/.venvjail/", "tools/src/", "elsewhere/")
    (top / "other").chmod(0o755)
    (top / "other/.venvjail").chmod(0o700)
    record.save(record_of(env, roots=(f"{top}/tools/src",)))
    file = Path(VenvPaths(env).record)
    file.write_text(
        file.read_text().replace(f'"version": {record.VERSION}', f'"version": {version}')
    )
    assert found(top) == {"other", "tools/src"}
    file.unlink()
    assert found(top) == {"other"}


@pytest.mark.parametrize(("failures", "is_found"), [(0, True), (50, True), (1000, False)])
def test_symlinks_that_are_replaced_while_they_are_looked_at(
    top: Path, monkeypatch: pytest.MonkeyPatch, failures: int, is_found: bool
) -> None:
    """What was a symlink for lstat(2) is none for readlink(2): realpath() fails."""
    make(top, "real/.git/")
    (top / "link").symlink_to("real")
    left = failures
    readlink = os.readlink

    def swapped(path: str) -> str:
        nonlocal left
        if left and path == f"{top}/link":
            left -= 1
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return readlink(path)

    monkeypatch.setattr(os, "readlink", swapped)
    result = guards.find([str(top)], f"{top}/venv", config(top, "link/x"))
    assert result.read_only == {f"{top}/real/.git"}
    assert result.links == ({f"{top}/link"} if is_found else set())
