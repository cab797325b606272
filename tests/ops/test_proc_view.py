"""The view's proc: what is not for the jail is there, of the right type, and refuses to open."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from fusefs.events import Event, Verdict
from fusefs.proc import DEFAULT_PROC
from tests.support.clients import CONTEXT, Client

ENTRIES = sorted(
    name
    for name in os.listdir("/proc")
    if not name.isdigit() and name not in ("self", "thread-self")
)
DENIED = [name for name in ENTRIES if os.fsencode(name) not in DEFAULT_PROC and name != "sys"]


def test_the_host_has_entries_to_deny() -> None:
    assert {"kallsyms", "kmsg", "bus"} & set(DENIED)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_has_a_counterpart_of_its_type(client: Client, name: str) -> None:
    host = Path("/proc", name).lstat().st_mode
    shown = client.stat(f"proc/{name}").st_mode
    assert stat.S_IFMT(shown) == stat.S_IFMT(host)
    assert shown & 0o444 == 0o444
    assert stat.S_ISLNK(shown) or not shown & 0o222


@pytest.mark.parametrize("name", DENIED)
def test_denied_entries_cannot_be_opened_and_it_is_an_event(client: Client, name: str) -> None:
    inode = client.inode(f"proc/{name}")
    if stat.S_ISDIR(Path("/proc", name).lstat().st_mode):
        operation, handler = "opendir", client.operations.opendir(inode, CONTEXT)
    else:
        operation, handler = "open", client.operations.open(inode, os.O_RDONLY, CONTEXT)
    with pytest.raises(PermissionError):
        client.run(handler)
    path = b"proc/" + os.fsencode(name)
    assert client.events == [Event(operation, path, Verdict.DENIED, 4711, errno.EACCES, True)]


def test_nothing_below_a_denied_directory_can_be_looked_up(client: Client) -> None:
    bus = client.inode("proc/bus")
    with pytest.raises(PermissionError):
        client.lookup(bus, b"pci")


def test_allowed_entries_are_read_live_and_uncached(client: Client) -> None:
    assert client.read("proc/version") == Path("/proc/version").read_text()
    info = client.run(client.operations.open(client.inode("proc/uptime"), 0, CONTEXT))
    assert info.direct_io
    client.release(info.fh)


def test_only_what_can_be_read_is_listed(client: Client) -> None:
    expected = {name for name in ENTRIES if os.fsencode(name) in DEFAULT_PROC} | {"sys"}
    assert client.names("proc") == expected


@pytest.mark.parametrize("name", ["self", "thread-self", "1", "no-such"])
def test_processes_are_not_here(client: Client, name: str) -> None:
    assert not client.exists(f"proc/{name}")


def test_own_process_is_not_here(client: Client) -> None:
    assert not client.exists(f"proc/{os.getpid()}")


def test_links_are_kept(client: Client) -> None:
    assert client.readlink("proc/mounts") == "self/mounts"


def test_sysctls_are_filtered(client: Client) -> None:
    assert client.names("proc/sys") == {"crypto", "fs", "kernel", "net", "vm"} & set(
        os.listdir("/proc/sys")
    )
    release = Path("/proc/sys/kernel/osrelease").read_text()
    assert client.read("proc/sys/kernel/osrelease") == release
    assert "core_pattern" not in client.names("proc/sys/kernel")
    assert client.names("proc/sys/kernel/random") == set(os.listdir("/proc/sys/kernel/random"))


def test_an_unlisted_sysctl_does_not_exist_and_asking_is_an_event(client: Client) -> None:
    assert Path("/proc/sys/kernel/core_pattern").exists()
    assert not client.exists("proc/sys/kernel/core_pattern")
    assert not client.exists("proc/sys/kernel/no_such")
    assert [(event.path, event.verdict, event.exists) for event in client.events] == [
        (b"proc/sys/kernel/core_pattern", Verdict.HIDDEN, True),
        (b"proc/sys/kernel/no_such", Verdict.HIDDEN, False),
    ]


@pytest.mark.parametrize("path", ["proc/sys/kernel/hostname", "proc/uptime", "proc/kallsyms"])
def test_nothing_in_proc_can_be_written(client: Client, path: str) -> None:
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC):
        with pytest.raises(OSError) as caught:
            client.open(path, flags)
        assert caught.value.errno in (errno.EROFS, errno.EACCES)
    for change in ({"mode": 0o666}, {"size": 0}, {"mtime_ns": 1}):
        with pytest.raises(OSError, match="Read-only"):
            client.set(path, **change)
    with pytest.raises(OSError, match="Read-only"):
        client.create("proc/new")
    with pytest.raises(OSError, match="Read-only"):
        client.rename(path, "proc/new")
    with pytest.raises(OSError, match="Read-only"):
        client.unlink(path)


def test_proc_files_do_not_stay_open(client: Client) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for name in ENTRIES:
        client.stat(f"proc/{name}")
    client.names("proc/sys/kernel")
    assert len(os.listdir("/proc/self/fd")) == before
