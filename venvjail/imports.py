"""Entry and builder (host): import nothing any more, from when they see the jail's files."""

import sys


def end() -> None:
    """Leave only the importers of built-in and frozen modules; there is no way back.

    A directory of ``sys.path`` that lies in the home is hidden in the jail, so the jail can make
    one of that name and put modules into it.  They would run with what is not the jail's: on the
    host's side of the PID namespace in the entry, as PID 1 in init.
    """
    names = ("BuiltinImporter", "FrozenImporter")
    sys.meta_path[:] = [f for f in sys.meta_path if getattr(f, "__name__", "") in names]
