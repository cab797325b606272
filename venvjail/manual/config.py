"""Runs at development time: venvjail.toml.5, from the schema, as docs/config.md is."""

from __future__ import annotations

import re

from venvjail import __version__
from venvjail.config.reference import HEAD, default_of, type_of
from venvjail.config.schema import SECTIONS, Key, Section
from venvjail.manual import roff


def page() -> str:
    """The text of venvjail.toml.5."""
    return "".join(
        (
            roff.title("venvjail.toml", 5, __version__),
            roff.section("NAME", "venvjail.toml, .dirjailconfig \\- configuration of venvjail"),
            roff.section("DESCRIPTION", *_description()),
            *map(_section, SECTIONS),
            roff.section("SEE ALSO", "venvjail(1)"),
        )
    )


def _description() -> list[str]:
    """The paragraphs at the head of docs/config.md, without Markdown's marks and its table."""
    paragraphs = HEAD.split("\n\n")[2:]
    files = (
        "``~/.dirjailconfig`` counts for all your venvs, and ``VENV/.venvjail/venvjail.toml``, "
        "which is written when a venv is created, for that one."
    )
    shown = [files if text.startswith("|") else text for text in paragraphs]
    return [roff.text(re.sub(r"\*\*|\[(TOML)\]\([^)]*\)", r"\1", text)) for text in shown]


def _section(known: Section) -> str:
    keys = "".join(_key(known, key) for key in known.keys)
    return roff.section(f"[{known.name}]", roff.text(known.meaning)) + keys


def _key(known: Section, key: Key) -> str:
    facts = f"Type: {type_of(key)}. Default: {' '.join(default_of(key).split())}."
    return roff.subsection(
        f"{known.name}.{key.name}",
        f"{roff.text(key.meaning)}\n.PP\n{roff.text(facts)}\n"
        + roff.example(f"[{known.name}]\n{key.name} = {key.example}"),
    )
