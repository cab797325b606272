"""Every command in the documentation is run, and prints what the page shows; see
:mod:`tests.support.console` for how a page is read.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.console import Block, blocks
from tests.support.home import TREE, FakeHome
from tests.support.typist import Typist
from venvjail.config.file import load

PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (TREE / "docs").glob("*.md"))]
#: What a block can be in; a shell's session is ``console``, so that none gets by as ``sh``.
LANGUAGES = {"", "console", "toml", "text", "python", "mermaid", "json", "make", "yaml"}

#: ``[words](path#place)``; the path.
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def read(page: str) -> list[Block]:
    return blocks((TREE / page).read_text(encoding="utf-8"))


def with_commands(page: str) -> bool:
    return any(block.commands and not block.not_run for block in read(page))


@pytest.fixture
def typist(home: FakeHome, tmp_path: Path) -> Iterator[Typist]:
    """A shell in the home's project in which ``python`` and ``venvjail`` are this tree's."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, words in (("python", ""), ("venvjail", "-m venvjail ")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
        (programs / name).chmod(0o755)
    with Typist(home, programs) as typist:
        yield typist


@pytest.mark.parametrize("page", [page for page in PAGES if with_commands(page)])
def test_commands_do_what_the_page_shows(page: str, typist: Typist) -> None:
    for block in read(page):
        if block.not_run:
            continue
        for words in block.before:
            status, output = typist.enter(words)
            assert status == 0, f"{page}:{block.line}: before: {words}\n{output}"
        for command in block.commands:
            status, output = typist.enter(command.text, command.stdin)
            where = f"{page}:{command.line}: $ {command.text}"
            if command.shown:
                assert command.prints(output), f"{where}\nprinted:\n{output}"
            else:
                assert status == 0, f"{where}: status {status}\n{output}"


@pytest.mark.parametrize("page", PAGES)
def test_blocks_have_a_known_language(page: str) -> None:
    unknown = [
        (block.line, block.language) for block in read(page) if block.language not in LANGUAGES
    ]
    assert not unknown


@pytest.mark.parametrize("page", PAGES)
def test_configuration_is_accepted(page: str, home: FakeHome) -> None:
    for block in read(page):
        if block.language == "toml" and not block.not_run:
            path = home.write("shown.toml", block.text)
            path.chmod(0o600)
            load(str(path), str(home.root / "none"), home=str(home.root))


def test_blocks_that_are_not_run_say_why(record_property: Callable[[str, object], None]) -> None:
    """Most are run; ``-rA`` or ``--junit-xml`` lists the others."""
    blocks_of = [(page, block) for page in PAGES for block in read(page) if block.commands]
    left_out = {f"{page}:{block.line}": block.not_run for page, block in blocks_of if block.not_run}
    for where, reason in left_out.items():
        record_property(where, reason)
        print(f"not run: {where}: {reason}")  # noqa: T201 - the list is the point
        assert len(str(reason).split()) > 1, where
    assert len(left_out) < len(blocks_of)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (TREE / page).read_text(encoding="utf-8")
    targets = [target for target in LINK.findall(text) if "://" not in target]
    directory = (TREE / page).parent
    assert not [target for target in targets if not (directory / target).exists()]
