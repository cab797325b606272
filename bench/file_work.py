"""Usage: file_work.py DIRECTORY.  Time operations on files in it; prints JSON, seconds by name.

Run by the interpreter of each venv, in the jail and on the host.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FILES = 400
BLOCK = b"x" * 4096
BIG_BLOCK = bytes(1 << 20)
BIG_BLOCKS = 64
#: The view does not let the kernel keep what has changed more recently than half of it.
SETTLING_SECONDS = 0.1


@contextmanager
def timed(times: dict[str, float], name: str) -> Iterator[None]:
    """Note how long the body takes."""
    begin = time.perf_counter()
    yield
    times[name] = time.perf_counter() - begin


def each(directory: str, work: Callable[[str], None]) -> None:
    """Do something with each of the files."""
    for number in range(FILES):
        work(f"{directory}/{number}")


def write_small(path: str) -> None:
    """A new file of 4 KiB."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    os.write(fd, BLOCK)
    os.close(fd)


def read_small(path: str) -> None:
    """The whole file."""
    fd = os.open(path, os.O_RDONLY)
    os.read(fd, len(BLOCK))
    os.close(fd)


def write_big(path: str) -> None:
    """64 MiB in order."""
    with open(path, "wb", buffering=0) as file:
        for _ in range(BIG_BLOCKS):
            file.write(BIG_BLOCK)


def read_big(path: str) -> None:
    """The same, read in order."""
    with open(path, "rb", buffering=0) as file:
        while file.read(len(BIG_BLOCK)):
            pass


def main() -> None:
    """Make a directory, work in it and remove it."""
    directory = f"{sys.argv[1]}/files"
    os.mkdir(directory)
    times: dict[str, float] = {}
    with timed(times, "create, write 4 KiB, close"):
        each(directory, write_small)
    time.sleep(SETTLING_SECONDS)
    with timed(times, "open, read, close"):
        each(directory, read_small)
    with timed(times, "open, read, close again"):
        each(directory, read_small)
    with timed(times, "scandir and stat"), os.scandir(directory) as entries:
        for entry in entries:
            entry.stat()
    with timed(times, "stat again"):
        each(directory, lambda path: (os.stat(path), None)[1])
    with timed(times, "unlink"):
        each(directory, os.unlink)
    big = f"{directory}/big"
    with timed(times, "write 64 MiB"):
        write_big(big)
    with timed(times, "read 64 MiB"):
        read_big(big)
    os.unlink(big)
    os.rmdir(directory)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
