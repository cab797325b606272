"""Runs at development time: writes the pages below ``share/man``.

``python -m venvjail.manual``; a test fails when that was forgotten.
"""

from pathlib import Path

from venvjail.manual import commands, config


def pages() -> dict[str, str]:
    """The text of each page, by its path in the source tree."""
    return {
        "share/man/man1/venvjail.1": commands.page(),
        "share/man/man5/venvjail.toml.5": config.page(),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        Path(__file__).parents[2].joinpath(name).write_text(text, encoding="utf-8")
