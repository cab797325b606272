"""Supervisor (host's namespaces): do without modules that others import and nobody uses.

trio imports ssl, hmac and idna for its TLS, DTLS and DNS, none of which a supervisor has.  With
OpenSSL beneath them they take 5 MB of memory, for as long as a jail runs.  Together with two
questions that trio and pyfuse3 ask at their import (see `UNUSED`), they are a fifth of what the
start of a jail waits for.

So `defer` puts a stand-in for each into `sys.modules` before trio is imported.  Should something be
used of one after all, that loads the real module: a mistake here costs time and nothing else.  The
answers that `UNUSED` gives hold until something else of their module is used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NoReturn


class _PackageNotFoundError(ModuleNotFoundError):
    """As in importlib.metadata."""


def _find_no_library(_name: str) -> None:
    """ctypes.util.find_library() where there is none."""


def _know_no_version(name: str) -> NoReturn:
    raise _PackageNotFoundError(name)


#: Modules that the supervisor never comes to use, with what is to be had without loading them.
#: trio looks for a library to name its threads by, for which ctypes.util runs ldconfig(8); pyfuse3
#: reads the metadata of packages for its own version.  Both go on without an answer.
UNUSED: Mapping[str, Mapping[str, Any]] = {
    "ssl": {},
    "hmac": {},
    "idna": {},
    "ctypes.util": {"find_library": _find_no_library},
    "importlib.metadata": {
        "PackageNotFoundError": _PackageNotFoundError,
        "version": _know_no_version,
    },
}


def defer(modules: Mapping[str, Mapping[str, Any]]) -> None:
    """Let modules that have not been imported yet be so when something in them is first used.

    ``importlib.util.LazyLoader`` means the same, but before Python 3.12 an import statement of
    another module is such a use: it looks for ``__spec__``.
    """
    for name, content in modules.items():
        if name in sys.modules:
            continue
        module = sys.modules[name] = _Deferred(name)
        vars(module).update(content)
        package, _, child = name.rpartition(".")
        if package:
            setattr(importlib.import_module(package), child, module)


class _Deferred(ModuleType):
    """Stands for a module until an attribute of it is asked for, then takes its content over."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # asked for by the import system itself
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        self.__dict__.update(vars(module))
        return getattr(module, name)
