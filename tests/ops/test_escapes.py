"""What the jail can plant in the store must not lead the server out of its layers."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.clients import Client
from tests.support.layouts import SECRET, Layout

SECONDS = 1.0
ATTEMPTS = 200


def test_a_symlink_in_the_store_is_shown_and_never_followed(client: Client, layout: Layout) -> None:
    client.symlink(str(layout.host / ".ssh"), "home/link")
    assert client.readlink("home/link") == str(layout.host / ".ssh")
    link = client.inode("home/link")
    for name in (b"id_rsa", b"x"):
        with pytest.raises(OSError) as caught:
            client.lookup(link, name)
        assert caught.value.errno == errno.ENOTDIR
    with pytest.raises(PermissionError):
        client.open("home/link")
    with pytest.raises(OSError, match=r".*"):
        client.create("home/link/x")
    assert not (layout.host / ".ssh/x").exists()


def test_a_fifo_is_never_opened(client: Client, layout: Layout) -> None:
    client.mknod("home/fifo", stat.S_IFIFO | 0o600)
    with pytest.raises(PermissionError):
        client.open("home/fifo")
    client.unlink("home/fifo")
    os.mkfifo(layout.host / ".config/fish/fifo")
    with pytest.raises(PermissionError):
        client.open("home/.config/fish/fifo")


def test_a_directory_replaced_by_a_symlink_in_the_store_takes_no_names(
    client: Client, layout: Layout
) -> None:
    (layout.store / ".config").symlink_to(layout.host / ".ssh")
    with pytest.raises(OSError) as caught:
        client.write("home/.config/new", "x")
    assert caught.value.errno == errno.EROFS
    assert sorted(os.listdir(layout.host / ".ssh")) == ["id_rsa"]


def racing(swap: Callable[[], None], attempt: Callable[[], None]) -> None:
    """Run ``attempt`` for a second, and often enough, while another thread swaps without end."""
    stop = threading.Event()

    def swapper() -> None:
        while not stop.is_set():
            swap()

    thread = threading.Thread(target=swapper)
    thread.start()
    try:
        attempts, deadline = 0, time.monotonic() + SECONDS
        while attempts < ATTEMPTS or time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                attempt()
            attempts += 1
    finally:
        stop.set()
        thread.join()


def test_a_directory_swapped_for_a_symlink_while_reading(client: Client, layout: Layout) -> None:
    trap, real, link = (layout.store / name for name in ("trap", "real", "link"))
    real.mkdir()
    (real / "id_rsa").write_text("harmless")
    link.symlink_to(layout.host / ".ssh")
    seen = set()

    def swap() -> None:
        for source in (real, link):
            source.rename(trap)
            trap.rename(source)

    def attempt() -> None:
        seen.add(client.read("home/trap/id_rsa"))

    racing(swap, attempt)
    assert SECRET not in seen


def test_a_file_swapped_for_a_symlink_while_reading_and_writing(
    client: Client, layout: Layout
) -> None:
    trap, real, link = (layout.store / name for name in ("trap", "real", "link"))
    real.write_text("harmless")
    link.symlink_to(layout.host / ".ssh/id_rsa")
    seen = set()

    def swap() -> None:
        for source in (real, link):
            source.rename(trap)
            trap.rename(source)

    def attempt() -> None:
        seen.add(client.read("home/trap"))
        client.set("home/trap", size=3)
        client.write("home/trap", "overwritten")

    racing(swap, attempt)
    assert SECRET not in seen
    assert (layout.host / ".ssh/id_rsa").read_text() == SECRET


def test_a_merged_directory_swapped_in_the_store_while_creating(
    client: Client, layout: Layout
) -> None:
    trap, link = layout.store / ".config", layout.store / "link"
    link.symlink_to(layout.host / ".ssh")

    def swap() -> None:
        with contextlib.suppress(OSError):
            link.rename(trap)
            trap.rename(link)
        shutil.rmtree(layout.store / ".config", ignore_errors=True)

    def attempt() -> None:
        client.write("home/.config/new", "x")

    racing(swap, attempt)
    assert sorted(os.listdir(layout.host / ".ssh")) == ["id_rsa"]
    assert not (layout.host / ".config/new").exists()
