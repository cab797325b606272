"""Runs everywhere: where the files of one venv are.

Plain strings and next to no imports: the entry, whose start a user waits for, reads this too.
"""

import sys

#: In a jail, and nowhere else: the builder's files for shells (rc files), read-only.
JAIL_FILES = "/run/venvjail"


class VenvPaths:
    """The paths of one venv on the host.

    ``env`` is the absolute path of the venv as the user spelled it at creation, for example
    ``/home/alice/proj/venv``.  Strings carry undecodable bytes as surrogate escapes (PEP 383).
    """

    __slots__ = ("env",)

    def __init__(self, env: str) -> None:
        self.env = env

    @property
    def bin(self) -> str:
        """``/home/alice/proj/venv/bin``: the host's entries; in the jail, ``real_bin`` is here."""
        return self.env + "/bin"

    @property
    def pyvenv_cfg(self) -> str:
        """``/home/alice/proj/venv/pyvenv.cfg``: read-only in the jail."""
        return self.env + "/pyvenv.cfg"

    @property
    def store(self) -> str:
        """``/home/alice/proj/venv/home``: what jailed programs create in their home."""
        return self.env + "/home"

    @property
    def state(self) -> str:
        """``/home/alice/proj/venv/.venvjail``: hidden from the jail."""
        return self.env + "/.venvjail"

    @property
    def real_bin(self) -> str:
        """``…/.venvjail/bin``: the real commands, seen at ``bin`` in the jail."""
        return self.state + "/bin"

    @property
    def config(self) -> str:
        """``…/.venvjail/venvjail.toml``: the venv's own config."""
        return self.state + "/venvjail.toml"

    @property
    def record(self) -> str:
        """``…/.venvjail/state.json``: state version, where the venv was created, with what."""
        return self.state + "/state.json"

    @property
    def audit(self) -> str:
        """``…/.venvjail/audit.sqlite``: what jailed programs were refused."""
        return self.state + "/audit.sqlite"

    @property
    def tmp_link(self) -> str:
        """``…/.venvjail/tmp``: a symlink to the venv's ``/tmp/dirjail-XXXXXX``."""
        return self.state + "/tmp"

    @property
    def run(self) -> str:
        """``…/.venvjail/run``: socket, lock and log of the running jail (mode 0700)."""
        return self.state + "/run"


def encode(path: str) -> bytes:
    """The bytes of a path whose undecodable parts are surrogate escapes (``os.fsencode``)."""
    return path.encode(sys.getfilesystemencoding(), "surrogateescape")
