"""Runs on the host: change lists and paths of a config file, and nothing else in it.

Comments, order and layout survive (tomlkit).  The file is replaced as a whole, so that a jail that
reads it at that moment gets the old one or the new one.
"""

from __future__ import annotations

import os
import stat
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Array

from venvjail.atomic import write_file
from venvjail.config.kind import Context, UnfitError
from venvjail.config.model import Origin
from venvjail.config.schema import section as known_section
from venvjail.config.source import read_source
from venvjail.errors import ConfigError, UserError
from venvjail.quoting import path_text, toml_string

_MODE = 0o600


class ConfigEdit:
    """The config file at ``file``, a missing one being empty; changed in memory until `save`.

    Raises ConfigError for a file that is not valid, UserError where it cannot be written.
    """

    def __init__(self, file: str, home: str) -> None:
        self._file = file
        self._home = home
        read_source(file)  # as strict as a start: owner, mode, encoding, syntax
        self._document = tomlkit.parse(_text(file))
        self.changed = False

    def add(self, section: str, key: str, value: str) -> None:
        """Add ``value`` at the end of a list, unless it is there already."""
        self._check(section, key, value)
        if self._find(section, key, value) is None:
            self._list(section, key).append(_written(value))
            self.changed = True

    def remove(self, section: str, key: str, value: str) -> bool:
        """Take ``value`` out of a list; whether it was there."""
        index = self._find(section, key, value)
        if index is None:
            return False
        del self._list(section, key)[index]
        self.changed = True
        return True

    def put(self, section: str, key: str, value: str | None) -> None:
        """Make ``value`` that of a key which holds one path; None takes the key out."""
        table = self._table(section)
        if value is not None:
            self._check(section, key, value)
            table[key] = _written(value)
        elif key in table:
            del table[key]
        self.changed = True

    def save(self) -> None:
        """Write the file, if anything has changed."""
        if not self.changed:
            return
        real = os.path.realpath(self._file)  # a symlink of a dotfile manager stays one
        try:
            mode = stat.S_IMODE(os.stat(real).st_mode)
        except FileNotFoundError:
            mode = _MODE
        try:
            write_file(real, tomlkit.dumps(self._document).encode("utf-8"), mode)
        except OSError as error:
            raise UserError(f"{real}: cannot be written: {error.strerror}") from error

    def _check(self, section: str, key: str, value: str) -> None:
        """Refuse what the next start would not take."""
        there = known_section(section)
        known = there.key(key) if there is not None else None
        assert known is not None
        try:
            known.kind.read(_carried(value), Context(Origin(self._file), self._home))
        except UnfitError as unfit:
            expected = unfit.expected or known.kind.expected
            raise UserError(f"{section}.{key}: {unfit.wrong}; expected {expected}") from unfit

    def _find(self, section: str, key: str, value: str) -> int | None:
        table = self._document.get(section)
        entries = table.get(key) if isinstance(table, AbstractTable) else None
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if _same(entry["path"] if isinstance(entry, dict) else entry, value):
                return index
        return None

    def _table(self, section: str) -> AbstractTable:
        if section not in self._document:
            self._document.add(section, tomlkit.table())
        table = self._document[section]
        assert isinstance(table, AbstractTable)
        return table

    def _list(self, section: str, key: str) -> Array:
        table = self._table(section)
        if key not in table:
            table[key] = tomlkit.array()
        entries = table[key]
        if not isinstance(entries, Array):
            raise ConfigError(f"{self._file}: {section}.{key} is no list; expected a list")
        return entries


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""
    except (OSError, TOMLKitError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error


def _same(entry: object, value: str) -> bool:
    """Whether a list's entry names the path ``value``, however it is spelled."""
    return isinstance(entry, str) and _plain(path_text(entry)) == _plain(value)


def _plain(path: str) -> str:
    start = "/" if path.startswith("/") else ""
    names = [name for name in path.removeprefix("~/").split("/") if name not in ("", ".")]
    return start + "/".join(names)


def _written(value: str) -> Any:
    """The TOML of a path, its bytes that are not UTF-8 carried as docs/config.md says."""
    return tomlkit.value(toml_string(value))


def _carried(value: str) -> str:
    carried: str = tomlkit.value(toml_string(value)).unwrap()
    return carried
