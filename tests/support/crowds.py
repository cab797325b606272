"""Many of everything: names, commands, inodes; and that what serves them does not grow.

Short in CI, long in the soak.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from tests.support.jail import JailedVenv
from tests.support.running import Figures, running

MEBIBYTE = 1 << 20

#: Lists a directory of the home in two ways, with a change between.
LIST = """
import os, sys
os.chdir(os.path.expanduser("~/many"))
names = os.listdir(".")
print(len(names), len(set(names)), os.path.exists(f"{int(sys.argv[1]) - 1:06}"), flush=True)
open("another", "w").write("x")
print(sum(1 for entry in os.scandir(".") if entry.is_file()))
"""

WALK = """
import os
print(sum(os.stat(os.path.join(top, name)).st_size == 0
          for top, _, names in os.walk(os.path.expanduser("~/tree")) for name in names))
"""


def list_many_names(jail: JailedVenv, count: int) -> None:
    """One directory of ``count`` names, made on the host, since what is asked is its listing."""
    make_files(jail.store / "many", count)
    output = jail.python(LIST, str(count), timeout=110)
    assert output.split() == [str(count), str(count), "True", str(count + 1)]


def make_files(directory: Path, count: int) -> None:
    """Empty files in a new directory, by the numbers of six digits."""
    directory.mkdir(parents=True)
    fd = os.open(directory, os.O_PATH)
    for number in range(count):
        os.mknod(f"{number:06}", dir_fd=fd)
    os.close(fd)


class Taken(NamedTuple):
    """What a running jail takes of the machine; ``memory`` and ``bytes`` in bytes."""

    descriptors: int
    threads: int
    zombies: int
    processes: int
    files: tuple[str, ...]
    tmp: Path
    bytes: int
    memory: int

    def check_against(self, before: Taken) -> None:
        """Fail where it is more than ``before``, or anything still runs."""
        assert self.descriptors <= before.descriptors
        assert self.threads <= before.threads
        assert (self.processes, self.zombies) == (0, 0)
        assert (self.files, self.tmp) == (before.files, before.tmp)
        assert self.memory < before.memory + 2 * MEBIBYTE
        assert self.bytes < before.bytes + MEBIBYTE


def _fewest_descriptors(figures: Figures) -> int:
    """Of half a second: a connection that ended just now, ours among them, may be open yet."""
    found = [figures.descriptors]
    for _ in range(10):
        time.sleep(0.05)
        found.append(figures.descriptors)
    return min(found)


def taken(jail: JailedVenv) -> Taken:
    """By the supervisor, init and what is in the state directory and in ``/tmp`` of the host."""
    figures = Figures(jail)
    files = sorted(path for path in jail.state.rglob("*") if path.is_file())
    return Taken(
        descriptors=_fewest_descriptors(figures),
        threads=figures.threads,
        zombies=_zombies(jail),
        processes=running(jail).processes,
        files=tuple(str(path.relative_to(jail.state)) for path in files),
        tmp=jail.tmp,  # one for each venv: no other is made while it stays the same
        bytes=sum(path.stat().st_size for path in files),
        memory=figures.memory,
    )


def run_commands(jail: JailedVenv, count: int) -> tuple[Taken, Taken]:
    """``count`` commands one after the other; what was taken after the first tenth, and after all.

    Each looks for something hidden, fails, and makes and removes a file.
    """
    code = (
        "import os; home = os.path.expanduser('~'); os.path.exists(home + '/.ssh'); "
        "open(home + '/x', 'w').write('x'); os.unlink(home + '/x'); raise SystemExit(3)"
    )
    first = None
    for number in range(count):
        done = jail.home.run([jail.bin / "python", "-IS", "-c", code])
        assert done.returncode == 3
        if number == count // 10:
            first = taken(jail)
    assert first is not None
    return first, taken(jail)


def walk(jail: JailedVenv, directories: int, files: int, times: int) -> list[Taken]:
    """Walk through a tree, several times; what was taken after each."""
    for number in range(directories):
        make_files(jail.store / f"tree/{number}", files)
    found = []
    for _ in range(times):
        assert int(jail.python(WALK, timeout=600)) == directories * files
        found.append(taken(jail))
    return found


def _zombies(jail: JailedVenv) -> int:
    """Processes that supervisor or init should have waited for."""
    status = running(jail)
    found = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{name}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # proc_pid_stat(5): the name is in parentheses and may hold some; then state and parent.
        state, parent = text.rpartition(")")[2].split()[:2]
        found += state == "Z" and int(parent) in (status.supervisor, status.init)
    return found
