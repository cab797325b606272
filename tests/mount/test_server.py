"""The server's life: many names, bounded descriptors, ending well and ending badly."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from fusefs.rules import Kind, Rule
from tests.support.layouts import RULES, Layout
from tests.support.mounts import MountedView, poll


def fill(directory: Path, count: int) -> None:
    directory.mkdir()
    for number in range(count):
        (directory / f"f{number}").touch()


def test_a_large_directory_is_listed_once_while_it_is_emptied(
    view: MountedView, layout: Layout
) -> None:
    fill(layout.store / "many", 5000)
    seen = []
    with os.scandir(view.home / "many") as entries:
        for entry in entries:
            seen.append(entry.name)
            os.unlink(entry.path)
    assert sorted(seen) == sorted(f"f{number}" for number in range(5000))
    assert os.listdir(view.home / "many") == []


def test_rewinding_reads_the_directory_anew(view: MountedView) -> None:
    program = (
        "use strict; opendir(my $d, $ARGV[0]) or die; my @a = readdir $d;"
        "open(my $f, '>', $ARGV[0].'/new'); close $f; rewinddir $d; my @b = readdir $d;"
        "print scalar(@b) - scalar(@a)"
    )
    command = ["perl", "-e", program, view.home]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1"


def test_dot_entries_are_listed_with_their_numbers(view: MountedView) -> None:
    command = ["ls", "-ai", view.home / ".config"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    numbers = {name: int(number) for number, name in map(str.split, listed.splitlines())}
    assert numbers["."] == (view.home / ".config").stat().st_ino
    assert numbers[".."] == view.home.stat().st_ino


def test_ten_thousand_inodes_need_few_descriptors_and_give_them_back(layout: Layout) -> None:
    fill(layout.store / "many", 10_000)
    with MountedView(layout, descriptors=512) as view:
        baseline = view.open_descriptors()
        for path in (view.home / "many").iterdir():
            path.stat()
            if path.name.endswith("7"):
                path.read_bytes()
        assert view.open_descriptors() < 512
        for path in (view.home / "many").iterdir():
            path.unlink()
        (view.home / "many").rmdir()
        poll(
            lambda: view.open_descriptors() <= baseline + 2,
            "the server gave its descriptors back",
        )


def test_too_many_open_files_are_refused_and_service_goes_on(layout: Layout) -> None:
    with MountedView(layout, descriptors=256) as view:
        (view.home / "f").write_text("x")
        opened = []
        with pytest.raises(OSError) as caught:
            for _ in range(256):
                opened.append(os.open(view.home / "f", os.O_RDONLY))
        assert caught.value.errno == errno.ENFILE
        assert ".bashrc" in os.listdir(view.home)
        for fd in opened:
            os.close(fd)
        assert (view.home / "f").read_text() == "x"


def test_a_deep_tree_is_made_and_removed(view: MountedView) -> None:
    depth = 600
    program = (
        "import os,sys\nos.chdir(sys.argv[1])\n"
        "for _ in range(int(sys.argv[2])): os.mkdir('d'); os.chdir('d')\n"
        "open('leaf','w').close()"
    )
    subprocess.run(["python3", "-c", program, view.home, str(depth)], check=True)
    subprocess.run(["rm", "-r", view.home / "d"], check=True)
    assert not (view.home / "d").exists()


def test_a_killed_server_leaves_enotconn(layout: Layout) -> None:
    with MountedView(layout) as view:
        assert view.home.exists()
        view.process.send_signal(signal.SIGKILL)
        view.process.wait()
        # Attributes may be remembered for a second; content is out of reach at once.
        for attempt in (
            lambda: os.listdir(view.home),
            lambda: (view.home / ".bashrc").read_text(),
            lambda: (view.home / "new").write_text("x"),
        ):
            with pytest.raises(OSError) as caught:
                attempt()
            assert caught.value.errno == errno.ENOTCONN


def test_ending_unmounts_even_while_in_use(layout: Layout) -> None:
    with MountedView(layout) as view:
        user = os.open(view.home, os.O_RDONLY | os.O_DIRECTORY)
        view.process.send_signal(signal.SIGTERM)
        assert view.process.wait(5) == 0
        assert not view.is_mounted
        with pytest.raises(OSError) as caught:
            os.listdir(user)
        assert caught.value.errno in (errno.ENOTCONN, errno.ECONNABORTED)
        os.close(user)


def test_a_request_that_was_withdrawn_does_not_stop_the_server(layout: Layout) -> None:
    """Its process was killed between the kernel's word that it is there and our reading it."""
    with MountedView(layout, false_alarms=50) as view:
        assert view.session_flags() & os.O_NONBLOCK
        assert (view.home / ".bashrc").exists()
        (view.home / "new").write_text("x")
        assert (view.home / "new").read_text() == "x"


def test_killed_clients_do_not_stop_the_server(view: MountedView) -> None:
    program = "import os,sys\nwhile True: os.stat(sys.argv[1] + '/' + str(os.urandom(4)))"
    for _ in range(20):
        with subprocess.Popen(["python3", "-c", program, view.home]) as client:
            poll(lambda: bool(view.events("lookup")), "a request of the client")
            client.kill()
    assert (view.home / ".bashrc").exists()


def test_unmounting_from_outside_ends_the_server(layout: Layout) -> None:
    with MountedView(layout) as view:
        subprocess.run(["fusermount3", "-u", layout.mountpoint], check=True)
        assert view.process.wait(5) == 0


def test_a_view_mounted_in_what_it_shows_does_not_look_at_itself(tmp_path: Path) -> None:
    """A request to itself would wait for itself for ever."""
    layout = Layout.make(tmp_path)
    mountpoint = layout.host / "docs" / "mnt"
    mountpoint.mkdir()
    link = layout.host / "docs" / "link"
    link.symlink_to("mnt/home")
    with MountedView(layout, [*RULES, Rule(b"docs", Kind.ALLOW)], mountpoint=mountpoint) as view:
        assert sorted(os.listdir(view.home / "docs")) == ["diary"]
        assert not (view.home / "docs/mnt").exists()
        assert not (view.home / "docs/link").exists()
        (view.home / "docs/mnt").mkdir()
        assert sorted(os.listdir(layout.store / "docs")) == ["mnt"]


def test_what_the_jail_plants_while_others_read(view: MountedView, layout: Layout) -> None:
    """Swapping directories and symlinks through the mount itself, as a jailed program would."""
    program = (
        "import os,sys\nos.chdir(sys.argv[1])\nos.mkdir('real')\n"
        "open('real/id_rsa','w').write('harmless')\nos.symlink(sys.argv[2],'link')\n"
        "while True:\n"
        "  for s in ('real','link'): os.rename(s,'trap'); os.rename('trap',s)\n"
    )
    trap = view.home / "trap"
    caught, deadline = 0, time.monotonic() + 30
    with subprocess.Popen(["python3", "-c", program, view.home, "../../alice/.ssh"]) as racer:
        while caught < 100 and time.monotonic() < deadline:
            try:
                fd = os.open(trap, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError:
                continue
            caught += 1
            try:
                assert set(os.listdir(fd)) <= {"id_rsa"}
                with open(os.open("id_rsa", os.O_RDONLY, dir_fd=fd)) as file:
                    assert file.read() == "harmless"
            finally:
                os.close(fd)
        assert racer.poll() is None
        racer.kill()
    assert caught == 100
    assert sorted(os.listdir(layout.host / ".ssh")) == ["id_rsa"]
