"""Try to replace files that somebody else runs later; print what worked, as JSON.

Usage: ``python attack_program.py PROJECT STEPS PATH...``.  STEPS are names joined by commas, or
``all``.  The answer lists the steps that worked for each path.  A step that works changes the path,
or what stands at it, so on the host each is tried on a copy of its own.
"""

import ctypes
import json
import os
import shutil
import sys

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def write(path: str, _project: str) -> None:
    """Overwrite a file, or add one to a directory."""
    with open(os.path.join(path, "planted") if os.path.isdir(path) else path, "a") as file:
        file.write("planted")


def reopen(path: str, _project: str) -> None:
    """Open for reading, then for writing through /proc."""
    fd = os.open(_file_of(path), os.O_RDONLY)
    with open(f"/proc/self/fd/{fd}", "a") as file:
        file.write("planted")


def truncate(path: str, _project: str) -> None:
    os.truncate(_file_of(path), 0)


def change_mode(path: str, _project: str) -> None:
    os.chmod(path, 0o700 if os.path.isdir(path) else 0o711)


def remove(path: str, _project: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def move_away(path: str, _project: str) -> None:
    os.rename(path, path + ".old")


def move_over(path: str, project: str) -> None:
    """Replace a file by a rename; what is a directory is exchanged, since it is not empty."""
    other = _own(path, project)
    if os.path.isdir(path) and not os.path.islink(path):
        _exchange(other, path)
    else:
        os.rename(other, path)


def exchange(path: str, project: str) -> None:
    _exchange(_own(path, project), path)


def hard_link(path: str, project: str) -> None:
    """Write through another name of the file."""
    name = os.path.join(project, "linked")
    if os.path.lexists(name):
        os.unlink(name)
    os.link(_file_of(path), name)
    with open(name, "a") as file:
        file.write("planted")


def move_above(path: str, project: str) -> None:
    """Rename a directory above, at last the project itself, and make the path anew."""
    above = os.path.dirname(path)
    while True:
        try:
            os.rename(above, above + ".old")
            break
        except OSError:
            if above == project:
                raise
            above = os.path.dirname(above)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("planted")


STEPS = {
    step.__name__: step
    for step in (
        *(write, reopen, truncate, change_mode, hard_link, move_over, exchange, move_above),
        *(move_away, remove),
    )
}


def _file_of(path: str) -> str:
    """The path, or a regular file in the directory that it is."""
    if not os.path.isdir(path):
        return path
    files = (os.path.join(d, name) for d, _, names in os.walk(path) for name in sorted(names))
    return next((name for name in files if os.path.isfile(name)), path)


def _own(path: str, project: str) -> str:
    """Something of the attacker's of the same type."""
    own = os.path.join(project, "own")
    if os.path.isdir(path) and not os.path.islink(path):
        os.makedirs(own, exist_ok=True)
        return own
    own += ".file"
    with open(own, "w") as file:
        file.write("planted")
    return own


def _exchange(one: str, two: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    names = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(two))
    if libc.renameat2(*names, _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


def main(project: str, steps: str, paths: list[str]) -> None:
    worked: dict[str, list[str]] = {path: [] for path in paths}
    for name in STEPS if steps == "all" else steps.split(","):
        for path in paths:
            try:
                STEPS[name](path, project)
            except OSError:
                continue
            worked[path].append(name)
    print(json.dumps(worked))  # noqa: T201 - its answer


main(sys.argv[1], sys.argv[2], sys.argv[3:])
