"""The config files put together: what adds up, what wins, where each value came from."""

import os
from pathlib import Path
from typing import Any

import pytest

from venvjail.config import defaults
from venvjail.config import model as config
from venvjail.config.file import default_user_file, load
from venvjail.config.model import Assignment, Config, HomeAllow, Item, Origin, Publish, Setting
from venvjail.config.schema import SECTIONS, Key, Section, Shape
from venvjail.config.view import toml_value


class Files:
    """A home's ``.dirjailconfig`` and a venv's ``venvjail.toml``, both still missing."""

    def __init__(self, directory: Path) -> None:
        self.home = str(directory / "home")
        os.mkdir(self.home)
        self.user = Path(default_user_file(self.home))
        self.venv = directory / "venvjail.toml"

    def load(self, user: str = "", venv: str = "") -> Config:
        for path, text in ((self.user, user), (self.venv, venv)):
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)
        return load(str(self.user), str(self.venv))

    def at_user(self, line: int) -> Origin:
        return Origin(str(self.user), line)

    def at_venv(self, line: int) -> Origin:
        return Origin(str(self.venv), line)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_without_any_file_the_defaults_hold(files: Files) -> None:
    effective = load(str(files.user), str(files.venv))
    assert [allow.path for allow in effective.home.allow] == list(defaults.HOME_ALLOW)
    assert {str(allow.origin) for allow in effective.home.allow} == {"default"}
    assert effective.network.mode == Setting("host", config.DEFAULT)
    assert effective.jail.linger.value == 60
    assert effective.project.path is None
    assert effective.environment.only is None
    assert effective.limits == config.Limits(None, None)
    assert files.load() == effective, "an empty file is a missing one"


def test_an_origin_names_file_and_line(files: Files) -> None:
    effective = files.load(user='[home]\nhide = [\n  ".netrc",\n  ".profile",\n]\n')
    assert effective.home.hide[1] == Item(".profile", files.at_user(4))
    assert str(effective.home.hide[1].origin) == f"{files.user}:4"


def test_the_users_file_lies_in_the_home() -> None:
    assert default_user_file("/home/alice") == "/home/alice/.dirjailconfig"


def test_lists_add_up_in_order(files: Files) -> None:
    effective = files.load('[dev]\nallow = ["/dev/dri"]', '[dev]\nallow = ["/dev/kvm"]')
    assert effective.dev.allow == (
        Item("/dev/dri", files.at_user(2)),
        Item("/dev/kvm", files.at_venv(2)),
    )


def test_of_single_values_the_venvs_wins(files: Files) -> None:
    user, venv = "[jail]\nlinger = 5\nnotice = false\n", "[jail]\nlinger = 0.5\n"
    jail = files.load(user, venv).jail
    assert jail.linger == Setting(0.5, files.at_venv(2))
    assert jail.notice == Setting(False, files.at_user(3))
    assert jail.user_namespaces == Setting(False, config.DEFAULT)


def test_an_entry_in_two_files_counts_once_as_the_later_says(files: Files) -> None:
    effective = files.load(
        '[home]\nallow = [".pyenv", ".bashrc"]',
        '[home]\nallow = [{path = ".pyenv", mode = "ro"}]',
    )
    assert effective.home.allow[0] == HomeAllow(".bashrc", "merge", files.at_user(2))
    assert effective.home.allow[-1] == HomeAllow(".pyenv", "ro", files.at_venv(2))
    assert len(effective.home.allow) == len(defaults.HOME_ALLOW) + 1


def test_variables_and_ports_are_replaced_by_name_and_port(files: Files) -> None:
    effective = files.load(
        '[environment]\nset = {A = "1", B = "2"}\n[network]\npublish = [8000, "8080:80"]',
        '[environment.set]\nA = "3"\n[network]\npublish = ["8000:9"]',
    )
    assert effective.environment.set == (
        Assignment("A", "3", files.at_venv(2)),
        Assignment("B", "2", files.at_user(2)),
    )
    assert effective.network.publish == (
        Publish(8000, 9, files.at_venv(4)),
        Publish(8080, 80, files.at_user(4)),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("~/.gitconfig", ".gitconfig"),
        ("./.config//git/", ".config/git"),
        ("a [b]", "a [b]"),
        ("caf\\u0000\\u00e9", "caf\udce9"),
    ],
)
def test_paths_in_the_home_are_normalised(files: Files, written: str, meant: str) -> None:
    effective = files.load(
        f'[home]\nallow = ["{written}"]\nhide = ["{written}"]\nwritable = ["{written}"]'
    )
    assert effective.home.allow[-1].path == meant
    assert effective.home.hide[0].value == meant
    assert effective.home.writable[0].value == meant


def test_absolute_paths_are_normalised_and_know_the_home(files: Files) -> None:
    effective = files.load(
        '[filesystem]\nhide = ["//srv/./private/"]\nwritable = ["~/data"]\n'
        '[project]\npath = "~/src/*"\nprotect = ["./deploy/"]\n'
        '[run]\nallow = ["/run//postgresql"]\n[proc]\nallow = ["sys/fs/"]\n'
    )
    assert effective.filesystem.hide[0].value == "/srv/private"
    assert effective.filesystem.writable[0].value == f"{files.home}/data"
    assert effective.project.path == Item(f"{files.home}/src/*", files.at_user(5))
    assert effective.project.protect[-1].value == "deploy"
    assert effective.run.allow[-1].value == "/run/postgresql"
    assert effective.proc.allow[-1].value == "sys/fs"


def test_a_home_beside_the_users_file_can_be_named(files: Files) -> None:
    files.venv.write_text('[filesystem]\nhide = ["~/x", "/srv"]\n')
    files.venv.chmod(0o600)
    effective = load("/nonexistent/file", str(files.venv), home="/home/alice")
    assert effective.filesystem.hide[0].value == "/home/alice/x"


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("16777216", 2**24),
        ('"16384K"', 2**24),
        ('"2G"', 2**31),
        ('"1.5G"', 3 * 2**29),
        ('"0.1G"', 2**30 // 10),
        ('"1T"', 2**40),
    ],
)
def test_sizes(files: Files, written: str, size: int) -> None:
    assert files.load(f"[limits]\nmemory = {written}").limits.memory == Setting(
        size, files.at_user(2)
    )


def test_an_empty_allow_list_of_variables_is_not_a_missing_one(files: Files) -> None:
    assert files.load("[environment]\nonly = []").environment.only == ()
    both = files.load('[environment]\nonly = ["A"]', '[environment]\nonly = ["B"]').environment.only
    assert both is not None
    assert [item.value for item in both] == ["A", "B"]


def test_a_list_may_be_an_array_of_tables(files: Files) -> None:
    allow = files.load('[[home.allow]]\npath = "a"\n[[home.allow]]\npath = "b"\n').home.allow
    assert allow[-2:] == (
        HomeAllow("a", "merge", files.at_user(1)),
        HomeAllow("b", "merge", files.at_user(3)),
    )


# --- schema, model and defaults agree --------------------------------------------------


def test_the_schema_has_a_key_for_each_field() -> None:
    assert [section.name for section in SECTIONS] == list(Config._fields)
    for section in SECTIONS:
        assert [key.name for key in section.keys] == list(section.made._fields)


def test_tables_come_last_in_their_section() -> None:
    """They are printed as a table of their own, in which a later key would be swallowed."""
    for section in SECTIONS:
        assert all(key.shape is not Shape.TABLE for key in section.keys[:-1])


def value_of(effective: Config, section: Section, key: Key) -> Any:
    return getattr(getattr(effective, section.name), key.name)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_examples_load(files: Files, section: Section) -> None:
    for key in section.keys:
        example = f"[{section.name}]\n{key.name} = {key.example}\n"
        given = value_of(files.load(example), section, key)
        assert given is not None
        assert given != key.default


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_defaults_are_what_a_file_could_say(files: Files, section: Section) -> None:
    """No default is one that the reader would refuse or normalise."""
    for key in section.keys:
        if key.shape is Shape.LIST and key.default:
            values = ", ".join(toml_value(entry) for entry in key.default)
            given = value_of(files.load(f"[{section.name}]\n{key.name} = [{values}]"), section, key)
            assert [entry.key for entry in given] == [entry.key for entry in key.default]
