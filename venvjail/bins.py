"""Runs on the host (creator and supervisor): ``venv/bin``, one entry per command of the real bin.

The real bin is what the jail sees at ``venv/bin`` and writes to, so its names are hostile
(``--help``, ``activate-new-shell``, a newline).  Nothing in it is ever opened here: names and
types are read, and what appears on the host is always the same text, the entry.
"""

import errno
import os
import re
import stat
import time
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from venvjail.atomic import open_directory, write_at
from venvjail.layout import VenvPaths
from venvjail.literals import python_literal, shell_word

#: The host's command that starts a shell in the jail; no command of the jail takes its place.
NEW_SHELL = "activate-new-shell"
#: So many commands get an entry, and so many names of the real bin are looked at.
MAX_ENTRIES = 4096
MAX_NAMES = 4 * MAX_ENTRIES

#: Every entry has this line, which tells it from a file of the user's.
_MARK = b"\n# venvjail-entry\n"
_MAX_ENTRY_SIZE = 64 * 1024

#: The longest ``#!`` line that Linux before 5.1 reads whole (BINPRM_BUF_SIZE was 128).
_MAX_SHEBANG = 127

# Without these on the host the caller's PATH would find the system's, which run unjailed.
_NEVER_REMOVED = re.compile(rb"(python|pip)(3(\.\d+)?)?")

# A directory's ctime is as coarse as its file system's clock; within this time of a change
# another one may leave the same ctime.
_SETTLED_NS = 2_000_000_000


def entry_text(python: str, roots: Sequence[str], venv: str) -> bytes:
    """The program that every name in ``venv/bin`` is: it runs the command of its name in the jail.

    ``python`` is the base interpreter's absolute path, ``roots`` the directories that hold the
    ``venvjail`` package, ``venv`` the venv's absolute path.  It is all that runs before
    :func:`venvjail.entry.main`, so it imports nothing else; ``-IS`` keeps the caller's environment
    and working directory from choosing code.
    """
    path = ", ".join(python_literal(root) for root in roots)
    program = f"""\
import sys
sys.path[:0] = [{path}]
venv = {python_literal(venv)}
try:
    from venvjail.entry import main
except ImportError as error:
    sys.stderr.write(f"venvjail: cannot start the jail ({{error}}): install venvjail again, "
                     f"then run: venvjail --upgrade {{venv!a}}\\n")
    raise SystemExit(125)
except KeyboardInterrupt:
    raise SystemExit(130)
raise SystemExit(main(venv, __file__, sys.argv[1:]))
"""
    return _start(os.fsencode(python)) + program.encode("ascii")


def _start(python: bytes) -> bytes:
    """The lines that make the kernel run ``python -IS`` on the file, up to and with the mark."""
    shebang = b"#!" + python + b" -IS"
    if len(shebang) < _MAX_SHEBANG and not re.search(rb"\s", python) and _is_utf8(python):
        return shebang + _MARK
    # The kernel splits a shebang at blanks and cuts it off; Python takes no first line that is not
    # UTF-8.  So sh starts the interpreter, by a line that Python reads as (part of) a string, after
    # a coding cookie under which every byte is good.
    execute = b"'''exec' " + shell_word(python) + b' -IS "$0" "$@"\n' + b"' '''\n"
    return b"#!/bin/sh\n# coding: latin-1" + _MARK + execute


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def new_shell_text(entry: str, python: str) -> bytes:
    """``venv/bin/activate-new-shell``; ``entry`` is the entry in the state directory of that name.

    ``python`` is the entries' interpreter: where a distribution's upgrade has removed it, the
    kernel alone would answer, with ``not found``.
    One simple command without options, variables or substitutions: sourced, it leaves nothing
    behind in bash, dash, zsh or fish, and neither replaces nor ends the user's shell.  Arguments
    are not passed on, because a sourced file sees those of the script that sources it.
    """
    return b"""\
#!/bin/sh
# Starts a new shell in the jail of this venv. Run it or source it: your own shell stays as it is,
# and is there again when the new one ends. Arguments are ignored.
/bin/sh -c 'test -x "$1" && test -x "$2" && exec "$1"
test -x "$1" && echo "venvjail: $2 is missing, which the venv was made of: after an upgrade" \\
    "of Python run: venvjail --upgrade VENV" >&2 && exit 125
echo "venvjail: $1 is missing: if the venv was moved," \\
    "move it back or make it anew: venvjail --clear VENV" >&2
exit 125' venvjail %b %b
""" % (shell_word(os.fsencode(entry)), shell_word(os.fsencode(python)))


class Changes(NamedTuple):
    """What a sync did to ``venv/bin``."""

    added: tuple[bytes, ...] = ()
    removed: tuple[bytes, ...] = ()
    #: How many names of the real bin get no entry: unfit, taken on the host, or beyond the bound.
    refused: int = 0


class _Commands(NamedTuple):
    """The real bin as read once."""

    names: frozenset[bytes]
    refused: int
    #: False when names were left unread, so that a missing one proves nothing.
    whole: bool
    #: A file that is not executable yet: chmod(2) on it will not show in the directory's ctime.
    unfinished: bool


class EntrySync:
    """Keeps the host's ``venv/bin`` in step with the real bin; cheap when neither has changed."""

    def __init__(self, paths: VenvPaths, text: bytes) -> None:
        self._paths = paths
        self._text = text
        self._seen: tuple[int, ...] | None = None

    def sync(self) -> Changes:
        """Add and remove entries.  Raises OSError when one of the directories is not usable."""
        real = open_directory(self._paths.real_bin)
        try:
            host = open_directory(self._paths.bin)
            try:
                return self._sync(real, host)
            finally:
                os.close(host)
        finally:
            os.close(real)

    def _sync(self, real: int, host: int) -> Changes:
        before = _fingerprint(real, host)
        if before == self._seen:
            return Changes()
        commands = _read_commands(real)
        changes = _apply(host, commands, self._text)
        newest = max(os.fstat(real).st_ctime_ns, os.fstat(host).st_ctime_ns)
        settled = not commands.unfinished and time.time_ns() - newest > _SETTLED_NS
        self._seen = before if settled else None
        return changes


def sync_entries(paths: VenvPaths, text: bytes) -> Changes:
    """Make the host's ``venv/bin`` match the real bin once.  Raises OSError."""
    return EntrySync(paths, text).sync()


def foreign_names(paths: VenvPaths) -> list[bytes]:
    """What lies in the host's ``venv/bin`` without being venvjail's.  Raises OSError."""
    host = open_directory(paths.bin)
    try:
        names = sorted(os.fsencode(name) for name in os.listdir(host))
        own = os.fsencode(NEW_SHELL)
        return [name for name in names if name != own and not _read_entry(host, name)]
    finally:
        os.close(host)


def _fingerprint(*directories: int) -> tuple[int, ...]:
    # ctime, because the jail can set a mtime back.
    stats = [os.fstat(fd) for fd in directories]
    return tuple(field for s in stats for field in (s.st_dev, s.st_ino, s.st_ctime_ns))


def _read_commands(directory: int) -> _Commands:
    names: set[bytes] = set()
    seen = refused = 0
    unfinished = False
    with os.scandir(directory) as entries:
        for entry in islice(entries, MAX_NAMES):
            seen += 1
            name = os.fsencode(entry.name)
            if not is_command_name(name):
                refused += 1
            elif entry.is_symlink() or _is_executable(entry):
                names.add(name)
            else:
                unfinished = True
        whole = next(entries, None) is None
    return _Commands(frozenset(names), refused, whole, unfinished)


def _is_executable(entry: "os.DirEntry[str]") -> bool:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def is_command_name(name: bytes) -> bool:
    """Whether a name that the jail chose may be a name in the host's ``venv/bin``."""
    # Compared without case: a directory can be case-insensitive (casefold, vfat).
    if name.lower().startswith(b"activate") or name.startswith((b"-", b".")) or len(name) > 255:
        return False
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    # Not printable is every control and format character: newline, escape, direction marks.
    return bool(text) and text.isprintable() and "/" not in text


def _apply(host: int, commands: _Commands, text: bytes) -> Changes:
    on_host = {os.fsencode(name) for name in os.listdir(host)}
    wanted = sorted(commands.names, key=lambda name: (name not in on_host, name))
    added, taken = [], 0
    for name in wanted[:MAX_ENTRIES]:
        current = _read_entry(host, name) if name in on_host else b""
        if current is None:
            taken += 1
        elif current != text:
            write_at(host, name, text, 0o755)
            added.append(name)
    removed = _remove_stale(host, on_host - commands.names) if commands.whole else []
    beyond = max(0, len(wanted) - MAX_ENTRIES)
    return Changes(tuple(added), tuple(removed), commands.refused + taken + beyond)


def _remove_stale(host: int, names: set[bytes]) -> list[bytes]:
    removed = []
    for name in sorted(names):
        if not _NEVER_REMOVED.fullmatch(name) and _read_entry(host, name):
            os.unlink(name, dir_fd=host)
            removed.append(name)
    return removed


def _read_entry(host: int, name: bytes) -> bytes | None:
    """The text of the entry ``name``, or None if it is something that is not an entry of ours."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=host)
    except OSError as error:
        return b"" if error.errno == errno.ENOENT else None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        text = os.read(fd, _MAX_ENTRY_SIZE)
    finally:
        os.close(fd)
    return text if _MARK in text else None
