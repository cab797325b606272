"""Runs everywhere: which line of a TOML source each key and list item is on.

`tomllib` gives values without positions.  This scanner walks a source that `tomllib` has accepted
(or the part before the error of one it has not) and knows only as much of the grammar as it takes
to tell keys, strings, arrays and tables apart.
"""

import re

from venvjail.config import toml

#: ``("home", "allow", 1)`` is the second item of ``allow`` in ``[home]``.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_ONE_LINE_STRING = re.compile(r"'[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\"")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_KEY = re.compile(r"(?:[\w\-. \t]|'[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\")+", re.ASCII)
_BARE_KEY = re.compile(r"[\w\-]+", re.ASCII)


class NotTomlError(ValueError):
    """The scanner met something that no TOML document has at this place."""


class Lines:
    """Lines (from 1) of everything in *source*, as far as it is TOML.

    ``first`` maps a path to the line where it begins; ``repeats`` lists a key or a table header
    that is there again: its path, the line of the first and of the second; ``open_list`` is the
    line of a list in which the TOML ended, if it did.
    """

    def __init__(self, source: str) -> None:
        self.first: dict[Path, int] = {}
        self.repeats: list[tuple[Path, int, int]] = []
        self.open_list: int | None = None
        self._source = source
        self._at = 0
        self._counted = (0, 1)
        self._tables: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}
        try:
            self._document()
        except NotTomlError:
            return

    def line(self, path: Path) -> int | None:
        """The line of *path*, or of the nearest thing around it that is known."""
        while path and path not in self.first:
            path = path[:-1]
        return self.first.get(path)

    # -- the grammar --

    def _document(self) -> None:
        table: Path = ()
        self._blank()
        while self._at < len(self._source):
            table = self._header() if self._peek() == "[" else self._pair(table)
            self._blank()

    def _header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``: the path that the following keys are below."""
        line = self._line()
        array = self._source.startswith("[[", self._at)
        self._at += 2 if array else 1
        path: Path = ()
        *parents, name = self._key()
        for parent in parents:
            path = self._last_item((*path, parent))
            self._note(path, line)
        path = (*path, name)
        self._note(path, line)
        self._expect("]]" if array else "]")
        if array:
            return self._next_item(path, line)
        if path in self._tables:
            self.repeats.append((path, self._tables[path], line))
        self._tables.setdefault(path, line)
        return path

    def _last_item(self, path: Path) -> Path:
        """Below ``[[a]]``, ``a`` as the parent of another name means the last item of ``a``."""
        index = self._arrays.get(path)
        return path if index is None else (*path, index)

    def _next_item(self, path: Path, line: int) -> Path:
        index = self._arrays.get(path, -1) + 1
        self._arrays[path] = index
        self._note((*path, index), line)
        return (*path, index)

    def _pair(self, table: Path) -> Path:
        """``key = value``; answers *table*, in which the next pair is too."""
        line = self._line()
        path = table
        names = self._key()
        for name in names[:-1]:
            path = (*path, name)
            self._note(path, line)
        path = (*path, names[-1])
        if path in self.first:
            self.repeats.append((path, self.first[path], line))
        self._note(path, line)
        self._expect("=")
        self._blank()
        self._value(path)
        return table

    def _value(self, path: Path) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._string()
            case _:
                self._match(_SCALAR)

    def _array(self, path: Path) -> None:
        outermost = self.open_list is None
        if outermost:
            self.open_list = self._line()
        self._at += 1
        self._blank()
        index = 0
        while self._peek() != "]":
            item = (*path, index)
            self._note(item, self._line())
            self._value(item)
            self._comma("]")
            index += 1
        self._at += 1
        if outermost:
            self.open_list = None

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._blank()
        while self._peek() != "}":
            self._pair(path)
            self._comma("}")
        self._at += 1

    def _comma(self, end: str) -> None:
        self._blank()
        if self._peek() == ",":
            self._at += 1
            self._blank()
        elif self._peek() != end:
            raise NotTomlError

    def _string(self) -> None:
        quote = self._peek()
        if not self._source.startswith(quote * 3, self._at):
            self._match(_ONE_LINE_STRING)
            return
        end = self._at + 3
        while not self._source.startswith(quote * 3, end):
            end += 2 if quote == '"' and self._source.startswith("\\", end) else 1
            if end >= len(self._source):
                raise NotTomlError
        end += 3
        while self._source.startswith(quote, end):  # up to two quotes belong to the text
            end += 1
        self._at = end

    def _key(self) -> tuple[str, ...]:
        """The names of a dotted key, unquoted: by `tomllib` itself, unless that is plain to see."""
        text = self._match(_KEY).strip()
        if _BARE_KEY.fullmatch(text):
            return (text,)
        try:
            nested: object = toml.loads(f"{text} = 0")
        except toml.TOMLDecodeError as error:
            raise NotTomlError from error
        names: list[str] = []
        while isinstance(nested, dict) and nested:
            [(name, nested)] = nested.items()
            names.append(name)
        return tuple(names)

    # -- the source --

    def _peek(self) -> str:
        if self._at >= len(self._source):
            raise NotTomlError
        return self._source[self._at]

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._source, self._at)
        if found is None:
            raise NotTomlError
        self._at = found.end()
        return found[0]

    def _blank(self) -> None:
        self._match(_BLANK)

    def _expect(self, text: str) -> None:
        if not self._source.startswith(text, self._at):
            raise NotTomlError
        self._at += len(text)

    def _note(self, path: Path, line: int) -> None:
        self.first.setdefault(path, line)

    def _line(self) -> int:
        """The line of the current position; counts on from the last call."""
        position, line = self._counted
        line += self._source.count("\n", position, self._at)
        self._counted = (self._at, line)
        return line
