"""Runs everywhere: text of unknown origin made safe to print, and TOML strings that carry any path.

File names, command lines and config values can hold control characters: printed raw they move the
cursor, fake lines or retitle the terminal (CVE-2003-0063 and its many heirs).
"""

import re

#: A byte that is not UTF-8, as a TOML string carries it: U+0000 and the byte as a character.
#: TOML strings are Unicode, paths are bytes, and NUL is the one character no path contains
#: (Mono's UnixEncoding does the same).
_CARRIED_BYTE = re.compile("\0([\x80-\xff])")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def printable(text: str) -> str:
    """*text* with every unprintable character escaped: one line that cannot act on a terminal.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # an undecodable byte (PEP 383)
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def toml_string(text: str) -> str:
    """*text* as a TOML basic string on one line, without raw control characters.

    Undecodable bytes (surrogate escapes, PEP 383) survive: `path_text` brings them back.
    """
    return '"' + "".join(_toml_char(char) for char in text) + '"'


def _toml_char(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if "\udc80" <= char <= "\udcff":
        return f"\\u0000\\u{ord(char) - 0xDC00:04x}"
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def path_text(value: str) -> str:
    """A TOML string's *value* as a path, its carried bytes turned back into surrogate escapes."""
    if "\0" not in value:
        return value
    escaped = _CARRIED_BYTE.sub(lambda found: chr(0xDC00 + ord(found[1])), value)
    # Bytes that together are UTF-8 after all are spelled as os.fsdecode() spells them, so that
    # one path has one spelling.
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
