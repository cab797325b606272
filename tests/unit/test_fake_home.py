"""The home that tests are given is like a user's, and hides nothing by itself."""

import os
from pathlib import Path

import pytest

from tests.support.home import SECRET, FakeHome


def test_home_is_what_programs_take_for_home(home: FakeHome) -> None:
    assert home.check(["sh", "-c", "cd; pwd"]) == f"{home.root}\n"
    expand = "import pathlib; print(pathlib.Path.home())"
    assert home.check(["/usr/bin/python3", "-c", expand]) == f"{home.root}\n"
    assert home.root != Path.home()


def test_a_secret_is_readable_on_the_host(home: FakeHome) -> None:
    for name in (".ssh/id_rsa", ".aws/credentials", "docs/letter.txt"):
        assert SECRET in home.check(["cat", home.root / name])


def test_shell_files_work(home: FakeHome) -> None:
    script = "alias ll; greet you; . ~/.profile; echo $FROM_PROFILE"
    output = home.check(["bash", "-i", "-c", script])
    assert output == "alias ll='ls -l'\nhello from bashrc, you\nyes\n"
    assert (home.root / ".profile").is_symlink()


def test_project_is_a_repository_with_a_commit(home: FakeHome) -> None:
    assert home.check(["git", "status", "--porcelain"]) == ""
    assert home.check(["git", "log", "--format=%an %s"]) == "Alice Begin\n"


def test_environment_is_the_homes_own(
    tmp_path: Path, home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISTFILE", "/somewhere")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "7")
    other = FakeHome(tmp_path / "other", runtime=tmp_path / "other-run")
    assert "HISTFILE" not in other.env
    assert other.env["PIP_DEFAULT_TIMEOUT"] == "7"
    inside = [value for name, value in other.env.items() if name.startswith("XDG_")]
    assert len(inside) == 5
    assert all(value.startswith(f"{tmp_path}/other") for value in inside)
    assert home.check(["sh", "-c", "echo $EXTRA"], env={"EXTRA": "more"}) == "more\n"


def test_snapshot_tells_content_mode_and_link(home: FakeHome) -> None:
    before = home.snapshot()
    assert home.snapshot() == before
    home.write(".bashrc", "evil\n")
    (home.root / "docs").chmod(0o711)
    (home.root / ".inputrc").unlink()
    os.symlink("elsewhere", home.root / ".inputrc")
    after = home.snapshot()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {".bashrc", "docs", ".inputrc"}
