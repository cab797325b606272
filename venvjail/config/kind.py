"""Runs everywhere: what a kind of config value is, and how an error speaks of a value.

A `Kind` turns one raw TOML value into a typed entry or raises `UnfitError`; it knows nothing of
files, sections or lists.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from venvjail.config.model import Origin
from venvjail.quoting import toml_string

T = TypeVar("T")

_MAX_SHOWN = 100


class UnfitError(Exception):
    """Why a value cannot be used; *expected* replaces what its kind says."""

    def __init__(self, wrong: str, expected: str | None = None) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.expected = expected


class Context(NamedTuple):
    """What reading a value needs beside the value: where it stands, and the user's home."""

    origin: Origin
    home: str


class Kind(Generic[T]):
    """A kind of value: how a person calls it (``expected``), and how it is read."""

    def __init__(self, expected: str, read: Callable[[object, Context], T]) -> None:
        self.expected = expected
        self.read = read


def shown(raw: object) -> str:
    """A raw TOML value as an error quotes it: short and safe to print."""
    if isinstance(raw, str):
        return toml_string(raw if len(raw) <= _MAX_SHOWN else raw[:_MAX_SHOWN] + "…")
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, (list, dict)):
        return "this"
    if isinstance(raw, int) and raw.bit_length() > 64:  # str() of a huge one raises ValueError
        return "this number"
    return str(raw)


def type_name(raw: object) -> str:
    """What a raw TOML value is: ``an integer``, ``a list``…"""
    if isinstance(raw, bool):
        return "a boolean"
    names = {str: "a string", int: "an integer", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(raw), "a date or time")


def wrong_type(raw: object) -> UnfitError:
    """The reason when a value has a TOML type that its kind does not take."""
    return UnfitError(f"{shown(raw)} is {type_name(raw)}")


def text(raw: object) -> str:
    """A string with something in it."""
    if not isinstance(raw, str):
        raise wrong_type(raw)
    if not raw:
        raise UnfitError('"" is empty')
    return raw
