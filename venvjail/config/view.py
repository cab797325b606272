"""Runs on the host: a config as TOML text, the effective one and the one a venv begins with."""

import textwrap
from typing import Any

from venvjail.config.model import (
    DEFAULT,
    LOOPBACK,
    Assignment,
    Config,
    HomeAllow,
    Item,
    Origin,
    Publish,
    Setting,
)
from venvjail.config.schema import SECTIONS, Key, Section, Shape
from venvjail.quoting import toml_string

_WIDTH = 100


# --- the effective config -------------------------------------------------------------------


def render(config: Config) -> str:
    """*config* as TOML, each value followed by the file and line it came from.

    What it answers is a config file again: loading it gives the same values.
    """
    return "\n".join(_section(known, getattr(config, known.name)) for known in SECTIONS)


def _section(known: Section, section: Any) -> str:
    keys = (_key(known, key, getattr(section, key.name)) for key in known.keys)
    return f"[{known.name}]\n" + "".join(keys)


def _key(known: Section, key: Key, value: Any) -> str:
    if value is None:
        return f"# {key.name} is not given\n"
    if key.shape is Shape.ONE:
        return f"{key.name} = {toml_value(value)}{_source(value.origin)}"
    if not value:
        return f"{key.name} = {'{}' if key.shape is Shape.TABLE else '[]'}\n"
    if key.shape is Shape.TABLE:
        return f"\n[{known.name}.{key.name}]\n" + "".join(_assignment(entry) for entry in value)
    items = "".join(f"    {toml_value(entry)},{_source(entry.origin)}" for entry in value)
    return f"{key.name} = [\n{items}]\n"


def _assignment(entry: Assignment) -> str:
    return f"{toml_string(entry.name)} = {toml_value(entry)}{_source(entry.origin)}"


def _source(origin: Origin) -> str:
    return "  # default\n" if origin == DEFAULT else f"  # from {origin}\n"


def toml_value(entry: Any) -> str:
    """The TOML of one entry of a `Config`, as it could stand in a config file."""
    match entry:
        case Item(value=text) | Assignment(value=text):
            return toml_string(text)
        case HomeAllow(path=path, mode="merge"):
            return toml_string(path)
        case HomeAllow(path=path, mode=mode):
            return f"{{path = {toml_string(path)}, mode = {toml_string(mode)}}}"
        case Publish(host=host, jail=jail, address=address):
            return _published(host, jail, address)
        case Setting(value=bool(switch)):
            return "true" if switch else "false"
        case Setting(value=str(word)):
            return toml_string(word)
        case Setting(value=number):
            return str(number).removesuffix(".0")
    raise TypeError(f"not an entry of a config: {entry!r}")


def _published(host: int, jail: int, address: str) -> str:
    if address != LOOPBACK:
        where = f"[{address}]" if ":" in address else address
        return toml_string(f"{where}:{host}:{jail}")
    return str(host) if host == jail else toml_string(f"{host}:{jail}")


# --- a new venv's file ----------------------------------------------------------------------

_INITIAL_HEAD = """\
What the programs of this venv may see and do.  This adds to ~/.dirjailconfig, which counts for all
venvs; `venvjail config VENV` shows the two together, with the defaults.  The jail cannot see
either file.  The lines with a # directly before a name are examples: take the # away to use one.
Every key is explained in docs/config.md.
"""


def initial_text(project: str | None) -> str:
    """The ``venvjail.toml`` of a new venv whose project is *project* (absolute; None: the venv).

    Write it as UTF-8; the mode must not let others write.
    """
    sections = (_initial_section(known, project) for known in SECTIONS)
    return "\n".join((_comment(_INITIAL_HEAD), *sections))


def _initial_section(known: Section, project: str | None) -> str:
    lines = [f"[{known.name}]\n", _comment(known.meaning)]
    for key in known.keys:
        if (known.name, key.name) == ("project", "path") and project is not None:
            lines.append(f"path = {toml_string(project)}\n")
        else:
            lines.append(f"#{key.name} = {key.example}\n")
    return "".join(lines)


def _comment(text: str) -> str:
    prefix = "# "
    wrapped = textwrap.fill(
        text,
        _WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped + "\n"
