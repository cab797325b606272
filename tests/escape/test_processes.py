"""Other processes as a way out: ESCAPES 12, 15 and 19."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.home import SECRET, FakeHome
from tests.support.jail import JailedVenv
from tests.support.mounts import poll
from tests.support.processes import Process
from tests.support.requirements import require
from tests.support.wall_off import RULESET, WallOff
from venvjail.commands.processes import processes

SYSTEM_PYTHON = "/usr/bin/python3"

#: Tries, until its stdin ends, what /proc offers on every other process; prints what has worked at
#: least once, and how many processes there were, as JSON.  ``mem`` takes the rights of ptrace(2).
#: Its arguments are a file that only the host's root shows, and what is secret in an environment.
PROWL = """
import ctypes, json, os, select, sys
host, secret = sys.argv[1], os.fsencode(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)

def read(path, size=65536):
    with open(path, "rb", buffering=0) as file:
        return file.read(size)

def memory(pid):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        file.seek(int(read(f"/proc/{pid}/maps").split(b"-")[0], 16))
        file.read(1)

def environ(pid):
    if secret in read(f"/proc/{pid}/environ"):
        found.add("the secret")

DOORS = {
    "root": lambda pid: os.listdir(f"/proc/{pid}/root"),
    "root of the host": lambda pid: read(f"/proc/{pid}/root{host}"),
    "cwd": lambda pid: os.listdir(f"/proc/{pid}/cwd"),
    # Not the directory: whoever has the uid may list the numbers.
    "fd": lambda pid: os.readlink(f"/proc/{pid}/fd/0"),
    "environ": environ,
    "exe": lambda pid: os.readlink(f"/proc/{pid}/exe"),
    "exe to write": lambda pid: os.close(os.open(f"/proc/{pid}/exe", os.O_WRONLY)),
    "mem": memory,
    "map_files": lambda pid: os.listdir(f"/proc/{pid}/map_files")[0],  # [] of one that has ended
    "ns": lambda pid: os.readlink(f"/proc/{pid}/ns/user"),
    "pidfd_getfd": lambda pid: os.close(libc_fd(pid)),
}

def libc_fd(pid):
    pidfd = os.pidfd_open(pid)
    try:
        fd = libc.syscall(438, pidfd, 0, 0)
    finally:
        os.close(pidfd)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return fd

found, seen = set(), set()
print("ready", flush=True)
while True:
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        if pid == os.getpid():
            continue
        seen.add(pid)
        for name, door in DOORS.items():
            try:
                door(pid)
            except (OSError, ValueError, IndexError):
                continue
            found.add(name + " of init" if pid == 1 else name)
    if select.select([0], [], [], 0)[0]:
        break
print(json.dumps([sorted(found), len(seen)]))
"""


@contextmanager
def prowling(python: str | Path, home: FakeHome) -> Iterator[list[object]]:
    """What was found by the end of the context, and among how many processes."""
    found: list[object] = []
    with subprocess.Popen(
        [python, "-c", PROWL, f"{home.root}/.ssh/id_rsa", SECRET],
        env=home.env,
        cwd=home.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as prowler:
        assert prowler.stdout is not None
        assert prowler.stdout.readline() == "ready\n"
        yield found
        found += json.loads(prowler.communicate("\n", timeout=30)[0])


def start_many(python: str | Path, home: FakeHome) -> None:
    """Commands that start while somebody looks, with a secret in their caller's environment."""
    code = "import os; print('GITHUB_TOKEN' in os.environ)"
    for _ in range(25):
        home.check([python, "-c", code], env={"GITHUB_TOKEN": SECRET})


class TestDoorsOfProc:
    def test_init_entries_about_to_exec_and_other_commands(self, jail: JailedVenv) -> None:
        with prowling(jail.bin / "python", jail.home) as found:
            start_many(jail.bin / "python", jail.home)
        doors, count = found
        assert isinstance(count, int)
        assert count > 10  # init, and most of those commands, were there to be seen
        assert doors == []

    def test_control_on_the_host(self, shared_home: FakeHome) -> None:
        with subprocess.Popen(
            ["/bin/sleep", "60"], env={"GITHUB_TOKEN": SECRET}, cwd=shared_home.root
        ) as bystander:
            with prowling(SYSTEM_PYTHON, shared_home) as found:
                pass  # it looks at every process once at least
            bystander.kill()
        doors, _ = found
        assert isinstance(doors, list)
        assert {"root of the host", "cwd", "fd", "environ", "the secret", "mem"} <= {*doors}

    def test_control_without_landlock(self, jail: JailedVenv) -> None:
        """Then commands trace each other once they run, but neither init nor one that joins.

        Nothing of the host is found even then.
        """
        jail.python("pass")
        with WallOff(jail, RULESET), prowling(jail.bin / "python", jail.home) as found:
            start_many(jail.bin / "python", jail.home)
        doors, _ = found
        assert isinstance(doors, list)
        assert {"environ", "cwd", "fd", "exe"} <= {*doors}
        assert not {"the secret", "root of the host", "exe to write"} & {*doors}
        assert [door for door in doors if door.endswith("of init")] == []


def capabilities(pid: int) -> set[int]:
    """The sets of a process by which it can do something, now or after exec; capabilities(7)."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        words = dict(line.split(":", 1) for line in file)
    return {int(words[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}


def test_nobody_in_the_jail_has_capabilities(jail: JailedVenv) -> None:
    """Nor the entry, which lives on in the jail's user and mount namespaces."""
    with subprocess.Popen(
        [jail.bin / "python", "-c", "print(flush=True); input()"],
        env=jail.home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as entry:
        assert entry.stdout is not None
        entry.stdout.readline()
        status = jail.status
        assert status is not None
        found = {process.pid for process in processes(status.init, status.entries)}
        assert status.entries == [entry.pid]
        assert len(found) == 2, "init and the command"
        assert all(capabilities(pid) == {0} for pid in {*found, entry.pid})
        entry.communicate(b"\n", timeout=30)


def test_control_without_being_dropped_there_are_some(shared_home: FakeHome) -> None:
    argv = ["unshare", "--user", "--map-current-user", "--keep-caps", "grep", "CapEff"]
    assert int(shared_home.check([*argv, "/proc/self/status"]).split()[1], 16)


PTRACE = """
import ctypes, errno, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
def seize(pid):
    result = libc.ptrace(0x4206, pid, 0, 0)
    return "done" if result == 0 else errno.errorcode[ctypes.get_errno()]
child = os.fork()
if child == 0:
    signal.pause()
print(seize(child), seize(1))
os.kill(child, 9)
"""


def test_ptrace_on_init(jail: JailedVenv) -> None:
    """Its own child is the control: debuggers work in a jail."""
    assert jail.python(PTRACE) == "done EPERM"


SIGNAL_INIT = """
import os, signal
for number in sorted({*signal.valid_signals(), *range(1, 65)}):
    try:
        os.kill(1, number)
    except OSError as error:
        print(number, error.strerror)
print("sent")
"""


def test_signals_do_not_end_init(jail: JailedVenv) -> None:
    """Of one command, they would end all others with the jail."""
    jail.python("pass")
    before = jail.status
    with subprocess.Popen(
        [jail.bin / "python", "-c", "input()"],
        env=jail.home.env,
        stdin=subprocess.PIPE,
    ) as other:
        assert jail.python(SIGNAL_INIT) == "sent"
        assert jail.python("print('alive')") == "alive"
        other.communicate(b"\n", timeout=30)
        assert other.returncode == 0
    after = jail.status
    assert before is not None
    assert after is not None
    assert after.init == before.init


def test_control_signals_end_a_program(shared_home: FakeHome) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    assert shared_home.run([SYSTEM_PYTHON, "-c", code]).returncode == -signal.SIGINT


#: CVE-2019-5736: keeps a program's file by its running process, and writes once nothing runs it.
REWRITE = """
import errno, os, subprocess, sys
child = subprocess.Popen([sys.argv[1], "60"])
fd = os.open(f"/proc/{child.pid}/exe", os.O_RDONLY)
child.kill()
child.wait()
for path in (f"/proc/self/fd/{fd}", sys.argv[1]):
    try:
        os.write(os.open(path, os.O_WRONLY), b"#!/bin/sh\\n")
        print("done")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


def test_programs_of_the_host_cannot_be_rewritten(jail: JailedVenv, tmp_path: Path) -> None:
    """One that belongs to the user, as an interpreter of pyenv does."""
    require(not tmp_path.is_relative_to("/tmp"), "the tests' own directory is in /tmp")
    program = tmp_path / "sleep"
    shutil.copy("/bin/sleep", program)
    before = program.read_bytes()
    refused = {"EROFS", "EACCES"}
    assert {*jail.python(REWRITE, program).split()} <= refused
    assert program.read_bytes() == before
    assert jail.home.check([SYSTEM_PYTHON, "-c", REWRITE, program]).split() == ["done"] * 2


REWRITE_OWN = """
import errno, os
for path in ("/proc/self/exe", "/proc/1/exe", os.path.realpath("/proc/self/exe")):
    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDWR):
        try:
            os.open(path, flags)
            print("done")
        except OSError as error:
            print(errno.errorcode[error.errno])
"""


def test_the_interpreter_and_init_cannot_be_rewritten(jail: JailedVenv) -> None:
    assert {*jail.python(REWRITE_OWN).split()} <= {"EROFS", "EACCES", "ETXTBSY"}


#: Leaves a process that nothing of its session reaches, and that looks for the real home.
DAEMON = """
import os, signal, sys, time
home, note = sys.argv[1:]
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
null = os.open("/dev/null", os.O_RDWR)
for fd in (0, 1, 2):
    os.dup2(null, fd)
open(note, "w").write("ready")
while True:
    try:
        if ".ssh" in os.listdir(home):
            open(note, "w").write("the real home")
    except OSError:
        pass
"""


def test_a_daemon_does_not_outlive_the_supervisor(jail: JailedVenv) -> None:
    note = jail.home.project / "note"
    jail.python(DAEMON, jail.home.root, note)
    poll(
        lambda: note.exists() and note.read_text() == "ready",
        "the daemon goes on without its command",
    )
    status = jail.status
    assert status is not None
    assert status.processes >= 1
    with subprocess.Popen(["pgrep", "-f", f"{note}$"], stdout=subprocess.PIPE, text=True) as found:
        assert found.stdout is not None
        daemon = Process(int(found.stdout.read().split()[-1]))
    assert note.read_text() == "ready"
    os.kill(status.supervisor, signal.SIGKILL)
    assert daemon.ended(time.monotonic() + 10)
    daemon.close()
    assert note.read_text() == "ready"
    assert ".ssh" in os.listdir(jail.home.root)
