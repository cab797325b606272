"""Symlinks and swapped directories while the host side reads: ESCAPES 10.

The jail swaps, for seconds, directories for symlinks that lead to a secret, in the store, in the
project and among the commands, while the view is served and the host's commands run.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.home import SECRET, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

#: Swaps in three places until its deadline, reading through what it swaps; prints the secret if it
#: ever comes.  Relative targets are as good as absolute ones where a server follows them itself.
ATTACK = """
import ctypes, itertools, os, sys, time
home, bin, seconds, secret = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2
deadline = time.monotonic() + float(seconds)

def quietly(action, *arguments):
    try:
        return action(*arguments)
    except OSError:
        return None

def exchange(first, second):
    libc.renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE)

def read(path):
    with open(path, errors="replace") as file:
        return file.read(200)

def prepare(top):
    os.makedirs(f"{top}/swap/.ssh", exist_ok=True)
    for name in ("swap/id_rsa", "swap/.ssh/id_rsa"):
        with open(f"{top}/{name}", "w") as file:
            file.write("mine")
    quietly(os.symlink, f"{home}/.ssh", f"{top}/link")

def swap(top):
    prepare(top)
    while time.monotonic() < deadline:
        exchange(f"{top}/swap", f"{top}/link")
        quietly(os.rename, f"{top}/link", f"{top}/other")
        quietly(os.rename, f"{top}/other", f"{top}/link")

def look(top):
    while time.monotonic() < deadline:
        for name in ("swap/id_rsa", "link/id_rsa", "swap/.ssh/id_rsa", "link/.ssh/id_rsa"):
            if secret[::-1] in (quietly(read, f"{top}/{name}") or ""):
                print(secret[::-1], flush=True)
        quietly(os.listdir, f"{top}/swap")
        quietly(os.listdir, f"{top}/link")

def trick_bin():
    path = f"{bin}/evil"
    makers = (
        lambda: os.symlink(f"{home}/.ssh/id_rsa", path),
        lambda: os.mkfifo(path, 0o755),
        lambda: os.mkdir(path),
        lambda: os.symlink("activate-new-shell", path),
        lambda: os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o755)),
    )
    for make in itertools.cycle(makers):
        if time.monotonic() > deadline:
            return
        quietly(make)
        quietly(os.unlink, path)
        quietly(os.rmdir, path)

def trick_guards(top):
    while time.monotonic() < deadline:
        for name in (".envrc", ".git", "pyvenv.cfg"):
            os.makedirs(f"{top}/deep/er", exist_ok=True)
            quietly(os.symlink, f"{home}/.ssh", f"{top}/deep/er/{name}")
            quietly(os.unlink, f"{top}/deep/er/{name}")
        quietly(os.rename, f"{top}/deep", f"{top}/deeper")
        quietly(os.symlink, home, f"{top}/deep")
        quietly(os.unlink, f"{top}/deep")
        quietly(os.rename, f"{top}/deeper", f"{top}/deep")

os.umask(0o022)
project = os.getcwd()
workers = [(swap, home), (look, home), (swap, project), (look, project), (trick_guards, project)]
for work, *arguments in [*workers, (trick_bin,)]:
    if os.fork() == 0:
        try:
            work(*arguments)
        finally:
            os._exit(0)
print("ready", flush=True)
while quietly(os.wait):
    pass
print("end")
"""
SECONDS = 4
COMMANDS = (["log"], ["status"], ["config"], ["explain", "deep", "~/swap/id_rsa"])


@contextmanager
def attacking(venv: JailedVenv) -> Iterator["subprocess.Popen[str]"]:
    """The attack runs, has begun, and ends with the context or before."""
    words = [venv.home.root, venv.bin, str(SECONDS), SECRET[::-1]]
    with subprocess.Popen(
        [venv.bin / "python", "-c", ATTACK, *words],
        env=venv.home.env,
        cwd=venv.home.project,
        stdout=subprocess.PIPE,
        text=True,
    ) as attack:
        assert attack.stdout is not None
        assert attack.stdout.readline() == "ready\n"
        yield attack
        assert attack.stdout.read() == "end\n"
    assert attack.returncode == 0


def open_files(pid: int) -> set[str]:
    """What the descriptors of a process lead to."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
    return found


def read_naively(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def test_swapping(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        venv.python("pass")
        before = home.snapshot(without=home.project)
        entry = (venv.bin / "python").read_bytes()
        status = venv.status
        assert status is not None
        opened: set[str] = set()
        naive = ""
        with attacking(venv) as attack:
            while attack.poll() is None:
                opened |= open_files(status.supervisor)
                # The control: a server that opened by name would be led to the secret.
                for name in ("swap", "link") * (100 if SECRET in naive else 5000):
                    naive += read_naively(venv.store / name / "id_rsa")
                for words in COMMANDS:
                    printed = home.run([*VENVJAIL, words[0], venv.env, *words[1:]])
                    assert printed.returncode == 0, printed.stderr
                    assert SECRET not in printed.stdout + printed.stderr
                done = home.run([venv.bin / "python", "-c", "pass"])
                assert done.returncode == 0, done.stderr
                assert SECRET not in done.stderr
        assert SECRET in naive
        assert opened
        hidden = tuple(str(home.root / name) for name in (".ssh", ".aws", "docs"))
        assert [path for path in opened if path.startswith(hidden)] == []
        # It may have ended for a jail with newer guards, but not failed.
        assert "Traceback" not in Path(venv.paths.run, "log").read_text(errors="replace")
        assert home.snapshot(without=home.project) == before
        kept = [path for path in venv.bin.iterdir() if path.name != "activate-new-shell"]
        assert all(path.is_file() and not path.is_symlink() for path in kept)
        assert {path.read_bytes() for path in kept} == {entry}


#: Leaves symlinks where the next jail looks for directories, or would make and mount them.
PLANT = """
import os, sys
home, project, *targets = sys.argv[1:]
planted = []
for name in (".cache", ".cargo", ".local", ".npm", "src", "projects", ".ssh"):
    for target in targets:
        try:
            if os.path.lexists(f"{home}/{name}"):
                os.rename(f"{home}/{name}", f"{home}/{name}.old")
            os.symlink(target, f"{home}/{name}")
            planted.append(name)
            break
        except OSError:
            pass
for path in ("/tmp/.ssh", "/tmp/venvjail", f"{project}/.hg", f"{project}/.idea", "/dev/shm/x"):
    try:
        os.symlink(targets[0], path)
        planted.append(path)
    except OSError:
        pass
for path in (f"{project}/venv", f"{project}/venv/home", f"{project}/venv/bin"):
    try:
        os.rename(path, path + ".old")
        os.symlink(targets[0], path)
        planted.append(path)
    except OSError:
        pass
print(sorted(planted))
"""
FIND = """
import os, sys
for directory, below, names in os.walk(sys.argv[1], followlinks=True):
    for name in names:
        try:
            with open(os.path.join(directory, name), errors="replace") as file:
                if sys.argv[2][::-1] in file.read(4096):
                    print(os.path.join(directory, name))
        except OSError:
            pass
    if directory.count("/") > sys.argv[1].count("/") + 2:
        below.clear()
"""


@pytest.mark.parametrize("target", [".ssh", "."])
def test_symlinks_left_for_the_next_jail(home: FakeHome, target: str) -> None:
    """At the names of mount targets and of grafts; mounting must not follow, nor reading."""
    with JailedVenv(home) as venv:
        venv.python("import os; os.makedirs(os.path.expanduser('~/.cache/pip'))")
        venv.stop()
        goal = os.path.normpath(home.root / target)
        planted = venv.python(PLANT, home.root, home.project, goal)
        for name in (".cargo", ".local", ".npm"):
            assert repr(name) in planted
        assert repr(".cache") not in planted  # grafted, and so a mount point
        assert repr("src") not in planted  # a mount lies below it
        assert str(home.project) + "/venv" not in planted
        before = home.snapshot(without=home.project)
        for _ in range(2):
            venv.stop()
            assert venv.python(FIND, home.root, SECRET[::-1]) == ""
        assert home.snapshot(without=home.project) == before
        # The control: on the host the same symlinks lead to the secret.
        found = home.check(["/usr/bin/python3", "-c", FIND, venv.store / ".npm", SECRET[::-1]])
        assert "id_rsa" in found
