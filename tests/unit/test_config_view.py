"""The config as text: what is printed loads again, and what a new venv gets is true."""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvjail.config import toml
from venvjail.config.file import load
from venvjail.config.model import Config, Origin, Setting
from venvjail.config.reference import reference
from venvjail.config.schema import SECTIONS
from venvjail.config.view import initial_text, render
from venvjail.quoting import toml_string

HOME = "/home/alice"


def loaded(text: str, venv_text: str = "") -> Config:
    """The config of a user's file and a venv's file in a home of ``/home/alice``."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [os.path.join(directory, name) for name in ("user", "venv")]
        for path, content in zip(paths, (text, venv_text), strict=True):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            with open(descriptor, "w", encoding="utf-8", newline="") as stream:
                stream.write(content)
        return load(paths[0], paths[1], home=HOME)


def values(thing: Any) -> Any:
    """A config without its origins."""
    if isinstance(thing, Setting):
        return values(thing.value)
    if hasattr(thing, "_asdict"):  # a NamedTuple
        return {name: values(value) for name, value in thing._asdict().items() if name != "origin"}
    if isinstance(thing, tuple):
        return [values(entry) for entry in thing]
    return thing


# --- render ---------------------------------------------------------------------------------


def test_each_value_says_where_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / ".dirjailconfig"
    file.write_text(
        '[home]\nallow = [{path = ".pyenv", mode = "ro"}]\n[jail]\nlinger = 2.5\n'
        '[environment]\nset."A B" = "\\u001b"\n[network]\npublish = [80, "8080:81"]\n'
    )
    file.chmod(0o600)
    text = render(load(str(file), "/nonexistent"))
    assert '    ".bashrc",  # default\n' in text
    assert f'    {{path = ".pyenv", mode = "ro"}},  # from {file}:2\n' in text
    assert f"linger = 2.5  # from {file}:4\n" in text
    assert f'\n[environment.set]\n"A B" = "\\u001b"  # from {file}:6\n' in text
    assert f'    80,  # from {file}:8\n    "8080:81",  # from {file}:8\n' in text
    assert "user_namespaces = false  # default\n" in text
    assert "# path is not given\n" in text


def test_a_hostile_file_name_stays_in_its_comment() -> None:
    config = loaded("")
    linger = Setting(config.jail.linger.value, Origin("/a\nlinger = 9 \x1b[2J\udce9", 1))
    config = config._replace(jail=config.jail._replace(linger=linger))
    assert r"linger = 60  # from /a\nlinger = 9 \x1b[2J\xe9:1" in render(config)


#: Components of paths, as os.fsdecode() gives them: any bytes but NUL and slash.
COMPONENTS = (
    st.binary(min_size=1, max_size=12)
    .map(lambda name: os.fsdecode(name.replace(b"\0", b"_").replace(b"/", b"\x1b")))
    .filter(lambda name: name not in (".", "..", ".dirjailconfig"))
    .filter(lambda name: not re.search(r"[*?]|^~|^\$", name))
)
PATHS = st.lists(COMPONENTS, min_size=1, max_size=3).map("/".join)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="=\0"), min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
PORTS = st.integers(1, 65535)


def written(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return strategy.map(toml_string)


def list_of(
    strategy: st.SearchStrategy[str], unique_by: Callable[[str], str] = str
) -> st.SearchStrategy[str]:
    items = st.lists(strategy, max_size=3, unique_by=unique_by)
    return items.map(lambda items: f"[{', '.join(items)}]")


def inline_table(table: dict[str, str]) -> str:
    pairs = (f"{toml_string(name)} = {toml_string(text)}" for name, text in table.items())
    return f"{{{', '.join(pairs)}}}"


def published(parts: tuple[str, int, int]) -> str:
    address, host, jail = parts
    return f'"{address}{host}:{jail}"'


def where(written: str) -> str:
    """Without the jail's port; the address that is meant where none is given is the loopback."""
    return written.rpartition(":")[0].replace("127.0.0.1:", "")


def below(root: str) -> st.SearchStrategy[str]:
    return list_of(written(PATHS.map(lambda path: f"{root}/{path}")))


ADDRESSES = st.sampled_from(["", "127.0.0.1:", "0.0.0.0:", "[::1]:"])
SWITCHES = st.sampled_from(["true", "false"])
TOML_VALUES = {
    "home.allow": st.tuples(PATHS, st.sampled_from(["merge", "ro"])).map(
        lambda pair: f'[{{path = {toml_string(pair[0])}, mode = "{pair[1]}"}}]'
    ),
    "home.hide": list_of(written(PATHS)),
    "home.writable": list_of(written(PATHS)),
    "filesystem.hide": below("/srv") | below("~"),
    "filesystem.writable": below("/mnt"),
    "project.path": written(PATHS.map(lambda path: f"/srv/{path}*")),
    "project.protect": list_of(written(PATHS)),
    "project.unprotect": list_of(written(PATHS)),
    "proc.allow": list_of(written(PATHS)),
    "run.allow": below("/run"),
    "dev.allow": below("/dev"),
    "environment.withhold": list_of(written(NAMES)),
    "environment.keep": list_of(written(NAMES)),
    "environment.only": list_of(written(NAMES)),
    "environment.set": st.dictionaries(NAMES, TEXTS, max_size=3).map(inline_table),
    "network.mode": st.sampled_from(['"host"', '"none"', '"isolated"']),
    "network.publish": list_of(st.tuples(ADDRESSES, PORTS, PORTS).map(published), unique_by=where),
    "limits.processes": st.integers(1, 2**22).map(str),
    "limits.memory": st.integers(2**24, 2**63 - 1).map(str),
    "audit.sensitive": list_of(written(PATHS)),
    "audit.expected": list_of(written(PATHS)),
    "jail.linger": st.floats(0, 31536000).map(repr),
    "jail.user_namespaces": SWITCHES,
    "jail.notice": SWITCHES,
    "jail.terminal": st.sampled_from(['"relay"', '"shared"']),
}


@st.composite
def config_files(draw: st.DrawFn) -> str:
    given = draw(st.sets(st.sampled_from(sorted(TOML_VALUES)), max_size=6))
    return "".join(f"{name} = {draw(TOML_VALUES[name])}\n" for name in sorted(given))


def test_every_key_is_drawn() -> None:
    keys = {f"{section.name}.{key.name}" for section in SECTIONS for key in section.keys}
    assert set(TOML_VALUES) == keys


@given(config_files(), config_files())
def test_what_is_printed_loads_again(user: str, venv: str) -> None:
    config = loaded(user, venv)
    text = render(config)
    assert all(line.isprintable() for line in text.split("\n"))
    assert values(loaded(text)) == values(config)


# --- a new venv's file ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "project",
    ["/home/alice/proj", '/srv/a "b" \\c', "/srv/caf\udce9/\x1b\n", "/srv/*/ä", None],
)
def test_a_new_venvs_file_records_the_project_and_nothing_else(project: str | None) -> None:
    config = loaded("", initial_text(project))
    recorded = config.project.path.value if config.project.path else None
    assert recorded == project
    assert values(config._replace(project=loaded("").project)) == values(loaded(""))


@pytest.mark.parametrize("project", ["/home/alice/proj", None])
def test_the_examples_in_a_new_venvs_file_are_true(project: str | None) -> None:
    text = re.sub(r"(?m)^#(?! )", "", initial_text(project))
    document = toml.loads(text)
    for section in SECTIONS:
        assert set(document[section.name]) == {key.name for key in section.keys}
    loaded(text)


def test_a_new_venvs_file_has_no_long_lines() -> None:
    assert max(map(len, initial_text(None).splitlines())) <= 100


# --- docs/config.md -------------------------------------------------------------------------


def test_the_reference_in_docs_is_current() -> None:
    file = Path(__file__).parents[2] / "docs" / "config.md"
    assert file.read_text(encoding="utf-8") == reference(), (
        "run: python -m venvjail.config.reference > docs/config.md"
    )


def test_the_reference_has_every_key() -> None:
    text = reference()
    for section in SECTIONS:
        assert f"\n## [{section.name}]\n" in text
        for key in section.keys:
            assert f"\n### {section.name}.{key.name}\n" in text
            assert f"\n[{section.name}]\n{key.name} = {key.example}\n" in text
