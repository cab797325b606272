"""The ``console`` blocks of a page of documentation: what is typed, and what is shown of it.

A line that begins with ``$`` is typed to one bash that the page shares; ``(venv) $`` lines after it
are typed to the shell that it starts. The other lines are what is printed: blanks and line breaks
count as one blank, ``…`` and ``...`` stand for any text. A command without shown output may print
what it likes, but has to succeed.

Comments before a block, which a reader of the page does not see, direct it::

    <!-- not run: it needs two machines -->
    <!-- before: mkdir data -->          typed before it; what it prints is ignored
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_DIRECTIVE = re.compile(r"<!-- (not run|before): (.*?) -->\s*", re.DOTALL)
_PROMPT = re.compile(r"(\(\w+\) )?\$ (.*)")
_ANYTHING = re.compile(r"\.\.\.|…")


@dataclass(frozen=True)
class Command:
    """What is typed, what is typed to what it starts, and what the page says that it prints."""

    line: int
    text: str
    stdin: str = ""
    shown: str = ""

    def prints(self, output: str) -> bool:
        """Whether ``output`` is what the page shows."""
        pieces = [_blank(piece) for piece in _ANYTHING.split(self.shown)]
        return (
            re.fullmatch(r"\s*.*?\s*".join(pieces).strip(), output.strip(), re.DOTALL) is not None
        )


def _blank(piece: str) -> str:
    words = [re.escape(word) for word in piece.split()]
    return r"\s+".join(words)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its commands where that is ``console``, its comments."""

    line: int
    language: str
    text: str
    not_run: str | None = None
    before: tuple[str, ...] = ()
    commands: tuple[Command, ...] = field(default=())


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page in Markdown."""
    found = []
    end = 0
    for match in _FENCE.finditer(page):
        directives = _directives(page[end : match.start()])
        end = match.end()
        line = page.count("\n", 0, match.start()) + 1
        language, text = match.groups()
        reasons = [words for kind, words in directives if kind == "not run"]
        found.append(
            Block(
                line,
                language,
                text,
                reasons[-1] if reasons else None,
                tuple(words for kind, words in directives if kind == "before"),
                tuple(_commands(text, line)) if language == "console" else (),
            )
        )
    return found


def _directives(between: str) -> list[tuple[str, str]]:
    """Those that stand right before the block, with nothing but blanks after them."""
    found: list[tuple[str, str]] = []
    position = 0
    for match in _DIRECTIVE.finditer(between):
        if match.start() != position:
            found.clear()
        found.append((match[1], " ".join(match[2].split())))
        position = match.end()
    return found if position == len(between) else []


def _commands(text: str, line: int) -> Iterator[Command]:
    current: Command | None = None
    for number, content in enumerate(text.splitlines(), line + 1):
        prompt = _PROMPT.fullmatch(content)
        if prompt is None:
            assert current is not None, f"line {number}: output without a command"
            current = Command(
                current.line, current.text, current.stdin, f"{current.shown}{content}\n"
            )
        elif prompt[1]:
            assert current is not None, f"line {number}: who has been started?"
            current = Command(
                current.line, current.text, f"{current.stdin}{prompt[2]}\n", current.shown
            )
        else:
            if current is not None:
                yield current
            current = Command(number, prompt[2])
    if current is not None:
        yield current
