"""Edits of a config file: what is added and taken out, and that all else stays as it was."""

from pathlib import Path

import pytest

from venvjail.config import toml
from venvjail.config.edit import ConfigEdit
from venvjail.config.file import load
from venvjail.config.view import initial_text
from venvjail.errors import ConfigError, UserError

HOME = "/home/alice"

WRITTEN = """\
# mine
[jail]   # about the jail
linger = 10


[home]
allow = [
    ".gitconfig",   # name and address
    {path = ".pyenv", mode = "ro"},
]  # end
hide = ['.profile']
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "venvjail.toml"
    path.write_text(WRITTEN)
    path.chmod(0o600)
    return path


def edit(file: Path) -> ConfigEdit:
    return ConfigEdit(str(file), HOME)


def added(file: Path, value: str, section: str = "home", key: str = "allow") -> str:
    change = edit(file)
    change.add(section, key, value)
    change.save()
    return file.read_text()


def test_an_entry_is_added_and_the_rest_survives(file: Path) -> None:
    text = added(file, "docs")
    assert toml.loads(text)["home"]["allow"] == [
        ".gitconfig",
        {"path": ".pyenv", "mode": "ro"},
        "docs",
    ]
    for line in WRITTEN.splitlines():
        assert line.rstrip(",") in text
    assert text.startswith("# mine\n[jail]   # about the jail\nlinger = 10\n\n\n[home]\n")


def test_what_is_there_is_not_added_again(file: Path) -> None:
    change = edit(file)
    change.add("home", "allow", ".gitconfig")
    change.add("home", "allow", ".pyenv")
    change.add("home", "hide", ".profile/")
    assert not change.changed
    before = file.stat().st_mtime_ns
    change.save()
    assert file.stat().st_mtime_ns == before


def test_an_entry_is_taken_out(file: Path) -> None:
    change = edit(file)
    assert change.remove("home", "allow", ".pyenv")
    assert not change.remove("home", "allow", "docs")
    assert not change.remove("run", "allow", "/run/x")
    change.save()
    text = file.read_text()
    assert toml.loads(text)["home"]["allow"] == [".gitconfig"]
    assert "# name and address" in text
    assert "# end" in text


def test_a_section_that_is_missing(file: Path) -> None:
    text = added(file, "/srv/private", "filesystem", "hide")
    assert toml.loads(text)["filesystem"] == {"hide": ["/srv/private"]}
    assert text.startswith(WRITTEN.rstrip("\n"))


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    assert toml.loads(added(file, "docs")) == {"home": {"allow": ["docs"]}}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_venvs_file_stays_readable(tmp_path: Path) -> None:
    file = tmp_path / "venvjail.toml"
    file.write_text(initial_text("/home/alice/proj"))
    file.chmod(0o600)
    text = added(file, "docs")
    at = text.index('allow = ["docs"]')
    assert text.index("[home]") < at < text.index("[filesystem]")
    assert text.replace('allow = ["docs"]\n', "") == initial_text("/home/alice/proj")


@pytest.mark.parametrize("text", ["home.allow = ['x']\n", "home = {allow = ['x']}\n"])
def test_other_spellings_of_a_section(tmp_path: Path, text: str) -> None:
    file = tmp_path / "venvjail.toml"
    file.write_text(text)
    file.chmod(0o600)
    assert toml.loads(added(file, "docs")) == {"home": {"allow": ["x", "docs"]}}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_the_mode_stays(file: Path, mode: int) -> None:
    file.chmod(mode)
    added(file, "docs")
    assert file.stat().st_mode & 0o777 == mode


def test_a_symlink_stays_one(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file.name)
    added(link, "docs")
    assert link.is_symlink()
    assert "docs" in file.read_text()


@pytest.mark.parametrize("name", ["caf\udce9", 'a "b" \\c', "\x1b[2J", "née", "x\ny"])
def test_any_name_comes_back(file: Path, name: str) -> None:
    added(file, name)
    config = load("/nonexistent", str(file), home=HOME)
    assert name in [item.path for item in config.home.allow]
    change = edit(file)
    change.add("home", "allow", name)
    assert not change.changed
    assert change.remove("home", "allow", name)


@pytest.mark.parametrize("value", ["", "../x", "*.txt", ".dirjailconfig", "/etc"])
def test_what_a_start_would_refuse_is_refused(file: Path, value: str) -> None:
    with pytest.raises(UserError, match=r"^home\.allow: "):
        edit(file).add("home", "allow", value)
    assert file.read_text() == WRITTEN


@pytest.mark.parametrize("text", ["[home\n", "[home]\nallow = 3\n"])
def test_a_broken_file_is_not_touched(tmp_path: Path, text: str) -> None:
    file = tmp_path / "venvjail.toml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError):
        added(file, "docs")
    assert file.read_text() == text


@pytest.mark.parametrize("text", ["", '[project]\npath = "/srv"  # mine\n'])
def test_a_value_is_put_and_taken_out(file: Path, text: str) -> None:
    file.write_text(text)
    put = edit(file)
    put.put("project", "path", "/home/alice/proj")
    put.save()
    assert toml.loads(file.read_text())["project"] == {"path": "/home/alice/proj"}
    for _ in range(2):  # the second time there is none
        out = edit(file)
        out.put("project", "path", None)
        out.save()
        assert toml.loads(file.read_text()).get("project", {}) == {}
