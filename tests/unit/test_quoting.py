"""Text from anywhere, printed and written as TOML."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvjail.config import toml
from venvjail.quoting import path_text, printable, toml_string

#: File names as the kernel has them, decoded as Python does.
PATHS = st.binary(min_size=1, max_size=40).map(lambda name: os.fsdecode(name.replace(b"\0", b"/")))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain name", "plain name"),
        ("café", "café"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("two\nlines", r"two\nlines"),
        ("\x9bcsi", r"\x9bcsi"),
        ("right\u202eleft", r"right\u202eleft"),
        ("byte \udce9", r"byte \xe9"),
    ],
)
def test_printable(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(PATHS | st.text())
def test_printed_text_is_one_harmless_line(text: str) -> None:
    assert printable(text).isprintable()


@given(PATHS)
def test_every_path_survives_a_toml_file(path: str) -> None:
    source = f"path = {toml_string(path)}\n".encode()  # no surrogates left: encodes strictly
    assert path_text(toml.loads(source.decode())["path"]) == path


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_survives_toml(text: str) -> None:
    assert toml.loads(f"text = {toml_string(text)}")["text"] == text


def test_toml_strings_have_no_raw_control_characters() -> None:
    assert toml_string('\x1b\x9b\n\u202e"\\') == r'"\u001b\u009b\n\u202e\"\\"'


def test_one_path_has_one_spelling() -> None:
    """The bytes of a character, carried one by one, are the character."""
    assert path_text("caf\0\xc3\0\xa9") == "café"


def test_a_nul_that_carries_no_byte_stays_for_the_reader_to_refuse() -> None:
    assert path_text("a\0b") == "a\0b"
