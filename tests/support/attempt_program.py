"""Try one operation on each path of the command line; print how each ended, as JSON.

Usage: ``python attempt_program.py OPERATION PATH...``.  A result is ``done`` or the errno's name.
What an operation changes, it changes back, so it may be tried on the host as well.
"""

import errno
import json
import os
import stat
import sys


def read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def write(path: str) -> None:
    with open(path, "ab"):
        pass


def look(path: str) -> None:
    os.lstat(path)


def enlist(path: str) -> None:
    os.listdir(path)


def create(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(path)


def truncate(path: str) -> None:
    os.truncate(path, os.stat(path).st_size)


def chmod(path: str) -> None:
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))


def rename(path: str) -> None:
    os.rename(path, path + ".renamed")
    os.rename(path + ".renamed", path)


def signal(pid: str) -> None:
    os.kill(int(pid), 0)


OPERATIONS = {
    operation.__name__: operation
    for operation in (read, write, look, enlist, create, truncate, chmod, rename, signal)
}


def main(name: str, paths: list[str]) -> None:
    results = {}
    for path in paths:
        try:
            OPERATIONS[name](path)
        except OSError as error:
            results[path] = errno.errorcode[error.errno or 0]
        else:
            results[path] = "done"
    print(json.dumps(results))  # noqa: T201 - its answer


main(sys.argv[1], sys.argv[2:])
