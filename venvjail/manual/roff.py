"""Runs at development time: text as man(7) wants it."""

from __future__ import annotations

import re
from collections.abc import Iterable


def text(words: str) -> str:
    """A line of running text: nothing in it is a request or an escape; ````x```` is bold."""
    parts = re.split(r"``?([^`]+)``?", " ".join(words.split()))
    return "".join(bold(part) if odd % 2 else literal(part) for odd, part in enumerate(parts))


def literal(words: str) -> str:
    """``words`` by the letter, to be copied from the page: hyphens are minus signs."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def bold(words: str) -> str:
    """``words`` by the letter, in bold."""
    return f"\\fB{literal(words)}\\fR"


def title(name: str, section: int, version: str) -> str:
    """The first line of a page."""
    return f'.TH {name.upper()} {section} "" "venvjail {version}" "venvjail"\n'


def section(name: str, *paragraphs: str) -> str:
    """A section; paragraphs are ready roff."""
    return f".SH {name}\n" + "\n.PP\n".join(paragraphs).rstrip("\n") + "\n"


def subsection(name: str, body: str) -> str:
    """A part of a section, ``name`` being a command or a key."""
    return f".SS {literal(name)}\n{body}"


def entries(rows: Iterable[tuple[str, str]]) -> str:
    """Terms with what they mean; both by the letter, but for the marks of :func:`text`."""
    return "".join(f".TP\n{bold(term)}\n{text(meaning)}\n" for term, meaning in rows)


def example(lines: str) -> str:
    """Lines that stay as they are."""
    body = "".join(f"{literal(line)}\n" for line in lines.rstrip("\n").splitlines())
    return f".PP\n.RS 4\n.nf\n{body}.fi\n.RE\n"
