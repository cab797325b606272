"""Supervisor (host's namespaces): do without modules that others import and nobody uses.

trio imports ssl, hmac and idna for its TLS, DTLS and DNS.  With OpenSSL beneath them they take 5 MB
of memory, for as long as a jail runs, and a tenth of the time of a jail's start.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

#: What trio imports and the supervisor never comes to use.
OF_TRIO = ("ssl", "hmac", "idna")


def defer(names: Iterable[str]) -> None:
    """Let modules that have not been imported yet be so when something in them is first used.

    ``importlib.util.LazyLoader`` means the same, but before Python 3.12 an import statement of
    another module is such a use: it looks for ``__spec__``.
    """
    for name in names:
        if name not in sys.modules:
            sys.modules[name] = _Deferred(name)


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
