"""Runs on the host (creator and supervisor): where the code is that runs outside the jail.

venvjail, what it imports and the interpreter are run on the user's behalf at each start.  Where
they lie in a directory that the jail can write to, a jailed program could put its own code in
their place, and would run unjailed the next time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from venvjail.errors import JailError
from venvjail.planning.plan import within
from venvjail.record import Record

_MAX_LINKS = 40  # what the kernel follows; path_resolution(7)


class Launcher(NamedTuple):
    """The code of one venv's launcher; absolute paths, as they are used, symlinks and all."""

    #: Directories on ``sys.path``: venvjail, fusefs, what they import.
    roots: tuple[str, ...]
    #: Interpreters that are executed.
    programs: tuple[str, ...]
    #: ``sys.base_prefix``: the standard library.
    prefix: str

    @classmethod
    def of(cls, record: Record) -> Launcher:
        """What the venv's record says that is run for it."""
        roots = tuple(dict.fromkeys((*record.roots, *record.entry_roots)))
        return cls(roots, (record.base_python, record.python), record.base_prefix)

    def paths_in(self, tops: Iterable[str]) -> set[str]:
        """What has to be read-only of all that lies strictly below one of ``tops`` (real paths).

        Symlinks that lead to the code are among it, since whoever replaces one leads elsewhere, and
        for what is missing the directory above, where a jail would make it.
        """
        code = {*self._sealed(), *self._prefixes(), *self._links()}
        candidates = {_standing(path) for path in code}
        return {path for path in candidates for top in tops if path != top and within(path, top)}

    def exposed_by(self, top: str) -> str | None:
        """A directory of code that cannot be protected while ``top`` is writable, if there is one.

        That is one which ``top`` is, or is in: a new file in a directory on ``sys.path`` is enough,
        ``contextlib.py`` for example, and so is ``pyvenv.cfg`` beside an interpreter.
        """
        inside = (p for p in self._sealed() if within(top, p) or _standing(p) == top)
        return next(inside, None) or next((path for path in self._prefixes() if path == top), None)

    def _sealed(self) -> Iterator[str]:
        """Directories in which nothing may change, neither at the top nor below."""
        yield from map(os.path.realpath, self.roots)
        for program in self._programs():
            yield os.path.dirname(program)
        for name in ("lib", "lib64"):
            yield os.path.realpath(f"{self.prefix}/{name}")

    def _prefixes(self) -> Iterator[str]:
        """Directories above these, in which the interpreter looks for ``pyvenv.cfg`` and more.

        All of one is code where it is in a project; ``/usr`` has room for others' directories.
        """
        yield os.path.realpath(self.prefix)
        for program in self._programs():
            yield os.path.dirname(os.path.dirname(program))

    def _programs(self) -> Iterator[str]:
        """The interpreters, each by the path that is executed and by the one it ends at."""
        for program in self.programs:
            directory, name = os.path.split(os.path.abspath(program))
            yield f"{os.path.realpath(directory)}/{name}"
            yield os.path.realpath(program)

    def _links(self) -> Iterator[str]:
        for path in (*self.roots, *self.programs, self.prefix):
            yield from symlinks_on(path)


def _standing(path: str) -> str:
    """The path, or what is there of it."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def symlinks_on(path: str) -> Iterator[str]:
    """The symlinks that resolving ``path`` goes through, each by the real path of its directory."""
    pending = os.path.abspath(path).strip("/").split("/")[::-1]
    real = "/"
    links = 0
    while pending and links < _MAX_LINKS:
        name = pending.pop()
        if name in ("", "."):
            continue
        if name == "..":
            real = os.path.dirname(real)
            continue
        here = os.path.join(real, name)
        try:
            target = os.readlink(here)
        except OSError:  # no symlink, or nothing there
            real = here
            continue
        yield here
        links += 1
        if target.startswith("/"):
            real = "/"
        pending += target.strip("/").split("/")[::-1]


def refuse_exposed(launcher: Launcher, tops: Iterable[str], env: str) -> None:
    """Raise JailError if a jail that can write to ``tops`` could change the code of ``launcher``.

    ``env`` is the jail's own venv, one of ``tops``: nothing in it is ever guarded as code.
    """
    for top in tops:
        code = launcher.exposed_by(top)
        if top == env and code is None:
            code = next(iter(launcher.paths_in([env])), None)
        if code is not None:
            raise JailError(
                f"the jail could write to {top}, and venvjail itself runs from {code}: install "
                "venvjail elsewhere (pipx install venvjail), or choose another project "
                "(--project DIR, --no-project, or path in the [project] section of venvjail.toml)"
            )
