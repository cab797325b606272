"""A mount made in another user and mount namespace, as the jail's is, served from outside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.layouts import SECRET, Layout
from tests.support.mounts import PATIENCE, MountedView

ROOT = Path(__file__).parents[2]


def run_inside(layout: Layout, script: str) -> tuple[str, MountedView]:
    """Run a shell script in the namespace, in the view's home; returns what it printed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.set_inheritable(True)
        command = [
            *(sys.executable, "-m", "tests.support.namespace_mounter"),
            *(str(theirs.fileno()), str(layout.mountpoint)),
            *("sh", "-c", f"cd {layout.mountpoint}/home && {script}"),
        ]
        with subprocess.Popen(
            command, cwd=ROOT, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, text=True
        ) as inside:
            _, [fd], _, _ = socket.recv_fds(ours, 1, 1)
            view = MountedView(layout, adopt=fd)
            with view:
                os.close(fd)
                ours.sendall(b"s")
                printed, _ = inside.communicate(timeout=30)
                view.process.wait(PATIENCE)  # the mount went with the namespace
            assert inside.returncode == 0
    return printed, view


def test_the_namespace_sees_the_view_and_the_host_does_not(layout: Layout) -> None:
    printed, view = run_inside(layout, "cat .bashrc; cat .ssh/id_rsa; echo made > new; ls -A")
    assert "alias" in printed
    assert SECRET not in printed
    assert "new" in printed.split()
    assert (layout.store / "new").read_text() == "made\n"
    assert os.listdir(layout.mountpoint) == []
    [event] = [event for event in view.events("lookup") if event["path"] == "home/.ssh"]
    assert event["verdict"] == "hidden"


def test_the_server_ends_with_the_namespace(layout: Layout) -> None:
    _, view = run_inside(layout, "true")
    assert view.process.returncode == 0


def test_ownership_is_kept(layout: Layout) -> None:
    printed, _ = run_inside(layout, "touch new; stat -c %u .bashrc new")
    assert printed.split() == [str(os.getuid())] * 2


def test_a_killed_server_fails_closed(layout: Layout) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        script = f"cd {layout.mountpoint}/home; ls; read go; ls 2>&1; cat .bashrc 2>&1"
        command = [
            *(sys.executable, "-m", "tests.support.namespace_mounter"),
            *(str(theirs.fileno()), str(layout.mountpoint), "sh", "-c", script),
        ]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as inside:
            _, [fd], _, _ = socket.recv_fds(ours, 1, 1)
            with MountedView(layout, adopt=fd) as view:
                os.close(fd)
                ours.sendall(b"s")
                assert inside.stdout is not None
                assert inside.stdout.readline() == "proj\n"
                view.process.send_signal(signal.SIGKILL)
                view.process.wait()
                printed, _ = inside.communicate("go\n", timeout=30)
    assert printed.count("Transport endpoint is not connected") == 2
    assert "alias" not in printed
