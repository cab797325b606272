"""Supervisor (host's namespaces): do without modules that others import and nobody uses.

trio imports ssl, hmac and idna for its TLS, DTLS and DNS, none of which a supervisor has.  With
OpenSSL beneath them they take 5 MB of memory, for as long as a jail runs.  Together with what
trio has for paths and children, and the questions that are asked at their
import (see `UNUSED`), they are a quarter of what the start of a jail waits for.

So `defer` puts a stand-in for each into `sys.modules` before trio is imported.  Should something be
used of one after all, that loads the real module: a mistake here costs time and nothing else.  The
answers that `UNUSED` gives hold until something else of their module is used.  What is used where
something has failed is not among them: there may be no descriptor left to load it with.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn


class _PackageNotFoundError(ModuleNotFoundError):
    """As in importlib.metadata."""


def _find_no_library(_name: str) -> None:
    """ctypes.util.find_library() where there is none."""


def _know_no_version(name: str) -> NoReturn:
    raise _PackageNotFoundError(name)


def _know_cpython() -> str:
    """platform.python_implementation(): pyfuse3 is for this one alone."""
    return "CPython"


def _instance_of(kind: type) -> Callable[[object, object, object], None]:
    """attr.validators.instance_of(): outcome, on which trio is built, has one such check."""

    def check(_instance: object, _attribute: object, value: object) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"must be a {kind.__name__}: {value!r}")

    return check


def _late(module: str, *names: str) -> Mapping[str, Callable[..., Any]]:
    """Stand-ins for functions and classes of ``module``, which load it when they are called."""

    def late(name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: getattr(_load(module), name)(*args, **kwargs)

    return {name: late(name) for name in names}


#: Modules that the supervisor never comes to use, with what is to be had without loading them.
#: trio looks for a library to name its threads by, for which ctypes.util runs ldconfig(8); pyfuse3
#: reads the metadata of packages for its own version.  Both go on without an answer.  attrs asks
#: which Python this is, and has a class for each of two dozen ways to check a value.
UNUSED: Mapping[str, Mapping[str, Any]] = {
    "ssl": {},
    "hmac": {},
    "idna": {},
    "attr.validators": {"instance_of": _instance_of},
    "platform": {"python_implementation": _know_cpython},
    "trio._dtls": _late("trio._dtls", "DTLSChannel", "DTLSChannelStatistics", "DTLSEndpoint"),
    "trio._path": _late("trio._path", "Path", "PosixPath", "WindowsPath"),
    "trio._subprocess": _late("trio._subprocess", "Process", "open_process", "run_process"),
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
    deferred = {name: _Deferred(name) for name in modules if name not in sys.modules}
    sys.modules.update(deferred)
    for name, module in deferred.items():
        vars(module).update(modules[name])
    for name, module in deferred.items():
        package, _, child = name.rpartition(".")
        # Nobody looks for a private module as an attribute of its package.
        if package and not child.startswith("_"):
            setattr(importlib.import_module(package), child, module)


class _Deferred(ModuleType):
    """Stands for a module until an attribute of it is asked for, then takes its content over."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # asked for by the import system itself
        module = _load(self.__name__)
        self.__dict__.update(vars(module))
        return getattr(module, name)


def _load(name: str) -> ModuleType:
    """The real module."""
    if isinstance(sys.modules.get(name), _Deferred):
        del sys.modules[name]
    return importlib.import_module(name)
