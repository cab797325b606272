"""Words of shells and Python programs carry any path unchanged, tried in the real programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvjail.literals import csh_word, python_literal, shell_word

EVERY_BYTE = bytes(range(1, 256))
NASTY = [
    b"",
    b"plain",
    b"it's",
    b"'''",
    b'"',
    b"a b\tc\nd",
    b"\\",
    b"\\\\n",
    b"$HOME",
    b"$(echo no)",
    b"`echo no`",
    b"${x}",
    b"!!",
    b"*?[a]~",
    b"%s %n",
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"\\N{DIGIT ONE}\\x41\\",
]


def words_by_sh(shell: str, words: list[bytes], directory: Path) -> list[bytes]:
    """What ``shell`` takes the words for, in a script of that many lines."""
    script = directory / "script"
    script.write_bytes(b"".join(b"printf '%s\\0' " + word + b"\n" for word in words))
    command = [shell, "-f", script] if shell == "zsh" else [shell, script]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    return done.stdout.split(b"\0")[:-1]


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh"])
def test_posix_shells_read_back_any_bytes(shell: str, tmp_path: Path) -> None:
    raw = [*NASTY, EVERY_BYTE, *(bytes([byte]) for byte in EVERY_BYTE)]
    assert words_by_sh(shell, [shell_word(word) for word in raw], tmp_path) == raw


def test_fish_reads_back_any_bytes(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"".join(b"printf '%s\\0' " + shell_word(raw) + b"\n" for raw in NASTY))
    done = subprocess.run(
        ["fish", "--no-config", script],
        capture_output=True,
        check=True,
        timeout=20,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    assert done.stdout.split(b"\0")[:-1] == NASTY


def test_csh_reads_back_any_line(tmp_path: Path) -> None:
    raw = [word for word in NASTY if b"\n" not in word and word]
    script = tmp_path / "script"
    script.write_bytes(b"".join(b"printf '%s\\0' " + csh_word(word) + b"\n" for word in raw))
    done = subprocess.run(["csh", "-f", script], capture_output=True, check=True, timeout=20)
    assert done.stdout.split(b"\0")[:-1] == raw


@given(st.binary().map(lambda raw: raw.replace(b"\0", b"")))
@settings(deadline=None)
def test_shell_word_is_text_inside_a_python_string(raw: bytes) -> None:
    program = b"# coding: latin-1\n'''exec' " + shell_word(raw) + b"\n' '''\nfine = True\n"
    namespace: dict[str, object] = {}
    exec(compile(program, "entry", "exec"), namespace)
    assert namespace["fine"] is True


@given(st.binary().map(os.fsdecode))
def test_python_literal_gives_the_text_back(text: str) -> None:
    literal = python_literal(text)
    assert literal.isascii()
    assert eval(literal, {"sys": sys}) == text
