"""The locator: lines of keys and items in TOML sources."""

import textwrap
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvjail.config import toml
from venvjail.config.toml_lines import Lines, Path
from venvjail.quoting import toml_string


def lines_of(source: str) -> dict[Path, int]:
    return Lines(textwrap.dedent(source).lstrip("\n")).first


def test_multi_line_arrays_with_comments() -> None:
    assert lines_of("""
        [home]
        allow = [ # "not", an item
          ".a", ".b",

          # ".c",
          ".d" ,
        ]
        hide = []
    """) == {
        ("home",): 1,
        ("home", "allow"): 2,
        ("home", "allow", 0): 3,
        ("home", "allow", 1): 3,
        ("home", "allow", 2): 6,
        ("home", "hide"): 8,
    }


def test_inline_tables_and_dotted_keys() -> None:
    assert lines_of("""
        home.allow = [
          {path = ".pyenv", mode = "ro"}]
        environment . "set" . 'A.B' = "]}#"
        environment.keep = [[1], {}]
    """) == {
        ("home",): 1,
        ("home", "allow"): 1,
        ("home", "allow", 0): 2,
        ("home", "allow", 0, "path"): 2,
        ("home", "allow", 0, "mode"): 2,
        ("environment",): 3,
        ("environment", "set"): 3,
        ("environment", "set", "A.B"): 3,
        ("environment", "keep"): 4,
        ("environment", "keep", 0): 4,
        ("environment", "keep", 0, 0): 4,
        ("environment", "keep", 1): 4,
    }


def test_arrays_of_tables() -> None:
    assert lines_of("""
        [[x]]
        k = 1
        [[x]]
        k = 2
        [x.sub]
        k = 3
        [[x.sub.y]]
    """) == {
        ("x",): 1,
        ("x", 0): 1,
        ("x", 0, "k"): 2,
        ("x", 1): 3,
        ("x", 1, "k"): 4,
        ("x", 1, "sub"): 5,
        ("x", 1, "sub", "k"): 6,
        ("x", 1, "sub", "y"): 7,
        ("x", 1, "sub", "y", 0): 7,
    }


def test_multi_line_strings_end_where_toml_says() -> None:
    assert lines_of('''
        a = """
        b = 1 \\""" ""
        quotes before the end: """""
        c = \'\'\'
        d = 2 \\\'\'\'\'
        e = 1979-05-27 07:32:00 # a date with a space
        "\\u0066" = """\\\\"""
        g = 1
    ''') == {("a",): 1, ("c",): 4, ("e",): 6, ("f",): 7, ("g",): 8}  # fmt: skip


def test_carriage_returns_are_not_lines() -> None:
    assert Lines("a = [\r\n1,\r\n2]\r\nb = 1\r\n").first == {
        ("a",): 1,
        ("a", 0): 2,
        ("a", 1): 3,
        ("b",): 4,
    }


def test_what_has_no_line_has_that_of_what_is_around_it() -> None:
    lines = Lines("\n[home]\nallow = 1\n")
    assert lines.line(("home", "allow", 3, "path")) == 3
    assert lines.line(("home", "hide")) == 2
    assert lines.line(("run",)) is None


@pytest.mark.parametrize(
    ("source", "repeat"),
    [
        ("[a]\nb = 1\nb = 2\n", (("a", "b"), 2, 3)),
        ("[a]\n\n[a]\n", (("a",), 1, 3)),
        ("[a]\nb = [\n]\n'b' = [\n1,\n]\n", (("a", "b"), 2, 4)),
        ("a = {b = 1, b = 2}", (("a", "b"), 1, 1)),
        ("[a.b]\nc = 1\n[a]\nb = 1\n", (("a", "b"), 1, 4)),
    ],
)
def test_a_name_that_is_there_twice(source: str, repeat: tuple[Path, int, int]) -> None:
    with pytest.raises(toml.TOMLDecodeError):
        toml.loads(source)
    assert Lines(source).repeats == [repeat]


@given(st.text(st.sampled_from("ab=[]{}\"'#.,\n\\ 1")) | st.text())
def test_any_text_ends_without_an_error(source: str) -> None:
    Lines(source)


# --- documents whose lines are known, because they are written here ---------------------------


@dataclass
class Writer:
    """Writes a TOML document drawn from a strategy and notes the line of all that it writes."""

    draw: Any
    text: str = ""
    lines: dict[Path, int] = field(default_factory=dict)

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def gap(self, *, may_break: bool) -> None:
        breaks = ["", " ", "\n", " # ] } \" ''' = [\n", "\n\n\t"]
        self.text += self.draw(st.sampled_from(breaks if may_break else ["", " ", "\t"]))

    def key(self, path: Path) -> None:
        name = path[-1]
        assert isinstance(name, str)
        bare = name.isascii() and name.isalnum()
        literal = name.isprintable() and "'" not in name
        forms = [toml_string(name)] + [name] * bare + [f"'{name}'"] * literal
        self.text += self.draw(st.sampled_from(forms))

    def names(self) -> list[str]:
        name = st.sampled_from(["a", "b", "allow"]) | st.text(
            st.characters(exclude_categories=["Cs"]), max_size=5
        )
        return self.draw(st.lists(name, max_size=3, unique=True))  # type: ignore[no-any-return]

    def value(self, path: Path, depth: int) -> None:
        form = self.draw(st.sampled_from(["scalar", "string", "array", "table"]))
        if form == "array" and depth:
            self.array(path, depth)
        elif form == "table" and depth:
            self.inline_table(path, depth)
        elif form == "string":
            self.text += self.draw(STRINGS)
        else:
            self.text += self.draw(st.sampled_from(["1", "-1.5e3", "true", "1979-05-27 07:32:00Z"]))

    def array(self, path: Path, depth: int) -> None:
        self.text += "["
        for index in range(self.draw(st.integers(0, 3))):
            self.text += "," if index else ""
            self.gap(may_break=True)
            self.note((*path, index))
            self.value((*path, index), depth - 1)
            self.gap(may_break=True)
        self.text += "]"

    def inline_table(self, path: Path, depth: int) -> None:
        self.text += "{"
        for position, name in enumerate(self.names()):
            self.text += "," if position else ""
            self.pair((*path, name), depth - 1)
        self.text += "}"

    def pair(self, path: Path, depth: int) -> None:
        self.gap(may_break=False)
        self.note(path)
        self.key(path)
        self.gap(may_break=False)
        self.text += "="
        self.gap(may_break=False)
        self.value(path, depth)
        self.gap(may_break=False)

    def pairs(self, path: Path) -> None:
        for name in self.names():
            self.pair((*path, name), 3)
            self.text += self.draw(st.sampled_from(["\n", "# a = [\n", "\n\n"]))

    def document(self) -> None:
        self.pairs(())
        taken = {path[0] for path in self.lines}
        for name in self.names():
            if name not in taken:
                self.sections(name)

    def sections(self, name: str) -> None:
        repeats = self.draw(st.integers(0, 2))
        paths: list[Path] = [(name, index) for index in range(repeats)] or [(name,)]
        for path in paths:
            self.note((name,))
            self.note(path)
            self.text += "[[" if repeats else "["
            self.gap(may_break=False)
            self.key((name,))
            self.gap(may_break=False)
            self.text += "]]\n" if repeats else "]\n"
            self.pairs(path)


STRINGS = st.sampled_from(
    [
        '"a # ] } = [ \\" b"',
        "'a # ] } \\'",
        '"""\n[x]\ny = """',
        '"""a \\""" b"""""',
        "'''\n[x]\n'' \\'''",
        '""',
        "''",
        '""""""',
    ]
) | st.text(max_size=5).map(toml_string)


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    writer = Writer(draw)
    writer.document()
    return writer


def paths_in(value: object, path: Path = ()) -> set[Path]:
    """The path of everything in a parsed document."""
    if isinstance(value, dict):
        children: list[tuple[Any, object]] = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    else:
        children = []
    found = {(*path, step) for step, _ in children}
    return found.union(*(paths_in(child, (*path, step)) for step, child in children))


@given(documents())
def test_lines_of_any_document(document: Writer) -> None:
    lines = Lines(document.text)
    assert lines.first == document.lines
    assert set(lines.first) == paths_in(toml.loads(document.text))
    assert lines.repeats == []


@pytest.mark.parametrize("source", ['a = """x', "a = '''x", 'a = """x\\', 'a = """x""', 'a = "x'])
def test_a_string_without_an_end(source: str) -> None:
    """tomllib tells of it; the locator knows the lines until there, and ends."""
    assert Lines(f"[home]\n{source}").first == {("home",): 1, ("home", "a"): 2}
