"""Ordinary programs' demands on a file system, met in the store."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from fusefs import layers
from tests.support.layouts import Layout
from tests.support.mounts import MountedView
from tests.support.requirements import require


@pytest.fixture
def home(view: MountedView) -> Path:
    """The mounted home."""
    return view.home


def test_sqlite_with_a_write_ahead_log(home: Path) -> None:
    for mode in ("wal", "delete"):
        with sqlite3.connect(home / f"{mode}.db") as one:
            assert one.execute(f"pragma journal_mode={mode}").fetchone() == (mode,)
            one.execute("create table t (n)")
            one.executemany("insert into t values (?)", [(n,) for n in range(1000)])
        two = sqlite3.connect(home / f"{mode}.db")
        assert two.execute("select count(*) from t").fetchone() == (1000,)
        one.close()
        two.close()


def test_git(home: Path, tmp_path: Path) -> None:
    require(shutil.which("git") is not None, "git is not installed")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        **{
            f"GIT_{who}_{what}": "a@b.c"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(home / "repo"), *arguments]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    (home / "repo").mkdir()
    git("init", "-q")
    (home / "repo/file").write_text("content\n")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    git("gc", "-q")
    assert git("status", "--porcelain") == ""
    assert git("show", "HEAD:file") == "content\n"
    git("clone", "-q", "--local", ".", "../clone")
    assert (home / "clone/file").read_text() == "content\n"


def test_copying_and_removing_a_tree(home: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(20):
        (source / f"d{number}").mkdir(parents=True)
        (source / f"d{number}/f").write_bytes(os.urandom(5000))
    (source / "link").symlink_to("d0/f")
    shutil.copytree(source, home / "copy", symlinks=True)
    subprocess.run(["diff", "-r", source, home / "copy"], check=True)
    assert os.readlink(home / "copy/link") == "d0/f"
    shutil.rmtree(home / "copy")
    assert not (home / "copy").exists()


def test_mmap_shared_and_private(home: Path) -> None:
    path = home / "mapped"
    path.write_bytes(b"\0" * 3 * mmap.PAGESIZE)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[mmap.PAGESIZE : mmap.PAGESIZE + 5] = b"hello"
        mapped.flush()
        file.seek(mmap.PAGESIZE)
        assert file.read(5) == b"hello"
    assert path.read_bytes()[mmap.PAGESIZE :][:5] == b"hello"


def test_a_program_can_be_written_and_run(home: Path) -> None:
    path = home / "program"
    path.write_text("#!/bin/sh\necho ran\n")
    path.chmod(0o755)
    assert subprocess.run([path], capture_output=True, text=True).stdout == "ran\n"


def test_appends_do_not_overwrite_each_other(home: Path) -> None:
    path = home / "log"
    with path.open("ab", buffering=0) as one, path.open("ab", buffering=0) as two:
        for _ in range(100):
            one.write(b"1")
            two.write(b"2")
    assert path.read_bytes() == b"12" * 100


def test_large_and_sparse_files(home: Path, layout: Layout) -> None:
    data = os.urandom(3 << 20)
    (home / "large").write_bytes(data)
    assert (home / "large").read_bytes() == data
    with (home / "sparse").open("wb") as file:
        file.seek(1 << 32)
        file.write(b"end")
    assert (home / "sparse").stat().st_size == (1 << 32) + 3
    assert (layout.store / "sparse").stat().st_blocks < 100
    os.truncate(home / "large", 10)
    assert (home / "large").read_bytes() == data[:10]
    with (home / "allocated").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 100_000)
    assert (home / "allocated").stat().st_size == 100_000


def test_hard_links(home: Path) -> None:
    (home / "a").write_text("x")
    os.link(home / "a", home / "b")
    assert (home / "a").samefile(home / "b")
    assert (home / "a").stat().st_nlink == 2
    (home / "b").write_text("y")
    assert (home / "a").read_text() == "y"
    (home / "a").unlink()
    assert (home / "b").read_text() == "y"


def test_an_open_file_outlives_its_name_and_its_directory(home: Path) -> None:
    (home / "d").mkdir()
    with (home / "d/f").open("w+") as file:
        file.write("data")
        file.flush()
        (home / "d/f").unlink()
        (home / "d").rmdir()
        file.seek(0)
        assert file.read() == "data"
        assert os.fstat(file.fileno()).st_nlink == 0
        os.fchmod(file.fileno(), 0o600)
        os.ftruncate(file.fileno(), 1)
        os.fsync(file.fileno())
        assert os.fstat(file.fileno()).st_size == 1


@pytest.mark.parametrize(
    "name", [b"n" * 255, b"\xff\xfe not utf-8", "ünï".encode(), b" ", b"new\nline", b"-rf"]
)
def test_unusual_names(home: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(home), name)
    with open(path, "wb") as file:
        file.write(name)
    assert name in os.listdir(os.fsencode(home))
    os.rename(path, path[:-1] + b"_")
    os.unlink(path[:-1] + b"_")
    with pytest.raises(OSError) as caught:
        os.stat(os.path.join(os.fsencode(home), b"n" * 256))
    assert caught.value.errno == errno.ENAMETOOLONG


def test_a_fifo_carries_data(home: Path) -> None:
    os.mkfifo(home / "fifo")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((home / "fifo").read_text()))
    reader.start()
    (home / "fifo").write_text("through")
    reader.join(10)
    assert read == ["through"]


def test_a_socket_can_be_bound_and_connected(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(home / "s"))
        server.listen(1)
        client.connect(str(home / "s"))
        connection, _ = server.accept()
        with connection:
            client.sendall(b"hi")
            assert connection.recv(2) == b"hi"
    assert stat.S_ISSOCK((home / "s").stat().st_mode)


def test_locks_exclude(home: Path) -> None:
    with (home / "lock").open("w") as one, (home / "lock").open("w") as two:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        program = (
            "import fcntl,sys\n"
            "try: fcntl.lockf(open(sys.argv[1],'w'), fcntl.LOCK_EX|fcntl.LOCK_NB)\n"
            "except BlockingIOError: print('excluded')"
        )
        command = ["python3", "-c", program, home / "lock"]
        assert subprocess.run(command, capture_output=True, text=True).stdout == "excluded\n"


def renameat2(old: Path, new: Path, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def test_rename_flags(home: Path) -> None:
    (home / "a").write_text("a")
    (home / "b").write_text("b")
    with pytest.raises(FileExistsError):
        renameat2(home / "a", home / "b", layers.RENAME_NOREPLACE)
    renameat2(home / "a", home / "b", layers.RENAME_EXCHANGE)
    assert ((home / "a").read_text(), (home / "b").read_text()) == ("b", "a")
    with pytest.raises(OSError) as caught:
        renameat2(home / "a", home / ".bashrc", layers.RENAME_EXCHANGE)
    assert caught.value.errno == errno.EROFS
    with pytest.raises(OSError) as caught:
        renameat2(home / "a", home / "c", 4)  # RENAME_WHITEOUT
    assert caught.value.errno in (errno.EINVAL, errno.EPERM)


def test_modes_and_times(home: Path) -> None:
    old = os.umask(0o027)
    try:
        (home / "f").touch()
        (home / "d").mkdir()
    finally:
        os.umask(old)
    assert stat.S_IMODE((home / "f").stat().st_mode) == 0o640
    assert stat.S_IMODE((home / "d").stat().st_mode) == 0o750
    os.utime(home / "f", ns=(10**18, 2 * 10**18 + 5))
    assert (home / "f").stat().st_mtime_ns == 2 * 10**18 + 5
    os.utime(home / "f")
    assert (home / "f").stat().st_mtime_ns > 2 * 10**18 - 10**18
    (home / "f").chmod(0o000)
    with pytest.raises(PermissionError):
        (home / "f").read_text()


def test_extended_attributes(home: Path) -> None:
    (home / "f").touch()
    os.setxattr(home / "f", "user.a", b"1", os.XATTR_CREATE)
    with pytest.raises(FileExistsError):
        os.setxattr(home / "f", "user.a", b"2", os.XATTR_CREATE)
    with pytest.raises(OSError) as caught:
        os.setxattr(home / "f", "user.b", b"2", os.XATTR_REPLACE)
    assert caught.value.errno == errno.ENODATA
    assert os.listxattr(home / "f") == ["user.a"]
    os.removexattr(home / "f", "user.a")
    assert os.listxattr(home / "f") == []


def test_statfs_is_the_stores(home: Path, layout: Layout) -> None:
    shown, host = os.statvfs(home), os.statvfs(layout.store)
    assert (shown.f_blocks, shown.f_namemax) == (host.f_blocks, host.f_namemax)


def test_syncing(home: Path) -> None:
    with (home / "f").open("w") as file:
        file.write("x")
        file.flush()
        os.fsync(file.fileno())
        os.fdatasync(file.fileno())
    for directory in (home, home / ".pyenv"):
        fd = os.open(directory, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def test_seeking_data_falls_back(home: Path) -> None:
    (home / "f").write_text("data")
    with (home / "f").open("rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 4


def test_copying_in_the_kernel(home: Path) -> None:
    (home / "a").write_text("data")
    with (home / "a").open("rb") as source, (home / "b").open("wb") as target:
        assert os.copy_file_range(source.fileno(), target.fileno(), 100) == 4
    assert (home / "b").read_text() == "data"
