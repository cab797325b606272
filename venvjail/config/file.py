"""Runs on the host: the user's and the venv's config files, read strictly and put together.

Whatever cannot be used is a `ConfigError` with file, line and what was expected: a jail is never
started on a config that was not understood.
"""

import os
from collections.abc import Sequence
from typing import Any

from venvjail.config.kind import Context, UnfitError, shown, type_name
from venvjail.config.model import Config
from venvjail.config.paths import USER_FILE_NAME
from venvjail.config.schema import SECTIONS, Key, Section, Shape, section
from venvjail.config.source import Source, read_source
from venvjail.config.toml_lines import Path
from venvjail.errors import ConfigError
from venvjail.quoting import toml_string

#: What one file says: (section, key) → a tuple of entries, or one value.
Layer = dict[tuple[str, str], Any]


def default_user_file(home: str) -> str:
    """The user's config file: ``/home/alice/.dirjailconfig``."""
    return os.path.join(home, USER_FILE_NAME)


def load(user_file: str, venv_file: str, *, home: str | None = None) -> Config:
    """The effective config: the defaults, then *user_file*, then *venv_file*.

    A missing file is an empty one.  Lists are added up; of single values the last wins.  *home*,
    which ``~/`` stands for, is by default where *user_file* lies.  Raises `ConfigError`.
    """
    home = os.path.dirname(user_file) if home is None else home
    sources = (read_source(user_file), read_source(venv_file))
    return _merged([_layer(source, home) for source in sources if source is not None])


def _merged(layers: Sequence[Layer]) -> Config:
    return Config(
        **{
            known.name: known.made(
                **{key.name: _value(key, layers, (known.name, key.name)) for key in known.keys}
            )
            for known in SECTIONS
        }
    )


def _value(key: Key, layers: Sequence[Layer], where: tuple[str, str]) -> Any:
    given = [key.default, *(layer[where] for layer in layers if where in layer)]
    if key.shape is Shape.ONE:
        return given[-1]
    lists = [entries for entries in given if entries is not None]
    if not lists:
        return None
    return tuple({entry.key: entry for entries in lists for entry in entries}.values())


# --- one file -------------------------------------------------------------------------------


def _layer(source: Source, home: str) -> Layer:
    layer: Layer = {}
    for section_name, table in source.document.items():
        known = _known_section(source, section_name, table)
        for key_name, raw in table.items():
            key = _known_key(source, known, key_name)
            layer[known.name, key.name] = _Reader(source, home, known, key).read(raw)
    return layer


def _known_section(source: Source, name: str, table: object) -> Section:
    path = (name,)
    known = section(name)
    if known is None and not _is_table(table):
        owners = [f"[{there.name}]" for there in SECTIONS if there.key(name)]
        wrong = f"{toml_string(name)} is not in a section"
        raise source.error(path, wrong, f"it in {_either(owners)}" if owners else "a section first")
    if known is None:
        names = [there.name for there in SECTIONS]
        raise _unknown(source, path, f"unknown section {toml_string(name)}", name, names)
    if isinstance(table, list):
        raise source.error(path, f"[[{name}]] is an array of tables", f"one section [{name}]")
    if not isinstance(table, dict):
        raise source.error(path, f"{name} is {type_name(table)}", f"a section [{name}]")
    return known


def _is_table(raw: object) -> bool:
    """Whether *raw* was written below a ``[header]`` or ``[[header]]``, or could have been."""
    if isinstance(raw, list):
        return bool(raw) and all(isinstance(item, dict) for item in raw)
    return isinstance(raw, dict)


def _known_key(source: Source, known: Section, name: str) -> Key:
    key = known.key(name)
    if key is None:
        path = (known.name, name)
        wrong = f"unknown key {toml_string(name)} in [{known.name}]"
        raise _unknown(source, path, wrong, name, [there.name for there in known.keys])
    return key


def _unknown(source: Source, path: Path, wrong: str, name: str, names: list[str]) -> ConfigError:
    import difflib  # not at the top: no start of a jail should wait for it

    near = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    return source.error(path, wrong + hint, _either(names))


def _either(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


class _Reader:
    """Reads the value of one key in one file."""

    def __init__(self, source: Source, home: str, known: Section, key: Key) -> None:
        self._source = source
        self._home = home
        self._key = key
        self._name = f"{known.name}.{key.name}"
        self._path: Path = (known.name, key.name)

    def read(self, raw: object) -> Any:
        match self._key.shape:
            case Shape.ONE:
                return self._entry(self._path, raw)
            case Shape.LIST:
                return self._list(raw)
            case Shape.TABLE:
                return self._table(raw)

    def _list(self, raw: object) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            wrong = f"{self._name} is {type_name(raw)}"
            raise self._source.error(self._path, wrong, f"a list such as {self._key.example}")
        entries: dict[object, Any] = {}
        for index, item in enumerate(raw):
            path = (*self._path, index)
            entry = self._entry(path, item)
            if entry.key in entries:
                first = entries[entry.key].origin.line
                wrong = f"{self._name}: {shown(item)} is there already in line {first}"
                raise self._source.error(path, wrong, "it once")
            entries[entry.key] = entry
        return tuple(entries.values())

    def _table(self, raw: object) -> tuple[Any, ...]:
        if not isinstance(raw, dict):
            wrong = f"{self._name} is {type_name(raw)}"
            raise self._source.error(self._path, wrong, f"a table such as {self._key.example}")
        return tuple(self._entry((*self._path, name), (name, raw[name])) for name in raw)

    def _entry(self, path: Path, raw: object) -> Any:
        kind = self._key.kind
        try:
            return kind.read(raw, Context(self._source.origin(path), self._home))
        except UnfitError as unfit:
            expected = unfit.expected or kind.expected
            wrong = f"{self._name}: {unfit.wrong}"
            raise self._source.error(path, wrong, expected) from unfit
