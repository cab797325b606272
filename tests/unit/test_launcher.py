"""Where the launcher's code is, and which writable directories that excludes."""

import os
from pathlib import Path

import pytest

from venvjail.errors import JailError
from venvjail.planning.launcher import Launcher, refuse_exposed, symlinks_on


def test_symlinks_on_a_path(tmp_path: Path) -> None:
    top = Path(os.path.realpath(tmp_path))
    (top / "real/bin").mkdir(parents=True)
    (top / "one").symlink_to("two")
    (top / "two").symlink_to(top / "real")
    (top / "real/bin/python").symlink_to("../bin/python3")
    (top / "real/bin/python3").symlink_to("/usr/bin/env")
    found = [path for path in symlinks_on(f"{top}/one/bin/python") if path.startswith(str(top))]
    expected = ["one", "two", "real/bin/python", "real/bin/python3"]
    assert found == [str(top / name) for name in expected]
    assert list(symlinks_on(str(top / "real/missing/x"))) == []


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert len(list(symlinks_on(str(tmp_path / "loop")))) == 40


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name in ("proj/tools/src/venvjail", "opt/py/bin", "opt/py/lib/python3"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "opt/py/bin/python3").touch()
    return Path(os.path.realpath(tmp_path))


def launcher(top: Path) -> Launcher:
    prefix = str(top / "opt/py")
    return Launcher((str(top / "proj/tools/src"),), (f"{prefix}/bin/python3",), prefix)


def test_code_below_a_writable_directory_is_guarded(top: Path) -> None:
    assert launcher(top).paths_in([str(top / "proj")]) == {str(top / "proj/tools/src")}
    everything = launcher(top).paths_in([str(top / "opt")])
    assert everything == {str(top / f"opt/{n}") for n in ("py", "py/bin", "py/lib")}
    assert launcher(top).paths_in([str(top / "pro")]) == set()


@pytest.mark.parametrize(
    "writable",
    ["proj/tools/src", "proj/tools/src/venvjail", "opt/py", "opt/py/bin", "opt/py/lib/python3/x"],
)
def test_writable_code_is_refused(top: Path, writable: str) -> None:
    with pytest.raises(JailError, match="venvjail itself runs from"):
        refuse_exposed(launcher(top), [str(top / writable)], "/env")


@pytest.mark.parametrize("writable", ["proj", "proj/tools", "opt", "opt/py/share/proj", "other"])
def test_what_can_be_guarded_is_not(top: Path, writable: str) -> None:
    refuse_exposed(launcher(top), [str(top / writable)], "/env")


def test_what_is_missing_must_not_be_made_by_a_jail(top: Path) -> None:
    (top / "proj/tools/src/venvjail").rmdir()
    (top / "proj/tools/src").rmdir()
    assert launcher(top).paths_in([str(top / "proj")]) == {str(top / "proj/tools")}
    (top / "proj/tools").rmdir()
    with pytest.raises(JailError, match="tools/src"):
        refuse_exposed(launcher(top), [str(top / "proj")], "/env")


def test_nothing_of_the_venv_is_code(top: Path) -> None:
    with pytest.raises(JailError, match="tools/src"):
        refuse_exposed(launcher(top), [str(top / "proj")], str(top / "proj"))
