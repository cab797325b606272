"""Runs everywhere: the kinds of config values that are not paths (`venvjail.config.kind`)."""

import re
import socket
from typing import get_args

from venvjail.config.kind import Context, Kind, UnfitError, shown, text, type_name, wrong_type
from venvjail.config.model import Assignment, Item, NetworkMode, Publish, Setting, TerminalMode

#: Bytes; with less no interpreter starts.
LEAST_MEMORY = 16 * 1024**2
MOST_MEMORY = 2**63 - 1
#: PID_MAX_LIMIT of a 64-bit kernel (include/linux/threads.h).
MOST_PROCESSES = 4 * 1024**2
#: A year, in seconds: a bound for the timers that wait for it.
MOST_LINGER = 365 * 24 * 3600

_NETWORK_MODES: tuple[NetworkMode, ...] = get_args(NetworkMode)
_TERMINAL_MODES: tuple[TerminalMode, ...] = get_args(TerminalMode)

# --- environment ----------------------------------------------------------------------------


def _variable(raw: object) -> str:
    """A name in the environment, which is ``NAME=VALUE`` strings that end with a NUL."""
    name = text(raw)
    for char, called in (("=", "an equals sign"), ("\0", "a NUL character")):
        if char in name:
            raise UnfitError(f"the name {shown(raw)} has {called}")
    return name


def _name_pattern(raw: object, context: Context) -> Item:
    return Item(_variable(raw), context.origin)


def _assignment(pair: object, context: Context) -> Assignment:
    """A kind whose raw value is a name and a value, as a table's items are."""
    assert isinstance(pair, tuple)
    name, raw = _variable(pair[0]), pair[1]
    if not isinstance(raw, str):
        raise UnfitError(f"the value of {shown(name)} is {type_name(raw)}")
    if "\0" in raw:
        raise UnfitError(f"the value of {shown(name)} has a NUL character")
    return Assignment(name, raw, context.origin)


NAME_PATTERN = Kind(
    'the name of a variable or a pattern, such as "GITHUB_TOKEN" or "*_KEY"', _name_pattern
)
VARIABLE = Kind('a variable and a string, such as PIP_REQUIRE_VIRTUALENV = "1"', _assignment)


# --- numbers and words ----------------------------------------------------------------------

_PORTS = re.compile(r"(?:(?P<v4>[0-9.]+):|\[(?P<v6>[0-9a-fA-F:.]+)\]:)?([0-9]{1,5}):([0-9]{1,5})")
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?([KMGT])")
#: What people write for one: "2 GB", "512MiB", "1g".
_LIKE_A_SIZE = re.compile(r" *([0-9]{1,15}(?:\.[0-9]{1,6})?) *([kKmMgGtT])(?:i?[bB])? *")
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def _integer(raw: object, least: int, most: int) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise wrong_type(raw)
    if not least <= raw <= most:
        raise UnfitError(f"{shown(raw)} is out of range")
    return raw


def _publish(raw: object, context: Context) -> Publish:
    if not isinstance(raw, str):
        return Publish(_port(raw), _port(raw), context.origin)
    found = _PORTS.fullmatch(raw)
    if found is None:
        raise UnfitError(f"{shown(raw)} is not a pair of ports")
    host, jail = _port(int(found[3])), _port(int(found[4]))
    address = found["v4"] or found["v6"]
    if address is None:
        return Publish(host, jail, context.origin)
    try:
        return Publish(host, jail, context.origin, _address(address))
    except OSError:
        raise UnfitError(f"{shown(address)} is not an address") from None


def _address(text: str) -> str:
    """An address in its shortest spelling; OSError for what is none."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, text))


def _port(raw: object) -> int:
    return _integer(raw, 1, 65535)


def _network_mode(raw: object, context: Context) -> Setting[NetworkMode]:
    for mode in _NETWORK_MODES:
        if raw == mode:
            return Setting(mode, context.origin)
    raise UnfitError(f"{shown(raw)} is not a network mode")


def _terminal_mode(raw: object, context: Context) -> Setting[TerminalMode]:
    for mode in _TERMINAL_MODES:
        if raw == mode:
            return Setting(mode, context.origin)
    raise UnfitError(f"{shown(raw)} is not a terminal mode")


def _processes(raw: object, context: Context) -> Setting[int]:
    return Setting(_integer(raw, 1, MOST_PROCESSES), context.origin)


def _memory(raw: object, context: Context) -> Setting[int]:
    size = raw
    if isinstance(raw, str):
        found = _SIZE.fullmatch(raw)
        if found is None:
            like = _LIKE_A_SIZE.fullmatch(raw)
            expected = like and f'"{like[1]}{like[2].upper()}"'
            raise UnfitError(f"{shown(raw)} is not a size", expected)
        whole, decimals, unit = found[1], found[2] or "", found[3]
        size = int(whole + decimals) * _UNITS[unit] // 10 ** len(decimals)
    return Setting(_integer(size, LEAST_MEMORY, MOST_MEMORY), context.origin)


def _seconds(raw: object, context: Context) -> Setting[float]:
    if not isinstance(raw, (int, float)) or isinstance(raw, bool):
        raise wrong_type(raw)
    if not 0 <= raw <= MOST_LINGER:  # false for nan, too
        raise UnfitError(f"{shown(raw)} is out of range")
    return Setting(float(raw), context.origin)


def _switch(raw: object, context: Context) -> Setting[bool]:
    if not isinstance(raw, bool):
        raise wrong_type(raw)
    return Setting(raw, context.origin)


PUBLISH = Kind(
    'a port from 1 to 65535, such as 8000, or "8080:80" for HOST:JAIL, with an address before it '
    'if need be: "0.0.0.0:8080:80"',
    _publish,
)
NETWORK_MODE = Kind('"host", "none" or "isolated"', _network_mode)
TERMINAL_MODE = Kind('"relay" or "shared"', _terminal_mode)
PROCESSES = Kind(f"a number of processes from 1 to {MOST_PROCESSES}", _processes)
MEMORY = Kind(
    'a size of 16M or more, such as "2G" or "1.5G" (K, M, G, T), or a number of bytes', _memory
)
SECONDS = Kind(f"a number of seconds from 0 to {MOST_LINGER} (a year)", _seconds)
SWITCH = Kind("true or false", _switch)
