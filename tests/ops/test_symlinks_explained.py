"""`venvjail explain` on symlinks that lead round and round, and ways that code is reached by."""

import os
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from venvjail.creation.command import command as creation
from venvjail.layout import VenvPaths
from venvjail.planning.launcher import symlinks_on
from venvjail.sight.explanation import HIDDEN
from venvjail.sight.sight import Sight


@pytest.fixture
def sight(home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> Sight:
    (home.root / ".dirjailconfig").write_text('[home]\nallow = ["one", "two", "self"]\n')
    (home.root / "one").symlink_to("two")
    (home.root / "two").symlink_to("one")
    (home.root / "self").symlink_to("self/deeper")
    monkeypatch.setenv("HOME", str(home.root))
    monkeypatch.chdir(home.project)
    creation.main(["--without-pip", "venv"], standalone_mode=False)
    return Sight.of(VenvPaths(str(home.project / "venv")))


@pytest.mark.parametrize("path", ["one/x", "two/x", "self/x"])
def test_a_loop_of_symlinks(sight: Sight, home: FakeHome, path: str) -> None:
    with sight:
        found = sight.explain(str(home.root / path))
    assert (found.verdict, found.there) == (HIDDEN, False)
    assert found.path == str(home.root / path)


def test_symlinks_on_the_way_to_code(tmp_path: Path) -> None:
    top = Path(os.path.realpath(tmp_path))
    (top / "code").mkdir()
    (top / "link").symlink_to(".//./code/../second")
    (top / "second").symlink_to("code")
    assert list(symlinks_on(f"{top}/link/x")) == [f"{top}/link", f"{top}/second"]
    assert list(symlinks_on(f"{top}/code/x")) == []
    (top / "round").symlink_to("round")
    assert set(symlinks_on(f"{top}/round")) == {f"{top}/round"}
