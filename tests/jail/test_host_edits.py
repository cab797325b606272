"""What the host changes in an allowed file is seen in the running jail, within a second."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.live import SECOND, Shell, user_config
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JailedVenv]:
    directory = tmp_path_factory.mktemp("edited")
    home = FakeHome(directory / "home", runtime=directory / "run")
    user_config(home, '[home]\nallow = ["notes", "tree", {path = "tools", mode = "ro"}]\n')
    home.write("tree/a", "a\n")
    home.write("tools/x", "x\n")
    with JailedVenv(home) as venv:
        yield venv


@pytest.fixture
def shell(edited: JailedVenv) -> Iterator[Shell]:
    made = Shell(edited)
    yield made
    made.close()


@pytest.fixture
def notes(edited: JailedVenv) -> Path:
    return edited.home.write("notes", "one\n")


def becomes(read: Callable[[], str], expected: str) -> None:
    eventually(lambda: read() == expected, f"{expected!r}", seconds=SECOND)


def test_edited_in_place(shell: Shell, notes: Path) -> None:
    becomes(lambda: shell.run("cat ~/notes"), "one\n")
    notes.write_text("two\n", encoding="utf-8")
    becomes(lambda: shell.run("cat ~/notes"), "two\n")
    with notes.open("a", encoding="utf-8") as file:
        file.write("three\n")
    becomes(lambda: shell.run("cat ~/notes"), "two\nthree\n")
    becomes(lambda: shell.run("stat -c %s ~/notes"), "10\n")


def test_edited_while_it_is_open(shell: Shell, notes: Path) -> None:
    becomes(lambda: shell.run("cat ~/notes"), "one\n")
    shell.run("exec 3<~/notes; head -n 1 <&3")
    with notes.open("a", encoding="utf-8") as file:
        file.write("two\n")
    becomes(lambda: shell.run("cat ~/notes"), "one\ntwo\n")
    assert shell.run("cat <&3") == "two\n"


def test_replaced_by_rename(shell: Shell, notes: Path) -> None:
    becomes(lambda: shell.run("cat ~/notes"), "one\n")
    shell.run("exec 3<~/notes")
    new = notes.with_name("notes.new")
    new.write_text("new\n", encoding="utf-8")
    new.rename(notes)
    becomes(lambda: shell.run("cat ~/notes"), "new\n")
    assert shell.run("cat <&3") == "one\n"


def test_removed_and_made_again(shell: Shell, notes: Path) -> None:
    becomes(lambda: shell.run("cat ~/notes"), "one\n")
    notes.unlink()
    eventually(lambda: not shell.sees("~/notes"), "its absence", seconds=SECOND)
    assert "notes" not in shell.run("ls ~")
    notes.write_text("again\n", encoding="utf-8")
    eventually(lambda: shell.sees("~/notes"), "its return", seconds=SECOND)
    assert shell.run("cat ~/notes") == "again\n"


def test_made_after_the_start_in_an_allowed_directory(edited: JailedVenv, shell: Shell) -> None:
    assert not shell.sees("~/tree/deep/new")
    edited.home.write("tree/deep/new", "new\n")
    eventually(lambda: shell.sees("~/tree/deep/new"), "the new file", seconds=SECOND)
    assert "deep" in shell.run("ls ~/tree")


def test_where_the_kernel_serves_it(edited: JailedVenv, shell: Shell) -> None:
    edited.home.write("tools/x", "changed\n")
    assert shell.run("cat ~/tools/x") == "changed\n"
    edited.home.write("tools/y", "new\n")
    assert shell.run("cat ~/tools/y") == "new\n"


def test_a_symlink_that_leads_elsewhere(edited: JailedVenv, shell: Shell) -> None:
    home = edited.home
    assert "FROM_PROFILE" in shell.run("cat ~/.profile")
    home.write("dotfiles/other", "export OTHER=yes\n")
    link = home.root / "profile.new"
    link.symlink_to("dotfiles/other")
    link.rename(home.root / ".profile")
    becomes(lambda: shell.run("cat ~/.profile"), "export OTHER=yes\n")


def test_a_mode_that_changes(shell: Shell, notes: Path) -> None:
    notes.chmod(0o600)
    becomes(lambda: shell.run("stat -c %a ~/notes"), "600\n")
    notes.chmod(0o640)
    becomes(lambda: shell.run("stat -c %a ~/notes"), "640\n")
