"""``venv/bin`` on the host follows the real bin, whatever the jail has put there."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from venvjail import bins
from venvjail.bins import NEW_SHELL, Changes, EntrySync, entry_text, foreign_names, sync_entries
from venvjail.layout import VenvPaths

TEXT = entry_text("/usr/bin/python3", ["/root-of-venvjail"], "/v")
OLDER = entry_text("/usr/bin/python3", ["/another-root"], "/v")


@pytest.fixture
def paths(tmp_path: Path) -> VenvPaths:
    paths = VenvPaths(str(tmp_path / "venv"))
    os.makedirs(paths.bin)
    os.makedirs(paths.real_bin)
    return paths


def command(paths: VenvPaths, name: bytes | str) -> None:
    path = os.path.join(os.fsencode(paths.real_bin), os.fsencode(name))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "wb") as file:
        file.write(b"#!/bin/sh\n")


def on_host(paths: VenvPaths) -> set[str]:
    return set(os.listdir(paths.bin))


def test_each_command_has_an_entry(paths: VenvPaths) -> None:
    for name in ("python", "black", "with space", "caf\u00e9", "[", "x" * 255):
        command(paths, name)
    os.symlink("python", paths.real_bin + "/python3")
    os.symlink("/nowhere", paths.real_bin + "/dangling")
    changes = sync_entries(paths, TEXT)
    assert set(map(os.fsdecode, changes.added)) == on_host(paths)
    assert on_host(paths) == set(os.listdir(paths.real_bin))
    assert (changes.removed, changes.refused) == ((), 0)
    for name in on_host(paths):
        status = os.lstat(f"{paths.bin}/{name}")
        assert stat.S_ISREG(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == 0o755
        assert Path(paths.bin, name).read_bytes() == TEXT
    assert sync_entries(paths, TEXT) == Changes()


def test_the_umask_does_not_matter(paths: VenvPaths) -> None:
    command(paths, "black")
    former = os.umask(0o777)
    try:
        sync_entries(paths, TEXT)
    finally:
        os.umask(former)
    assert stat.S_IMODE(os.stat(paths.bin + "/black").st_mode) == 0o755


HOSTILE = [
    b"activate-new-shell",
    b"activate",
    b"activate.csh",
    b"Activate.ps1",
    b"ACTIVATE-NEW-SHELL",
    b"activate_this.py",
    b"--help",
    b"-c",
    b".hidden",
    b"new\nline",
    b"esc\x1b[2J",
    b"tab\t",
    b"del\x7f",
    b"not-utf8-\xff",
    "c1-\u009b2J".encode(),
    "override-\u202egpj".encode(),
    "zero-width-\u200b".encode(),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_gets_no_entry(paths: VenvPaths, name: bytes) -> None:
    own = Path(paths.bin, NEW_SHELL)
    own.write_text("own", encoding="utf-8")
    command(paths, name)
    command(paths, "control")
    changes = sync_entries(paths, TEXT)
    assert on_host(paths) == {"control", NEW_SHELL}
    assert own.read_text(encoding="utf-8") == "own"
    assert changes.refused == 1


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "fifo"])
def test_what_is_no_command_gets_no_entry(paths: VenvPaths, make: Callable[[str], None]) -> None:
    make(paths.real_bin + "/thing")
    sync_entries(paths, TEXT)
    assert on_host(paths) == set()


def test_a_file_of_the_users_own_is_kept(paths: VenvPaths, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched", encoding="utf-8")
    Path(paths.bin, "file").write_text("mine", encoding="utf-8")
    os.symlink(target, paths.bin + "/link")
    os.mkdir(paths.bin + "/directory")
    os.mkfifo(paths.bin + "/fifo")
    for name in ("file", "link", "directory", "fifo"):
        command(paths, name)
    changes = sync_entries(paths, TEXT)
    assert (changes.added, changes.refused) == ((), 4)
    assert foreign_names(paths) == [b"directory", b"fifo", b"file", b"link"]
    for name in ("file", "link", "directory", "fifo"):
        os.unlink(f"{paths.real_bin}/{name}")
    assert sync_entries(paths, TEXT).removed == ()
    assert on_host(paths) == {"file", "link", "directory", "fifo"}
    assert target.read_text(encoding="utf-8") == "untouched"


def test_a_link_to_an_entry_is_no_entry(paths: VenvPaths) -> None:
    for name in ("black", "alias"):
        command(paths, name)
    os.symlink("black", paths.bin + "/alias")
    assert sync_entries(paths, TEXT) == Changes(added=(b"black",), refused=1)
    assert os.path.islink(paths.bin + "/alias")


def test_entry_goes_with_its_command(paths: VenvPaths) -> None:
    for name in ("black", "blackd"):
        command(paths, name)
    sync_entries(paths, TEXT)
    os.unlink(paths.real_bin + "/blackd")
    assert sync_entries(paths, TEXT) == Changes(removed=(b"blackd",))
    assert on_host(paths) == {"black"}


def test_interpreter_and_pip_stay_though_the_jail_deletes_them(paths: VenvPaths) -> None:
    # Else the caller's PATH would lead on to the system's python, which is not jailed.
    names = {"python", "python3", "python3.11", "pip", "pip3", "pip3.11"}
    for name in names:
        command(paths, name)
    sync_entries(paths, TEXT)
    for name in names:
        os.unlink(f"{paths.real_bin}/{name}")
    sync_entries(paths, TEXT)
    assert on_host(paths) == names


def test_older_entries_are_renewed(paths: VenvPaths) -> None:
    command(paths, "black")
    sync_entries(paths, OLDER)
    assert sync_entries(paths, TEXT).added == (b"black",)
    assert Path(paths.bin, "black").read_bytes() == TEXT


def test_number_of_entries_is_bounded(paths: VenvPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bins, "MAX_ENTRIES", 10)
    monkeypatch.setattr(bins, "MAX_NAMES", 40)
    for number in range(8):
        command(paths, f"early{number}")
    sync_entries(paths, TEXT)
    for number in range(30):
        command(paths, f"a{number}")
    changes = sync_entries(paths, TEXT)
    assert len(on_host(paths)) == 10
    assert {f"early{number}" for number in range(8)} <= on_host(paths)
    assert changes.refused == 28
    # Names are left unread now, so none is known to be gone.
    for number in range(10):
        command(paths, f"more{number}")
    os.unlink(paths.real_bin + "/early0")
    assert sync_entries(paths, TEXT).removed == ()


@pytest.mark.parametrize("which", ["bin", "real_bin"])
def test_a_directory_that_is_a_link_is_refused(
    paths: VenvPaths, tmp_path: Path, which: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command(paths, "black")
    path = getattr(paths, which)
    os.rename(path, str(tmp_path / "moved"))
    os.symlink(elsewhere, path)
    with pytest.raises(OSError, match="Not a directory"):
        sync_entries(paths, TEXT)
    assert list(elsewhere.iterdir()) == []


def test_nothing_left_behind_in_bin(paths: VenvPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_keywords: object) -> None:
        raise OSError(28, "No space left on device")

    command(paths, "black")
    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        sync_entries(paths, TEXT)
    assert on_host(paths) == set()


class TestUnchanged:
    """EntrySync skips its work only where no change can have been missed."""

    @pytest.fixture
    def reads(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        reads: list[int] = []
        original = bins._read_commands

        def counted(directory: int) -> bins._Commands:
            reads.append(directory)
            return original(directory)

        monkeypatch.setattr(bins, "_read_commands", counted)
        return reads

    def test_fresh_change_is_not_trusted(self, paths: VenvPaths, reads: list[int]) -> None:
        # A second change within the clock's tick leaves the same ctime.
        sync = EntrySync(paths, TEXT)
        sync.sync()
        sync.sync()
        assert len(reads) == 2

    def test_settled_directories_are_not_read_again(
        self, paths: VenvPaths, reads: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bins, "_SETTLED_NS", 0)
        command(paths, "black")
        sync = EntrySync(paths, TEXT)
        assert sync.sync().added == (b"black",)
        sync.sync()  # the sync before has changed the host's directory itself
        assert (sync.sync(), len(reads)) == (Changes(), 2)
        command(paths, "blackd")
        assert sync.sync().added == (b"blackd",)
        os.unlink(paths.bin + "/black")
        assert sync.sync().added == (b"black",)

    def test_file_that_becomes_executable_later(
        self, paths: VenvPaths, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bins, "_SETTLED_NS", 0)
        path = Path(paths.real_bin, "late")
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        sync = EntrySync(paths, TEXT)
        assert sync.sync() == Changes()
        path.chmod(0o755)
        assert sync.sync().added == (b"late",)
