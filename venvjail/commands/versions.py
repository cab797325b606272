"""Command line (host): venvjail's version, with those of all that a fault could lie in."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from importlib import import_module, metadata

from venvjail import __version__

_MODULES = ("trio", "click")


def lines() -> Iterator[str]:
    """``venvjail 0.1.0``, then a line for each thing that it uses."""
    yield f"venvjail {__version__}"
    yield f"Python {platform.python_version()} ({sys.executable})"
    yield f"pyfuse3 {_pyfuse3()}"
    for name in _MODULES:
        yield f"{name} {_installed(name)}"
    yield f"{os.uname().sysname} {os.uname().release} ({os.uname().machine})"


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "is not installed"


def _pyfuse3() -> str:
    """``3.5.0, libfuse 3.14.0``; imported, since an installed one may have lost its libfuse."""
    try:
        import_module("pyfuse3")
    except ImportError as error:
        return f"cannot be imported ({error}); see: venvjail doctor"
    return f"{_installed('pyfuse3')}, libfuse {_libfuse()}"


def _libfuse() -> str:
    """The version of the libfuse that this process has loaded."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(maxsplit=5)[-1].strip() for line in maps if "/libfuse3.so" in line}
    for path in paths:
        version = ctypes.CDLL(path).fuse_pkgversion
        version.restype = ctypes.c_char_p
        return str(version().decode("ascii", "replace"))
    return "of unknown version"
