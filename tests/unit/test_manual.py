"""The manual pages say what the program does, and groff has nothing to say about them."""

import shutil
import subprocess

import click
import pytest

from tests.support.home import TREE
from tests.support.requirements import require
from venvjail.cli import group
from venvjail.config.schema import SECTIONS
from venvjail.creation.command import command as creation
from venvjail.manual.__main__ import pages

PAGES = {name.rpartition("/")[2]: (TREE / name).read_text(encoding="utf-8") for name in pages()}


def plain(page: str) -> str:
    """The page without the marks of roff that this manual uses."""
    return page.replace("\\fB", "").replace("\\fR", "").replace("\\-", "-").replace("\\&", "")


def test_they_were_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in pages().items():
        assert (TREE / name).read_text(encoding="utf-8") == text, "run: python -m venvjail.manual"


@pytest.mark.parametrize("name", sorted(group.commands))
def test_each_command_and_option_is_in_it(name: str) -> None:
    page = plain(PAGES["venvjail.1"])
    command = creation if name == "create" else group.commands[name]
    assert name == "create" or f"\n.SS {name}\nvenvjail {name} " in page
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert f"\n.TP\n{parameter.opts[0]}" in page, parameter.opts


def test_each_key_is_in_it() -> None:
    page = plain(PAGES["venvjail.toml.5"])
    for section in SECTIONS:
        assert f".SH [{section.name}]\n" in page
        for key in section.keys:
            assert f".SS {section.name}.{key.name}\n" in page


@pytest.mark.parametrize("name", sorted(PAGES))
def test_groff_accepts_it(name: str) -> None:
    require(shutil.which("groff") is not None, "groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-Wbreak", "-k"],
        input=PAGES[name],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "venvjail" in done.stdout
