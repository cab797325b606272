"""The union, seen through the kernel by an ordinary program."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.layouts import SECRET, Layout
from tests.support.mounts import MountedView, poll

# Names and attributes are trusted for a second; the rest is for a busy machine.
SOON = 2.5


def test_a_program_sees_the_allowed_and_its_own(view: MountedView, layout: Layout) -> None:
    assert sorted(os.listdir(view.home)) == [
        ".bashrc",
        ".config",
        ".local",
        ".profile",
        ".pyenv",
        "proj",
    ]
    assert (view.home / ".bashrc").read_text() == (layout.host / ".bashrc").read_text()
    assert (view.home / ".profile").read_text() == "umask 022\n"
    (view.home / "mine").write_text("mine")
    assert (layout.store / "mine").read_text() == "mine"
    assert "mine" in os.listdir(view.home)


def test_the_secret_is_nowhere_in_the_view_but_on_the_host(
    view: MountedView, layout: Layout
) -> None:
    def greps(root: Path) -> list[str]:
        command = ["grep", "-rlF", "--devices=skip", SECRET, str(root)]
        return subprocess.run(command, capture_output=True, text=True).stdout.split()

    assert greps(view.home) == []
    assert len(greps(layout.host)) >= 4


REFUSALS: dict[str, tuple[int, Callable[[Path], object]]] = {
    "read the hidden": (errno.ENOENT, lambda h: (h / ".ssh/id_rsa").read_bytes()),
    "climb to the hidden": (errno.ENOENT, lambda h: os.stat(h / ".config/../.ssh")),
    "list the hidden": (errno.ENOENT, lambda h: os.listdir(h / "docs")),
    "write": (errno.EROFS, lambda h: (h / ".bashrc").write_text("x")),
    "append": (errno.EROFS, lambda h: (h / ".bashrc").open("a")),
    "truncate": (errno.EROFS, lambda h: os.truncate(h / ".bashrc", 0)),
    "chmod": (errno.EROFS, lambda h: (h / ".bashrc").chmod(0o777)),
    "utime": (errno.EROFS, lambda h: os.utime(h / ".bashrc")),
    "utime of the home": (errno.EROFS, lambda h: os.utime(h)),
    "unlink": (errno.EROFS, lambda h: (h / ".bashrc").unlink()),
    "rename": (errno.EROFS, lambda h: (h / ".bashrc").rename(h / "x")),
    "link": (errno.EROFS, lambda h: os.link(h / ".bashrc", h / "x")),
    "set an attribute": (errno.EROFS, lambda h: os.setxattr(h / ".bashrc", "user.x", b"")),
    "exclusive create": (errno.EEXIST, lambda h: (h / ".bashrc").open("x")),
    "link over": (errno.EEXIST, lambda h: os.link(h / "mine", h / ".bashrc")),
    "rename over": (errno.EROFS, lambda h: (h / "mine").rename(h / ".bashrc")),
    "move a merged directory": (errno.EXDEV, lambda h: (h / ".config").rename(h / "x")),
    "remove a merged directory": (errno.EROFS, lambda h: (h / ".local/bin").rmdir()),
    "create in a read-only one": (errno.EROFS, lambda h: (h / ".pyenv/x").touch()),
    "create at a mount point": (errno.EROFS, lambda h: (h / "proj/x").touch()),
    "set-user-ID": (errno.EPERM, lambda h: (h / "mine").chmod(0o4755)),
    "device": (errno.EPERM, lambda h: os.mknod(h / "x", stat.S_IFCHR | 0o600, 0)),
    "denied proc": (errno.EACCES, lambda h: (h.parent / "proc/kallsyms").read_bytes()),
    "denied proc directory": (errno.EACCES, lambda h: os.listdir(h.parent / "proc/bus")),
    "hidden sysctl": (
        errno.ENOENT,
        lambda h: (h.parent / "proc/sys/kernel/core_pattern").read_bytes(),
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals_reach_the_program(view: MountedView, layout: Layout, what: str) -> None:
    (view.home / "mine").write_text("mine")
    number, attempt = REFUSALS[what]
    with pytest.raises(OSError) as caught:
        attempt(view.home)
    assert caught.value.errno == number
    assert (layout.host / ".bashrc").read_text() == "alias ll='ls -l'\n"


def test_mv_copies_a_merged_directory_and_leaves_the_hosts(view: MountedView) -> None:
    command = ["mv", ".config/fish", "fish"]
    moved = subprocess.run(command, cwd=view.home, capture_output=True, text=True)
    assert moved.returncode != 0
    assert "Read-only file system" in moved.stderr
    assert (view.home / "fish/config.fish").read_text() == "set -x A 1\n"
    assert (view.home / ".config/fish/config.fish").exists()


def test_a_hard_linked_or_renamed_read_only_file_cannot_be_written(
    view: MountedView, layout: Layout
) -> None:
    for make in (os.link, os.rename, os.replace):
        with pytest.raises(OSError, match="Read-only"):
            make(view.home / ".bashrc", view.home / "alias")
    shutil.copy(view.home / ".bashrc", view.home / "copy")
    (view.home / "copy").write_text("changed")
    assert (layout.host / ".bashrc").read_text() == "alias ll='ls -l'\n"


def test_a_replaced_host_file_is_seen_soon(view: MountedView, layout: Layout) -> None:
    shown = view.home / ".bashrc"
    shown.read_text()
    (layout.host / ".new").write_text("new\n")
    (layout.host / ".new").rename(layout.host / ".bashrc")
    poll(lambda: shown.read_text() == "new\n", "the new content", SOON)
    with (layout.host / ".bashrc").open("a") as file:
        file.write("more\n")
    poll(lambda: shown.read_text() == "new\nmore\n", "what was appended", SOON)


def test_a_replaced_host_file_is_opened_at_once(view: MountedView, layout: Layout) -> None:
    shown = view.home / ".bashrc"
    shown.read_text()  # from here on the kernel trusts the name for a moment
    (layout.host / ".new").write_text("new\n")
    (layout.host / ".new").rename(layout.host / ".bashrc")
    assert shown.read_text() == "new\n"


def test_what_is_written_where_the_host_removed_a_file_is_kept(
    view: MountedView, layout: Layout
) -> None:
    for number in range(20):
        (view.home / "file").write_text("before")
        (layout.store / "file").unlink()
        (view.home / "file").write_text(str(number))
        assert (layout.store / "file").read_text() == str(number)


def test_an_allowed_file_appears_soon(view: MountedView, layout: Layout) -> None:
    assert not (view.home / "later").exists()
    (layout.host / "later").write_text("now")
    poll((view.home / "later").exists, "the allowed file", SOON)
    assert (view.home / "later").read_text() == "now"


def test_hidden_lookups_reach_the_observer(view: MountedView) -> None:
    assert not (view.home / ".ssh/id_rsa").exists()
    [event] = view.events("lookup")
    assert event["path"] == "home/.ssh"
    assert event["verdict"] == "hidden"
    assert event["pid"] == os.getpid()
    assert event["exists"] is True


def test_proc_passes_what_is_allowed(view: MountedView) -> None:
    assert (view.proc / "version").read_bytes() == Path("/proc/version").read_bytes()
    assert "processor" in (view.proc / "cpuinfo").read_text()
    boot_id = "sys/kernel/random/boot_id"
    assert (view.proc / boot_id).read_text() == Path("/proc", boot_id).read_text()
    assert os.readlink(view.proc / "mounts") == "self/mounts"
    assert not (view.proc / "self").exists()
    assert not (view.proc / str(os.getpid())).exists()


def test_a_directory_that_can_be_read_and_not_searched(view: MountedView, tmp_path: Path) -> None:
    def listed_and_searched(top: Path) -> tuple[list[str], int]:
        directory = top / "unsearchable"
        directory.mkdir(mode=0o600)
        with pytest.raises(PermissionError) as refused:
            (directory / "name").stat()
        return os.listdir(directory), refused.value.errno

    assert listed_and_searched(view.home) == listed_and_searched(tmp_path)


def test_a_directory_that_may_be_read_but_not_searched(view: MountedView, layout: Layout) -> None:
    """An error instead of an empty listing, by which ``rsync --delete`` would go."""
    directory = layout.host / ".config/fish"
    directory.chmod(0o400)
    with pytest.raises(PermissionError):
        os.listdir(view.home / ".config/fish")
    directory.chmod(0o700)
    poll(lambda: "config.fish" in _names(view.home / ".config/fish"), "it is listed again")


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except PermissionError:
        return []
