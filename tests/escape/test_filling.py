"""Filling what the host side keeps: ESCAPES 23.

Memory, descriptors and disk of the supervisor stay bounded, and it goes on serving.
"""

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.running import Figures
from tests.support.waiting import eventually

MEBIBYTE = 1 << 20


@pytest.fixture
def supervisor(jail: JailedVenv) -> Iterator[Figures]:
    """That of the shared jail, which has to be the same and to serve after the test."""
    jail.python("pass")
    found = Figures(jail)
    memory = found.memory
    yield found
    home = jail.home.root
    jail.python("import os, sys; os.listdir(sys.argv[1])", home)
    assert Figures(jail).pid == found.pid
    assert found.memory < memory + 64 * MEBIBYTE


#: Begins to read a directory of many names again and again; prints whether listings are whole.
LISTINGS = """
import ctypes, os, sys
directory = os.path.expanduser("~/listed")
os.makedirs(directory)
names = {f"{number:05}" + "x" * 100 for number in range(3000)}
for name in names:
    os.close(os.open(f"{directory}/{name}", os.O_CREAT))
libc = ctypes.CDLL(None)
libc.opendir.restype = ctypes.c_void_p
libc.readdir.argtypes = [ctypes.c_void_p]
libc.readdir.restype = ctypes.c_void_p
held = [libc.opendir(os.fsencode(directory)) for _ in range(250)]
print(all(held) and all(map(libc.readdir, held)))
count = 1
while libc.readdir(held[0]):
    count += 1
print(count == len(names) + 2, set(os.listdir(directory)) == names)
"""


def test_listings_that_are_not_read_on(jail: JailedVenv, supervisor: Figures) -> None:
    before = supervisor.memory
    assert jail.python(LISTINGS).split() == ["True"] * 3
    assert supervisor.peak < before + 64 * MEBIBYTE


#: Makes commands with long names, or removes them.
COMMANDS = """
import os, sys
bin, number, makes = sys.argv[1], sys.argv[2], sys.argv[3] == "make"
for name in [f"{bin}/{number}{'x' * 200}{count}" for count in range(500)]:
    if makes:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o755))
    else:
        os.unlink(name)
"""


def test_the_log_does_not_have_the_jails_names(jail: JailedVenv, supervisor: Figures) -> None:
    log = Path(jail.paths.run) / "log"
    before = log.stat().st_size
    assert supervisor.pid
    for number in range(3):
        entry = jail.bin / f"{number}{'x' * 200}499"
        jail.python(COMMANDS, jail.bin, str(number), "make")
        eventually(entry.exists, "the host's venv/bin follows")
        jail.python(COMMANDS, jail.bin, str(number), "remove")
        eventually(lambda entry=entry: not entry.exists(), "the host's venv/bin follows")
    assert "entries added" in log.read_text(encoding="utf-8")
    assert log.stat().st_size < before + 2000


#: Makes files in a directory of the home and keeps each known to the kernel, and so to the server;
#: half of them stay open.
FILES = """
import os, sys
directory, count = os.path.expanduser("~/many"), int(sys.argv[1])
os.makedirs(directory)
held = []
for number in range(count):
    fd = os.open(f"{directory}/{number:05}", os.O_CREAT | os.O_WRONLY)
    if number % 8:
        os.close(fd)
    else:
        held.append(fd)
print(len(os.listdir(directory)), flush=True)
sys.stdin.readline()
print(sum(os.path.exists(f"{directory}/{number:05}") for number in range(count)), flush=True)
"""


def test_inodes_entries_and_open_files(jail: JailedVenv, supervisor: Figures) -> None:
    count = 3000
    assert jail.python(FILES, str(count), stdin="\n").split() == [str(count)] * 2
    _, most = resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE)
    assert supervisor.descriptors < most
    assert len(os.listdir(jail.store / "many")) == count


#: Opens until it is refused, more than the server may hold; then opens one after closing all.
OPEN_ALL = """
import errno, os, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
path = os.path.expanduser("~/one")
open(path, "w").close()
held, refusal = [], None
while len(held) < 3000:
    try:
        held.append(os.open(path, os.O_RDONLY))
    except OSError as error:
        refusal = errno.errorcode[error.errno]
        break
print(refusal, flush=True)
for fd in held:
    os.close(fd)
open(path).close()
"""


def test_open_files_have_an_end(home: FakeHome) -> None:
    """With few descriptors for the server: it refuses, keeps some for itself, and goes on."""
    with JailedVenv(home) as venv:
        script = 'ulimit -n 600 && exec "$@"'
        home.check(["bash", "-c", script, "bash", venv.bin / "python", "-c", "pass"])
        supervisor = Figures(venv)
        assert resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE) == (600, 600)
        assert venv.python(OPEN_ALL) == "ENFILE"
        assert supervisor.descriptors < 600
        assert venv.python(OPEN_ALL) == "ENFILE"


NAMES = """
import errno, os
home = os.path.expanduser("~")

def outcome(path):
    try:
        open(path, "w").close()
        os.unlink(path)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

print(outcome(f"{home}/{'n' * 255}"), outcome(f"{home}/{'n' * 256}"))
print(outcome(home + "/." * 2050))
os.chdir(home)
depth = 0
while depth < 30:
    os.mkdir("d" * 250)
    os.chdir("d" * 250)
    depth += 1
print(outcome("deep"), len(os.getcwd()) if depth == 0 else depth)
try:
    print(len(os.getcwd()))
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_long_names_and_paths(jail: JailedVenv, supervisor: Figures) -> None:
    """A path of 7,500 bytes can be walked to, but no call can name it; path_resolution(7)."""
    assert supervisor.pid
    lines = jail.python(NAMES).splitlines()
    assert lines[:3] == ["done ENAMETOOLONG", "ENAMETOOLONG", "done 30"]
    # glibc finds what getcwd(2) cannot tell by walking up.
    assert lines[3] == "ENAMETOOLONG" or int(lines[3]) > 7500


#: Is refused more things than a log would hold, by names of its own choice where it can.
LOOK = """
import os, sys
home = os.path.expanduser("~")
os.makedirs(home + "/.ssh", exist_ok=True)
for number in range(int(sys.argv[1])):
    for path in (f"{home}/.ssh/{number:0200}", f"/proc/{number:0200}", f"/proc/sys/{number:0200}"):
        try:
            os.stat(path)
        except OSError:
            pass
    try:
        os.rename(home + "/.bashrc", f"{home}/{number:0200}")
    except OSError:
        pass
try:
    open(home + "/.aws/credentials")
except OSError as error:
    print(error.strerror)
"""


def test_endless_refusals(jail: JailedVenv, supervisor: Figures) -> None:
    before = supervisor.descriptors  # of other tests' files, closed when there are too many
    assert jail.python(LOOK, "3000", timeout=120) == "No such file or directory"
    log = jail.home.check([*VENVJAIL, "log", jail.env, "--json"])
    paths = [json.loads(line)["path"] for line in log.splitlines()]
    assert f"{jail.home.root}/.aws" in paths  # what comes after the flood is written as well
    size = sum(path.stat().st_size for path in jail.state.glob("audit.sqlite*"))
    assert size < 64 * MEBIBYTE
    assert supervisor.descriptors < before + 1000
