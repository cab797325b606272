"""The seed on all other files: readable and executable as on the host, never writable."""

import os
from collections.abc import Iterable
from pathlib import Path

from tests.support.attempts import DONE, all_end, in_jail, on_host
from tests.support.home import SECRET
from tests.support.jail import JailedVenv


def differing(jail: JailedVenv, operation: str, paths: Iterable[str]) -> dict[str, str]:
    """How an operation ends in the jail, for those paths where it ends otherwise on the host."""
    host = on_host(jail.home, operation, paths)
    assert DONE in host.values()
    inside = in_jail(jail, operation, paths)
    return {path: result for path, result in inside.items() if result != host[path]}


def files_below(*directories: str) -> list[str]:
    return [
        os.path.join(directory, name)
        for top in directories
        for directory, _, names in os.walk(top)
        for name in names
    ]


def test_other_files_are_readable(jail: JailedVenv) -> None:
    """All other files that you can normally read ... are also readable ... in the jail."""
    files = files_below("/etc", "/usr/lib/python3", "/usr/share/doc", "/boot")
    assert differing(jail, "read", sorted(files)[:4000]) == {}
    digest = ["sh", "-c", "sha256sum /etc/passwd /etc/os-release /usr/bin/env /lib/ld-linux* || :"]
    assert jail.check(digest) == jail.home.check(digest) != ""


def test_unreadable_files_stay_so(jail: JailedVenv) -> None:
    """All other files that you can **normally** read: the jail gives no rights."""
    names = ["/etc/shadow", "/etc/gshadow"]
    assert all_end(on_host(jail.home, "read", names), "EACCES")
    assert all_end(in_jail(jail, "read", names), "EACCES")


def test_other_files_are_executable(jail: JailedVenv) -> None:
    """All other files that you can normally ... execute are also ... executable in the jail."""
    names = sorted(entry.path for entry in os.scandir("/usr/bin") if os.access(entry.path, os.X_OK))
    script = 'for name; do [ -x "$name" ] || echo "$name"; done'
    assert jail.check(["sh", "-c", script, "sh", *names]) == ""
    for command in (["git", "--version"], ["tar", "--version"], ["uname", "-a"], ["ls", "/usr"]):
        assert jail.check(command) == jail.home.check(command) != ""


def test_own_files_elsewhere_are_readable_not_writable(jail: JailedVenv, outside: Path) -> None:
    """... (but not writable)."""
    (outside / "script").write_text("#!/bin/sh\necho executed\n", encoding="utf-8")
    (outside / "script").chmod(0o755)
    assert jail.check([outside / "script"]) == "executed\n"
    for operation in ("read", "write", "truncate", "chmod", "rename"):
        expected = DONE if operation == "read" else "EROFS"
        assert all_end(on_host(jail.home, operation, [outside / "script"]), DONE)
        assert all_end(in_jail(jail, operation, [outside / "script"]), expected)


def test_rest_is_adjusted_by_the_users_config(own_jail: JailedVenv, outside: Path) -> None:
    """This can also be adjusted via the `~/.dirjailconfig` file."""
    for name in ("hidden", "scratch", "plain"):
        (outside / name).mkdir()
        (outside / name / "file").write_text(SECRET, encoding="utf-8")
    (outside / "alone").write_text(SECRET, encoding="utf-8")
    files = [outside / name / "file" for name in ("hidden", "scratch", "plain")]
    # The control: without a config all can be read and none written.
    assert all_end(in_jail(own_jail, "read", files), DONE)
    assert all_end(in_jail(own_jail, "write", files), "EROFS")
    own_jail.home.write(
        ".dirjailconfig",
        f'[filesystem]\nhide = ["{outside}/hidden", "{outside}/alone"]\n'
        f'writable = ["{outside}/scratch"]\n',
    )
    own_jail.stop()
    reads = in_jail(own_jail, "read", [*files, outside / "alone"])
    assert list(reads.values()) == ["EACCES", DONE, DONE, "EACCES"]
    assert list(in_jail(own_jail, "write", files).values()) == ["EACCES", DONE, "EROFS"]
    own_jail.check(["sh", "-c", 'echo new >"$1"', "sh", outside / "scratch/made"])
    assert (outside / "scratch/made").read_text() == "new\n"
    assert (outside / "hidden/file").read_text() == SECRET


def test_devices(jail: JailedVenv) -> None:
    """All other files: of the devices those that no program does without, and no disk."""
    assert in_jail(jail, "write", ["/dev/null"]) == {"/dev/null": DONE}
    assert jail.check(["head", "-c", "4", "/dev/zero"]) == "\0" * 4
    names = set(jail.check(["ls", "/dev"]).split())
    assert {"null", "zero", "random", "urandom", "tty", "pts", "shm", "stdin"} <= names
    assert not {name for name in names if name.startswith(("sd", "vd", "nvme", "loop", "mem"))}
