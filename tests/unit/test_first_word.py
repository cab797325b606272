"""A misspelt command says which was meant, and makes no venv of its name."""

from pathlib import Path

import pytest

from venvjail.cli import group
from venvjail.errors import UserError
from venvjail.first_word import is_command, meant_by


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(
            ("lgo", "log"),
            ("statsu", "status"),
            ("rn", "run"),
            ("shel", "shell"),
            ("stopp", "stop"),
        ),
        *(("explian", "explain"), ("mountdebug", "mount-debug"), ("cofnig", "config")),
        *(("help", "--help"), ("upgrade", "--upgrade"), ("list", "status"), ("delete", "remove")),
    ],
)
def test_slips_and_other_tools_words(word: str, meant: str) -> None:
    assert meant_by(word, group.commands) == meant
    for arguments in ([word], [word, "venv"]):
        with pytest.raises(UserError, match=rf"^{word}: no such command; did you mean {meant}\?"):
            is_command(arguments, group.commands)


@pytest.mark.parametrize(
    "word",
    ["venv", ".venv", "env", "py", "pypy", "jail", "test", "dev", "app", "v", "my-venv"],
)
def test_names_that_people_give_to_venvs(word: str) -> None:
    assert not is_command([word], group.commands)
    assert not is_command([word, "another"], group.commands)


@pytest.mark.parametrize("word", ["./lgo", "envs/lgo", "/x/lgo", "--clear", ".log"])
def test_what_says_that_it_is_a_path_or_an_option(word: str) -> None:
    assert not is_command([word], group.commands)


def test_what_is_there_is_meant(tmp_path: Path) -> None:
    (tmp_path / "lgo").mkdir()
    assert not is_command(["lgo"], group.commands)


def test_a_venv_after_an_unknown_word(tmp_path: Path) -> None:
    (tmp_path / "venv/.venvjail").mkdir(parents=True)
    with pytest.raises(UserError, match=r"^frobnicate: no such command; see: venvjail --help"):
        is_command(["frobnicate", "venv"], group.commands)
    assert not is_command(["another", "third"], group.commands)


@pytest.mark.parametrize("arguments", [[], ["log", "venv"], ["--help"], ["-h"], ["--version"]])
def test_commands(arguments: list[str]) -> None:
    assert is_command(arguments, group.commands)
