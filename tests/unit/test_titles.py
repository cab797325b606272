"""Process titles of supervisors: each path comes back, and no other title is taken for one."""

import pytest

from venvjail.titles import supervisor_title, venv_of


@pytest.mark.parametrize(
    "venv", ["/home/alice/venv", "/a b /c ", "/家/ü", "/bytes-\udcff\udcfe", '/q"\\\udc80', "/x\n"]
)
def test_a_path_comes_back(venv: str) -> None:
    title = supervisor_title(venv)
    title.encode("utf-8")  # all that setproctitle takes
    assert venv_of(title) == venv


def test_a_plain_path_is_shown_as_it_is() -> None:
    assert supervisor_title("/home/alice/venv") == "venvjail: supervisor /home/alice/venv"


@pytest.mark.parametrize(
    "title",
    [
        "",
        "bash",
        "venvjail: init",
        "venvjail: supervisor ",
        'venvjail: supervisor "unfinished',
        "venvjail: supervisor 7",
        "venvjail: supervisor {a = 1}",
    ],
)
def test_other_titles(title: str) -> None:
    assert venv_of(title) is None
