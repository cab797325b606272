"""Runs on the host (creator): where the code that later runs outside the jail is installed."""

import os
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

from venvjail.errors import UserError
from venvjail.planning.launcher import Launcher

#: What the entries import besides the standard library.
_ENTRY = ("venvjail",)
#: What the supervisor and the command line import.
_REQUIRED = (*_ENTRY, "fusefs", "pyfuse3", "trio", "click", "rich", "setproctitle", "tomlkit")
#: What these import in turn; not each is there with every Python or version.
_INDIRECT = (
    *("attr", "exceptiongroup", "idna", "outcome", "sniffio", "sortedcontainers"),
    *("markdown_it", "mdurl", "pygments", "tomli"),
)


def entry_roots() -> tuple[str, ...]:
    """The directories an entry needs on ``sys.path``.  Raises UserError."""
    return _roots(_ENTRY)


def supervisor_roots() -> tuple[str, ...]:
    """The directories the supervisor needs on ``sys.path``.  Raises UserError."""
    return _roots(_REQUIRED, _INDIRECT)


def current_launcher() -> Launcher:
    """The code that a venv created by this process would be run by.  Raises UserError."""
    base: str = sys._base_executable  # type: ignore[attr-defined]  # what venv itself uses
    programs = (os.path.realpath(base), os.path.abspath(sys.executable))
    return Launcher((*supervisor_roots(), *entry_roots()), programs, sys.base_prefix)


def _roots(required: Iterable[str], optional: Iterable[str] = ()) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in required:
        root = _root(name)
        if root is None:
            raise UserError(f"the module {name} is missing: run: pip install --upgrade venvjail")
        found[root] = None
    for name in optional:
        root = _root(name)
        if root is not None:
            found[root] = None
    return tuple(found)


def _root(name: str) -> str | None:
    """The directory from which ``import name`` is served, without importing it."""
    spec: ModuleSpec | None = find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return os.path.dirname(os.path.abspath(next(iter(spec.submodule_search_locations))))
    return os.path.dirname(os.path.abspath(spec.origin)) if spec.origin else None
