"""A network file system below the view that stops answering: a FUSE file system, and SIGSTOP."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fusefs.rules import Kind, Rule
from tests.support.layouts import RULES, Layout
from tests.support.mounts import PATIENCE, MountedView, poll

DEADLINE = 1.5
# Of the test that has several answers before it.
LATE = 5.0
# Far above what an answer takes on a busy machine.
AT_ONCE = 10.0


@pytest.fixture
def below(tmp_path: Path) -> Layout:
    """What the network file system has."""
    return Layout.make(tmp_path / "below")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A home with an empty directory to mount it on."""
    layout = Layout.make(tmp_path / "above")
    (layout.host / "net").mkdir()
    return layout


@contextlib.contextmanager
def mounted(
    layout: Layout, below: Layout, deadline: float = DEADLINE
) -> Iterator[tuple[MountedView, MountedView, Path]]:
    """The network file system, a view of a home where it is mounted, and its part of the view."""
    rules = [*RULES, Rule(b"net", Kind.ALLOW)]
    with (
        MountedView(below, mountpoint=layout.host / "net") as net,
        MountedView(layout, rules, deadline=deadline) as view,
    ):
        yield net, view, view.home / "net/home"


@contextlib.contextmanager
def store_on_network(layout: Layout, below: Layout) -> Iterator[tuple[MountedView, MountedView]]:
    """The network file system, and a view whose store it is."""
    with (
        MountedView(below) as net,
        MountedView(layout, store=net.home, deadline=DEADLINE) as view,
    ):
        yield net, view


def cat(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["cat", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def seconds(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def test_others_are_served_while_one_waits(layout: Layout, below: Layout) -> None:
    with mounted(layout, below, LATE) as (net, view, shown):
        assert (shown / ".bashrc").read_text() == (below.host / ".bashrc").read_text()
        with net.hung(), cat(shown / ".config/fish/config.fish") as waiting:
            poll(lambda: view.threads() > 1, "a thread that waits")
            assert seconds((view.home / ".bashrc").read_text) < AT_ONCE
            assert seconds(lambda: os.listdir(view.home / ".config")) < AT_ONCE
            assert seconds(lambda: (view.home / "new").write_text("x")) < AT_ONCE
            assert waiting.poll() is None
            assert waiting.wait(LATE + AT_ONCE) == 1
            assert waiting.stderr is not None
            assert b"timed out" in waiting.stderr.read()
        config = shown / ".config/fish/config.fish"
        poll(lambda: _text(config) == "set -x A 1\n", "reading goes on where it was")


def test_a_client_that_waits_can_be_killed(layout: Layout, below: Layout) -> None:
    with mounted(layout, below) as (net, view, shown):
        os.listdir(shown)
        with net.hung(), cat(shown / ".profile") as waiting:
            poll(lambda: view.threads() > 1, "a thread that waits")
            waiting.kill()
            assert waiting.wait(DEADLINE + AT_ONCE) == -signal.SIGKILL


ATTEMPTS: dict[str, Callable[[Path, int, int], object]] = {
    "look up": lambda shown, file, directory: os.stat("never-seen", dir_fd=directory),
    "list": lambda shown, file, directory: os.listdir(directory),
    "read": lambda shown, file, directory: os.pread(file, 10, 1 << 20),
    "attributes": lambda shown, file, directory: os.fstat(file),
    "open": lambda shown, file, directory: (shown / ".bashrc").read_text(),
    "extended attribute": lambda shown, file, directory: os.listxattr(file),
}


def test_every_operation_ends_and_goes_on_afterwards(layout: Layout, below: Layout) -> None:
    (below.store / "large").write_bytes(bytes(2 << 20))
    with mounted(layout, below) as (net, view, shown):
        file = os.open(shown / "large", os.O_RDONLY)
        directory = os.open(shown, os.O_RDONLY | os.O_DIRECTORY)
        time.sleep(1.0)  # what the kernel remembers of the attributes
        with net.hung():
            for attempt in ATTEMPTS.values():
                begin = time.monotonic()
                with pytest.raises(OSError) as caught:
                    attempt(shown, file, directory)
                assert caught.value.errno == errno.ETIMEDOUT
                assert time.monotonic() - begin < 2 * DEADLINE + AT_ONCE  # two requests, some
            assert (view.home / ".bashrc").exists()
        poll(lambda: _reads(file), "an open file can be read again")
        assert "large" in os.listdir(directory)
        os.close(file)
        os.close(directory)


def test_many_that_wait_take_few_threads_and_nothing_stays(layout: Layout, below: Layout) -> None:
    with mounted(layout, below) as (net, view, shown), ThreadPoolExecutor(60) as clients:
        file = os.open(shown / ".bashrc", os.O_RDONLY)
        os.listxattr(file)
        descriptors = view.open_descriptors()
        with net.hung():
            waiting = [clients.submit(os.listxattr, file) for _ in range(60)]
            poll(lambda: view.threads() > 4, "threads that wait")
            assert seconds((view.home / ".bashrc").read_text) < AT_ONCE
            errors = [client.exception(DEADLINE + 3 * AT_ONCE) for client in waiting]
            assert all(isinstance(error, TimeoutError) for error in errors)
            assert view.threads() < 16
        poll(lambda: _lists(file), "the file system is back")
        poll(lambda: view.open_descriptors() < descriptors + 8, "descriptors are given back")
        os.close(file)


def test_a_mount_that_comes_later_is_known(layout: Layout, below: Layout) -> None:
    rules = [*RULES, Rule(b"net", Kind.ALLOW)]
    with MountedView(layout, rules, deadline=DEADLINE) as view:
        assert os.listdir(view.home / "net") == []
        with MountedView(below, mountpoint=layout.host / "net") as net:
            poll(lambda: (view.home / "net/home/.bashrc").exists(), "the new mount")
            with net.hung(), cat(view.home / "net/home/.profile") as waiting:
                poll(lambda: view.threads() > 1, "a thread that waits")
                assert seconds((view.home / ".bashrc").read_text) < AT_ONCE
                assert waiting.wait(DEADLINE + AT_ONCE) == 1
                waiting.communicate()


def test_a_store_on_the_network_works(layout: Layout, below: Layout) -> None:
    with store_on_network(layout, below) as (_, view):
        commands = (
            "mkdir -p a/b; echo one > a/b/f; echo two >> a/b/f; mv a/b/f a/g; ln a/g a/h; "
            "ln -s g a/l; chmod 600 a/g; cat a/l; rm a/h; rmdir a/b; echo x > .config/fish/new; "
            "ls -A a .config/fish; dd if=/dev/zero of=big bs=1M count=3 conv=fsync status=none; "
            "stat -c %s big; git init -q repo && git -C repo status --porcelain"
        )
        done = subprocess.run(
            ["sh", "-ec", commands], cwd=view.home, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [
            *("one", "two", ".config/fish:", "config.fish", "new", "a:", "g", "l", "3145728"),
        ]
        assert (below.store / "a/g").read_text() == "one\ntwo\n"


def test_a_hung_store_leaves_what_the_host_has(layout: Layout, below: Layout) -> None:
    with store_on_network(layout, below) as (net, view):
        (view.home / "mine").write_text("mine")
        with (view.home / ".bashrc").open() as opened, net.hung():
            with pytest.raises(OSError, match="timed out"):
                (view.home / "other").write_text("x")
            assert seconds(opened.read) < AT_ONCE
            assert seconds((view.proc / "version").read_text) < AT_ONCE
        poll(lambda: _text(view.home / "mine") == "mine", "the store is back")


def test_a_view_can_be_ended_while_it_waits(layout: Layout, below: Layout) -> None:
    """Also where no thread can be killed: its request is read, by a server that hangs itself."""
    middle = Layout.make(layout.base / "middle")
    (middle.host / "net").mkdir()
    with (
        mounted(middle, below) as (net, between, shown),
        MountedView(layout, store=between.home, deadline=30) as view,
    ):
        with net.hung(), cat(view.home / "net/home/.profile") as waiting:
            poll(lambda: between.threads() > 1, "a thread below that waits")
            view.process.send_signal(signal.SIGTERM)
            poll(lambda: not view.is_mounted, "the view is unmounted")
            assert waiting.wait(AT_ONCE) == 1
            waiting.communicate()
        assert view.process.wait(PATIENCE) == 0
        assert shown.exists()


def _reads(fd: int) -> bool:
    try:
        return os.pread(fd, 4, 1 << 20) == bytes(4)
    except TimeoutError:
        return False


def _lists(fd: int) -> bool:
    try:
        return os.listxattr(fd) == []
    except TimeoutError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except TimeoutError:
        return ""
