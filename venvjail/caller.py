"""Runs on the host, first thing in every command: who calls us, and from where."""

import os

from venvjail.errors import UserError

#: Where the builder puts the jail's own files; it exists in a jail and nowhere else.
JAIL_MARK = "/run/venvjail"


def refuse_root() -> None:
    """Raise UserError for root, whom no read-only mount and no hidden home would hold."""
    if 0 in (os.getuid(), os.geteuid()):
        raise UserError(
            "refusing to run as root: a jail protects the files of the user it runs for; "
            "run it as an ordinary user"
        )


def refuse_in_jail() -> None:
    """Raise UserError inside a jail: it could not build a second one, nor see the home."""
    venv = os.environ.get("VENVJAIL")
    if venv and os.path.isdir(JAIL_MARK):
        raise UserError(
            f"already inside the jail of {venv}: leave it (exit) and run this on the host"
        )
