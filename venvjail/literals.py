"""Runs on the host: arbitrary bytes as one word of a shell or Python program.

A path is any bytes but NUL, and every program venvjail writes carries one, so that each of these
has to be exact for quotes, backslashes, ``$``, newlines and bytes that are no UTF-8.
"""

import os
import re


def shell_word(raw: bytes) -> bytes:
    """Quote ``raw`` for every POSIX shell, for fish, and for the inside of a Python ``'''`` string.

    fish reads backslashes inside single quotes, Python reads them anywhere, and three single
    quotes end the Python string.  So a backslash is always doubled, between double quotes, where
    all three agree; a single quote stands between double quotes; and each of ``$``, ``"`` and
    the backquote stands between single quotes alone.
    """
    return b"".join(_shell_piece(piece) for piece in _pieces(raw)) or b'""'


def _pieces(raw: bytes) -> list[bytes]:
    return re.findall(rb'[^$`"\\\']+|.', raw, re.DOTALL)


def _shell_piece(piece: bytes) -> bytes:
    if piece in (b"$", b"`", b'"'):
        return b"'" + piece + b"'"
    return b'"' + piece.replace(b"\\", b"\\\\") + b'"'


def csh_word(raw: bytes) -> bytes:
    """Quote ``raw`` for csh and tcsh, where ``!`` and a newline stay special in single quotes."""
    quoted = raw.replace(b"'", b"'\\''").replace(b"!", b"\\!").replace(b"\n", b"\\\n")
    return b"'" + quoted + b"'"


def python_literal(text: str) -> str:
    """An ASCII Python expression for ``text``, a path or name as :mod:`os` spells it (PEP 383).

    What is not ASCII goes by its bytes: the program that evaluates it may have another file system
    encoding than this one.  The expression expects ``sys`` to be imported and nothing else.
    """
    if text.isascii():
        return repr(text)
    return f"{os.fsencode(text)!r}.decode(sys.getfilesystemencoding(), 'surrogateescape')"
