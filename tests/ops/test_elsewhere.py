"""What is hidden with the home because it has a part of it."""

import os
import pwd
from pathlib import Path

from venvjail.planning.elsewhere import mailbox, snapshots


def test_snapshots_above_the_home_only(tmp_path: Path) -> None:
    top = Path(os.path.realpath(tmp_path))
    home = top / "home/alice"
    for name in (".zfs", "home/.snapshot", "home/alice/.snapshot", "beside/.snapshot"):
        (top / name).mkdir(parents=True)
    (top / "home/.snap").symlink_to(home)
    (top / "home/.snapshots").touch()
    found = [path for path in snapshots(str(home)) if path.startswith(f"{top}/")]
    assert found == [f"{top}/home/.snapshot", f"{top}/.zfs"]


def test_mailbox(tmp_path: Path) -> None:
    spool, linked = tmp_path / "spool", tmp_path / "mail"
    spool.mkdir()
    linked.symlink_to(spool)
    assert list(mailbox(str(linked))) == []
    own = spool / pwd.getpwuid(os.getuid()).pw_name
    own.touch()
    (spool / "somebody").touch()
    assert list(mailbox(str(linked))) == [os.path.realpath(own)]
