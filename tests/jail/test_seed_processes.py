"""The seed on processes, ``/proc`` and ``/run/user/UID``, a sentence a test."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.attempts import DONE, all_end, in_jail, on_host
from tests.support.home import SECRET
from tests.support.jail import JailedVenv

# Prints its pid and waits for the end of its input.
WAITING = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
PIDS = "import os, json; print(json.dumps([int(n) for n in os.listdir('/proc') if n.isdigit()]))"


@contextmanager
def waiting(jail: JailedVenv, python: str | Path) -> Iterator[int]:
    """A process that waits for the end of the block; its pid as it sees it itself."""
    with subprocess.Popen(
        [python, "-c", WAITING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=jail.home.env,
        cwd=jail.home.project,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def test_processes_of_the_same_jail_are_seen(jail: JailedVenv) -> None:
    """The process can only see processes that are executed in the same jail: these it sees."""
    with waiting(jail, jail.bin / "python") as pid:
        assert pid in json.loads(jail.python(PIDS))
        assert all_end(in_jail(jail, "signal", [str(pid)]), DONE)
        assert WAITING in jail.check(["cat", f"/proc/{pid}/cmdline"])


def test_no_other_processes_are_seen(jail: JailedVenv) -> None:
    """The process can **only** see processes that are executed in the same jail."""
    with waiting(jail, sys.executable) as pid:
        assert pid in json.loads(jail.home.check(["/usr/bin/python3", "-c", PIDS]))
        assert all_end(on_host(jail.home, "signal", [str(pid)]), DONE)
        assert WAITING in jail.home.check(["cat", f"/proc/{pid}/cmdline"])
        # Init, and Python itself: pids are the jail's own, so a number proves nothing.
        assert len(json.loads(jail.python(PIDS))) == 2
        assert WAITING not in jail.check(["sh", "-c", "cat /proc/[0-9]*/cmdline"])


def test_ps_lists_the_jail(jail: JailedVenv) -> None:
    """The process can only see processes that are executed in the same jail: so says ps(1)."""
    with waiting(jail, sys.executable):
        command = ["ps", "-e", "-o", "comm="]
        assert "python" in " ".join(jail.home.check(command).split())
        assert len(jail.home.check(command).split()) > 3
        assert jail.check(command).splitlines() == ["venvjail: init", "ps"]


def test_two_venvs_do_not_see_each_other(jail: JailedVenv) -> None:
    """... in the **same** jail: another venv's processes, and its `/tmp`, are not seen."""
    with JailedVenv(jail.home, "other") as other:
        with waiting(jail, other.bin / "python"):
            assert WAITING in other.check(["sh", "-c", "cat /proc/[0-9]*/cmdline"])
            assert WAITING not in jail.check(["sh", "-c", "cat /proc/[0-9]*/cmdline"])
        other.check(["touch", "/tmp/of-the-other"])
        assert all_end(in_jail(other, "look", ["/tmp/of-the-other"]), DONE)
        assert all_end(in_jail(jail, "look", ["/tmp/of-the-other"]), "ENOENT")
        assert other.tmp != jail.tmp


def test_most_of_proc_is_not_readable(jail: JailedVenv) -> None:
    """Most files in `/proc` ... are not readable in `venvjail`."""
    files = [
        entry.path
        for entry in os.scandir("/proc")
        if entry.is_file(follow_symlinks=False) and not entry.name.isdigit()
    ]
    host = on_host(jail.home, "read", files)
    readable = [path for path in files if host[path] == DONE]
    inside = in_jail(jail, "read", readable)
    assert {"/proc/cmdline", "/proc/partitions"} <= set(readable)
    shown = {path for path, result in inside.items() if result == DONE}
    assert shown <= {
        f"/proc/{name}"
        for name in (
            "cpuinfo",
            "meminfo",
            "stat",
            "uptime",
            "loadavg",
            "version",
            "filesystems",
            "swaps",
            "vmstat",
        )
    }
    assert "/proc/cpuinfo" in shown
    assert all_end({p: r for p, r in inside.items() if p not in shown}, "EACCES")
    assert len(shown) < len(readable) / 2


def test_most_of_proc_sys_is_not_readable(jail: JailedVenv) -> None:
    """Most files in `/proc` ... are not readable: of `/proc/sys` neither."""
    files = [
        os.path.join(directory, name)
        for directory, _, names in os.walk("/proc/sys")
        for name in names
    ]
    host = on_host(jail.home, "read", files)
    readable = [path for path in files if host[path] == DONE]
    inside = list(in_jail(jail, "read", readable).values())
    assert inside.count(DONE) > 10
    assert inside.count(DONE) < len(readable) / 4


#: A mount namespace of the test's own, in which /run/user/UID is there whoever runs the test.
RUN_USER = """
set -e
mount -t tmpfs none /run
mkdir -p -m 700 /run/user/$(id -u)/keyring
echo {secret} >/run/user/$(id -u)/keyring/file
exec "$@"
"""


def test_nothing_in_run_user_is_readable(own_jail: JailedVenv) -> None:
    """... and all files in `/run/user/UID` are not readable in `venvjail`."""
    path = f"/run/user/{os.getuid()}"
    namespace = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "sh", "-c"]
    start = [*namespace, RUN_USER.format(secret=SECRET), "sh"]
    program = f"""
import os, sys
print([os.path.join(d, n) for d, _, names in os.walk({path!r}) for n in names])
open({path!r} + "/made", "w").close()
"""
    host = own_jail.home.check([*start, "/usr/bin/python3", "-c", program])
    assert host == f"['{path}/keyring/file']\n"
    assert own_jail.home.check([*start, own_jail.bin / "python", "-c", program]) == "[]\n"


def test_the_runtime_directory_is_not_readable_wherever_it_is(jail: JailedVenv) -> None:
    """... all files in `/run/user/UID`: a session may have its runtime directory elsewhere."""
    runtime = Path(jail.home.env["XDG_RUNTIME_DIR"])
    (runtime / "keyring").write_text(SECRET, encoding="utf-8")
    assert all_end(on_host(jail.home, "read", [runtime / "keyring"]), DONE)
    jail.stop()
    assert all_end(in_jail(jail, "read", [runtime / "keyring"]), "ENOENT")
    assert all_end(in_jail(jail, "create", [runtime / "of-the-jail"]), DONE)


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "cwd", "root", "fd"])
def test_init_shows_nothing(jail: JailedVenv, name: str) -> None:
    """Most files in `/proc` are not readable: of the jail's init none that tells anything."""
    operation = {"cwd": "enlist", "root": "enlist", "fd": "enlist"}.get(name, "read")
    own, init = f"/proc/self/{name}", f"/proc/1/{name}"
    if name != "mem":
        assert all_end(in_jail(jail, operation, [own]), DONE)
    assert all_end(in_jail(jail, operation, [init]), "EACCES", "EPERM")
