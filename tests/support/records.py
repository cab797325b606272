"""Records of venvs that were made of the system's Python."""

from venvjail.record import Record

_PYTHON = "/usr/bin/python3"


def record_of(venv: str, *, prefix: str = "/usr", roots: tuple[str, ...] = ()) -> Record:
    """Of the venv at that path; ``roots`` hold the venvjail that made it."""
    return Record(
        venv=venv,
        made_by="",
        base_python=_PYTHON,
        base_link=_PYTHON,
        base_prefix=prefix,
        python=_PYTHON,
        roots=roots,
        entry_roots=(),
        prompt="venv",
    )
