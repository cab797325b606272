"""Runs on the host (creator, cli, supervisor): what a venv was created with, ``state.json``."""

import json
from typing import Any, NamedTuple

from venvjail import recorded
from venvjail.atomic import write_file
from venvjail.errors import UserError
from venvjail.layout import VenvPaths
from venvjail.recorded import VERSION, NewerLayoutError, check_state, moved

__all__ = [
    "VERSION",
    "NewerLayoutError",
    "Record",
    "check_state",
    "load",
    "moved",
    "moved_from",
    "read",
    "refuse_newer",
    "save",
]


class Record(NamedTuple):
    """One venv's facts.  Paths are absolute; undecodable bytes are surrogate escapes (PEP 383)."""

    #: The venv's real path at creation.
    venv: str
    #: The venvjail that made it or brought it up to date, for example ``0.1.0``.
    made_by: str
    #: The interpreter the venv is made of, for example ``/usr/bin/python3.11``.
    base_python: str
    #: The path by which the venv's links name it, for example ``/usr/bin/python3``.
    base_link: str
    #: Its ``sys.base_prefix``, which the jail must see.
    base_prefix: str
    #: The interpreter that has venvjail's dependencies and runs the supervisor.
    python: str
    #: Directories to put on that interpreter's ``sys.path``: venvjail, fusefs, what they import.
    roots: tuple[str, ...]
    #: Directories for the entries, which import only venvjail and the standard library.
    entry_roots: tuple[str, ...]
    #: The name that the prompt shows in parentheses.
    prompt: str


def save(record: Record) -> None:
    """Write the record of ``record.venv``.  Raises OSError."""
    values = {"version": VERSION, **record._asdict()}
    text = json.dumps(values, indent=2, ensure_ascii=True) + "\n"
    write_file(VenvPaths(record.venv).record, text.encode("ascii"), 0o600)


def load(env_dir: str, *, any_layout: bool = False) -> Record:
    """The record of the venv at ``env_dir``.

    Raises UserError if there is none, another user's, a damaged one or one by a venvjail that
    wrote another layout, or if the venv was moved: its entries name the old place.

    With ``any_layout`` another layout will do that names the code which is run for the venv: the
    venvjail that wrote it may be there still.
    """
    return _record(recorded.load(env_dir, any_layout=any_layout))


def moved_from(env_dir: str) -> str | None:
    """Where the venv at ``env_dir`` was before it was moved or copied; None where it was not.

    None as well for one whose record cannot be read.
    """
    try:
        record = read(env_dir)
    except UserError:
        return None
    return record.venv if recorded.is_elsewhere(record.venv, env_dir) else None


def read(env_dir: str) -> Record:
    """The record in the venv at ``env_dir``, which may have been moved or copied since.

    Raises UserError like :func:`load`.
    """
    return _record(recorded.read(env_dir))


def refuse_newer(env_dir: str) -> None:
    """Raise NewerLayoutError for a venv by a newer venvjail.

    One that is damaged or not complete is let pass.
    """
    try:
        read(env_dir)
    except NewerLayoutError:
        raise
    except UserError:
        return


def _record(fields: dict[str, Any]) -> Record:
    return Record(**fields)
