"""``venvjail mount-debug``: the jail's view looked at from outside."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.namespaces import HIDE_FUSERMOUNT, in_namespaces


class View:
    """A ``mount-debug`` in the foreground of a process, mounted."""

    def __init__(self, jail: JailedVenv, *words: str | Path) -> None:
        self.process = subprocess.Popen(
            [*VENVJAIL, "mount-debug", jail.env, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=jail.home.env,
            cwd=jail.home.project,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("the view is at "), line + self.process.communicate()[1]
        self.root = Path(line.removeprefix("the view is at ").partition(";")[0])
        self.home = self.root / "home"

    def end(self, number: int = signal.SIGINT) -> list[str]:
        """End it by a signal; the lines of its trace."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=20)
        assert (self.process.returncode, errors) == (0, "")
        assert not is_mounted(self.root)
        return output.splitlines()


@contextmanager
def mounted(jail: JailedVenv, *words: str | Path) -> Iterator[View]:
    view = View(jail, *words)
    try:
        yield view
    finally:
        if view.process.poll() is None:
            view.end()


def is_mounted(directory: Path) -> bool:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return any(line.split(" ")[1] == str(directory) for line in mounts)


def refused(jail: JailedVenv, *words: str | Path, prefix: Sequence[str] = ()) -> tuple[int, str]:
    done = jail.home.run([*prefix, *VENVJAIL, "mount-debug", jail.env, *words])
    assert done.stdout == ""
    assert done.stderr.startswith("venvjail: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr.removeprefix("venvjail: ").removesuffix("\n")


@pytest.fixture
def populated(jail: JailedVenv) -> JailedVenv:
    """The jail, with something of its own in its home."""
    jail.check(["sh", "-c", "mkdir -p ~/.config/tool/deep; echo x >~/.config/tool/deep/file"])
    return jail


@pytest.mark.parametrize("running", [True, False])
def test_the_same_names_as_in_the_jail(populated: JailedVenv, running: bool) -> None:
    home = populated.home.root
    for directory in ("", ".config", ".config/tool", ".config/tool/deep", "src"):
        inside = populated.check(["ls", "-A", home / directory])
        if not running:
            populated.stop()
        with mounted(populated) as view:
            outside = populated.home.check(["ls", "-A", view.home / directory])
            assert (populated.status is not None) is running
        assert outside == inside
    host = populated.home.check(["ls", "-A", home])
    assert {".ssh", ".aws", "docs"} <= set(host.split())


def test_the_same_content_as_in_the_jail(populated: JailedVenv) -> None:
    home = populated.home.root
    with mounted(populated) as view:
        for name in (".bashrc", ".profile", ".config/tool/deep/file"):
            inside = populated.check(["cat", home / name])
            assert (view.home / name).read_text(encoding="utf-8") == inside
        with pytest.raises(FileNotFoundError):
            (view.home / ".ssh/id_rsa").read_text(encoding="utf-8")


def test_the_same_files_of_proc_can_be_read(populated: JailedVenv) -> None:
    program = """
import os, sys
root = sys.argv[1]
for name in sorted(os.listdir(root)):
    path = f"{root}/{name}"
    if name.isdigit() or not os.path.isfile(path) or os.path.islink(path):
        continue
    try:
        open(path, "rb").close()
    except OSError:
        continue
    print(name)
"""
    inside = populated.python(program, "/proc").split()
    with mounted(populated) as view:
        names = populated.home.check(
            ["/usr/bin/python3", "-c", program, view.root / "proc"]
        ).split()
        with pytest.raises(PermissionError):
            (view.root / "proc/kallsyms").read_bytes()
    assert names == inside
    assert "cpuinfo" in names
    assert "kallsyms" not in names


def test_trace_prints_each_operation_and_its_verdict(populated: JailedVenv) -> None:
    with mounted(populated, "--trace") as view:
        assert not (view.home / ".ssh").exists()
        (view.home / ".bashrc").read_bytes()
        with pytest.raises(OSError):
            (view.home / ".bashrc").write_bytes(b"")
        (view.home / "new\x1b[2J").touch()
        trace = [line.split(None, 2) for line in view.end()]
    os.unlink(populated.store / "new\x1b[2J")
    assert ["lookup", "hidden", "home/.ssh"] in trace
    assert ["open", "allowed", "home/.bashrc"] in trace
    assert ["create", "redirected", "home/new\\x1b[2J"] in trace
    assert any(verdict == "read-only" for _, verdict, *_ in trace)


def test_without_trace_nothing_is_printed(populated: JailedVenv) -> None:
    with mounted(populated) as view:
        assert (view.home / ".bashrc").exists()
        assert view.end() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unmounts_and_the_fresh_directory_goes(jail: JailedVenv, number: int) -> None:
    view = View(jail)
    assert is_mounted(view.root)
    assert view.root.name.startswith("venvjail-view-")
    view.end(number)
    assert not view.root.exists()


def test_a_signal_while_the_view_is_in_use(jail: JailedVenv) -> None:
    view = View(jail)
    held = os.open(view.home, os.O_RDONLY)
    view.end(signal.SIGTERM)
    with pytest.raises(OSError):  # nothing of the home is left to be seen through it
        os.listdir(held)
    os.close(held)
    assert not view.root.exists()


def test_unmounted_by_somebody_else_it_ends(jail: JailedVenv) -> None:
    view = View(jail)
    jail.home.check(["fusermount3", "-u", view.root])
    _, errors = view.process.communicate(timeout=20)
    assert (view.process.returncode, errors) == (0, "")
    assert not view.root.exists()


def test_a_trace_that_nobody_reads_ends_it(jail: JailedVenv) -> None:
    view = View(jail, "--trace")
    assert view.process.stdout is not None
    view.process.stdout.close()
    with suppress(OSError):
        os.listdir(view.home)
    assert view.process.wait(20) == 0
    assert not is_mounted(view.root)
    assert view.process.stderr is not None
    assert view.process.stderr.read() == ""
    view.process.stderr.close()


def test_a_mountpoint_in_the_home(jail: JailedVenv) -> None:
    """The view does not look at itself: that would wait for its own answer for ever."""
    mountpoint = jail.home.project / "look"
    mountpoint.mkdir()
    with mounted(jail, "look") as view:
        assert view.root == mountpoint
        assert os.listdir(view.root) == ["home", "proc"]
        assert os.listdir(view.home / "src/proj") == []
        assert view.end() == []
    mountpoint.rmdir()


def test_a_busy_mountpoint(jail: JailedVenv) -> None:
    with mounted(jail) as view:
        assert refused(jail, view.root) == (
            2,
            f"{view.root}: something is mounted there already; "
            f"unmount it: fusermount3 -u {view.root}",
        )


def test_mountpoints_that_are_none(jail: JailedVenv, tmp_path: Path) -> None:
    missing = tmp_path / "not here"
    assert refused(jail, missing) == (2, f"{missing}: does not exist; make it: mkdir '{missing}'")
    file = tmp_path / "file"
    file.touch()
    assert refused(jail, file) == (2, f"{file}: is not a directory; name an empty one")
    assert refused(jail, tmp_path) == (2, f"{tmp_path}: is not empty; name an empty directory")


def test_a_mountpoint_of_somebody_else(jail: JailedVenv) -> None:
    """fusermount3's own reason is passed on; it wants write access to the mountpoint."""
    empty = next((d for d in ("/usr/local/games", "/mnt", "/srv") if not os.listdir(d)), None)
    assert empty is not None
    status, line = refused(jail, empty)
    assert status == 125
    assert line.startswith(f"cannot mount at {empty}: ")
    assert "write access" in line


def test_without_fusermount3(jail: JailedVenv) -> None:
    answer = refused(jail, prefix=in_namespaces(HIDE_FUSERMOUNT))
    assert answer == (125, "fusermount3 is missing; install it: apt install fuse3")


def test_a_bad_config_is_refused(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        path = home.write(".dirjailconfig", "[home]\nalow = []\n")
        status, line = refused(venv)
        assert status == 2
        assert line.startswith(f"{path}:2: ")
