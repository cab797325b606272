"""Runs on the host: a config file as text, from a file that can be trusted, and as TOML.

The file decides what a jail may do, so it must be one that nobody else can write (the check is
OpenSSH's for ``~/.ssh/config``: owner, and no write bit for group and others).
"""

import os
import re
import shlex
import stat
from typing import Any, NamedTuple

from venvjail.config import toml
from venvjail.config.model import Origin
from venvjail.config.toml_lines import Lines, Path
from venvjail.errors import ConfigError
from venvjail.quoting import printable, toml_string

MAX_BYTES = 1024 * 1024

_TOML_ERROR = re.compile(r"(?P<wrong>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


class Source(NamedTuple):
    """One config file that was read: its path, what it says, and on which lines."""

    file: str
    document: dict[str, Any]
    lines: Lines

    def origin(self, path: Path) -> Origin:
        """File and line of the value at *path*."""
        return Origin(self.file, self.lines.line(path))

    def error(self, path: Path, wrong: str, expected: str) -> ConfigError:
        """The error to raise for the value at *path*."""
        return ConfigError(f"{self.origin(path)}: {wrong}; expected {expected}")


def read_source(file: str) -> Source | None:
    """Read and parse *file*; None when there is none.  Raises `ConfigError`."""
    data = _read_trusted(file)
    if data is None:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise ConfigError(f"{Origin(file, line)}: {wrong}; expected UTF-8 text") from error
    return _parsed(file, text)


# --- the file -------------------------------------------------------------------------------


def _read_trusted(file: str) -> bytes | None:
    try:
        data = _read(file)
    except FileNotFoundError:
        if os.path.islink(file):
            raise _refused(file, "is a symlink to nothing", "a file, or nothing at all") from None
        return None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise _refused(file, f"cannot be read ({reason})", "a readable file") from error
    if len(data) > MAX_BYTES:
        raise _refused(file, "is larger than 1 MiB", "a config file")
    return data


def _read(file: str) -> bytes:
    # O_NONBLOCK: opening a fifo must not wait for a writer; O_NOCTTY: nor a terminal become ours.
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _check(file, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _check(file: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _FILE_TYPES.get(stat.S_IFMT(status.st_mode), "a special file")
        raise _refused(file, f"is {kind}", "a regular file")
    # Root can do anything anyway, and owns what NixOS links to from the home.
    if status.st_uid not in (os.geteuid(), 0):
        raise _refused(file, f"is owned by user {status.st_uid}", "a file of your own")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(status.st_mode)
        remedy = f"a file that only you can write: chmod go-w {shlex.quote(printable(file))}"
        raise _refused(file, f"is writable by others (mode {mode:04o})", remedy)


_FILE_TYPES = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _refused(file: str, wrong: str, expected: str) -> ConfigError:
    return ConfigError(f"{Origin(file)}: {wrong}; expected {expected}")


# --- TOML -----------------------------------------------------------------------------------


def _parsed(file: str, text: str) -> Source:
    try:
        document = toml.loads(text)
        lines = Lines(text)
    except toml.TOMLDecodeError as error:
        raise _syntax_error(file, text, str(error)) from error
    except (RecursionError, ValueError) as error:
        # Not decode errors in every Python: a thousand nested lists, a number of 5,000 digits.
        raise _refused(file, "is nested too deeply or has too long a number", "TOML") from error
    return Source(file, document, lines)


def _syntax_error(file: str, text: str, message: str) -> ConfigError:
    """What `tomllib` says, with the line in front; in our words when a name is there twice."""
    found = _TOML_ERROR.fullmatch(message)
    wrong = found["wrong"] if found else message
    last = text.rstrip("\n").count("\n") + 1
    line = int(found["line"]) if found and found["line"] else last
    lines = Lines(text)
    repeat = next(iter(lines.repeats), None)
    if repeat is not None and repeat[2] <= line:
        path, first, line = repeat
        name = ".".join(str(step) for step in path)
        wrong = f"{toml_string(name)} is there already in line {first}"
        return ConfigError(f"{Origin(file, line)}: {wrong}; expected it once")
    if text.startswith("\ufeff"):
        wrong = "the file begins with a byte order mark"
    wrong = printable(wrong[:1].lower() + wrong[1:])
    if lines.open_list is not None and lines.open_list < line:
        wrong += f" in the list that begins in line {lines.open_list}"
    return ConfigError(f"{Origin(file, line)}: {wrong}; expected TOML")
