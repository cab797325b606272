"""Supervisor (host): what of the user's privacy is outside of the home, and hidden with it."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator

#: Directories in which file systems and their servers keep former states of the one that they are
#: in, readable as that was: ZFS, NetApp and Isilon, snapper, Ceph, Gluster, Synology.  Some are in
#: no listing.
_SNAPSHOTS = (".zfs", ".snapshot", "~snapshot", ".snapshots", ".snap", ".snaps", "#snapshot")


def snapshots(home: str) -> Iterator[str]:
    """Those of the directories above ``home``, which hold it as it was; a real path."""
    directory = home
    while directory != "/":
        directory = os.path.dirname(directory)
        for name in _SNAPSHOTS:
            path = os.path.join(directory, name)
            if _is_directory(path):
                yield path


def mailbox(directory: str = "/var/mail") -> Iterator[str]:
    """The account's mail on this machine."""
    path = os.path.join(os.path.realpath(directory), pwd.getpwuid(os.getuid()).pw_name)
    if os.path.lexists(path) and not os.path.islink(path):
        yield path


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
