"""A jail that cannot be built: which line says what the machine lacks."""

import errno
import os
import socket
import subprocess
import sys

import pytest

from tests.support.home import TREE
from tests.support.namespaces import in_namespaces
from tests.support.restricted import DONE, outcome
from venvjail import syscalls
from venvjail.building import apply, builder
from venvjail.errors import JailError
from venvjail.networks import isolated, netlink
from venvjail.planning.plan import Bind, Proc

#: In a mount namespace, the switches of a distribution: a file in /proc/sys/kernel.
SWITCHES = """
import sys
from tests.support.namespaces import unshare
unshare(as_root=False)
from venvjail import syscalls
from venvjail.building import builder
syscalls.mount("none", "/proc/sys/kernel", "tmpfs", 0)
if len(sys.argv) > 1:
    open("/proc/sys/kernel/" + sys.argv[1], "w").write(sys.argv[2] + "\\n")
print(builder._no_namespaces(PermissionError(1, "Operation not permitted")))
"""


@pytest.mark.parametrize(
    ("switch", "line"),
    [
        ((), "cannot make user namespaces on this machine: Operation not permitted"),
        (("unprivileged_userns_clone", "1"), "cannot make user namespaces on this machine: "),
        (("unprivileged_userns_clone", "0"), "as root: sysctl kernel.unprivileged_userns_clone=1"),
        (
            ("apparmor_restrict_unprivileged_userns", "1"),
            "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_switches_against_user_namespaces(switch: tuple[str, ...], line: str) -> None:
    done = subprocess.run(
        [*in_namespaces(), sys.executable, "-c", SWITCHES, *switch],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert line in done.stdout, done.stderr


def test_hints() -> None:
    proc, bind = Proc("/proc", frozenset()), Bind("/a", "/b")
    hints = {
        (proc, errno.EPERM): "in a container whose /proc is masked",
        (bind, errno.ELOOP): "a symlink lies on the way",
        (bind, errno.ENOSYS): "this kernel is too old",
    }
    for (step, code), hint in hints.items():
        assert hint in apply._hint(step, OSError(code, ""))
    assert apply._hint(bind, OSError(errno.EPERM, "")) == ""
    assert apply._hint(proc, OSError(errno.EIO, "")) == ""


#: Steps in a new root, as the builder applies them.
APPLIED = """
import os, sys
from tests.support.namespaces import unshare
unshare(as_root=False)
from venvjail.building.apply import Applier, Scaffold
from venvjail.planning.plan import Root, Seal, Hide
os.mkdir(sys.argv[1])
applier = Applier(Scaffold(sys.argv[1]))
applier.apply((Root(), Hide("/nowhere")))
applier.apply((Seal("/nowhere"),))
"""


def test_a_place_that_is_missing(tmp_path: os.PathLike[str]) -> None:
    """Hidden, it is left; what must be there and cannot be made ends the jail."""
    done = subprocess.run(
        [*in_namespaces(), sys.executable, "-c", APPLIED, os.path.join(tmp_path, "scaffold")],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    line = "JailError: cannot build the jail: seal '/nowhere': No such file or directory\n"
    assert done.stderr.endswith(line)


def test_who_reports_to_nobody() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        theirs.close()
        builder._report(ours, "a reason", 125)  # the supervisor has failed first


# -- the network of an isolated jail ---------------------------------------------------------------


@pytest.mark.parametrize("message", [b"", b"E125"])
def test_a_supervisor_that_ends_before_the_network_is_connected(message: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        if message:
            theirs.send(message)
        else:
            theirs.close()
        with pytest.raises(JailError, match="the supervisor has ended"):
            isolated.await_connected(ours)


def _fail(code: int) -> None:
    def close(_network: str) -> None:
        raise OSError(code, os.strerror(code))

    isolated._where_spoken("203.0.113.9" if code != errno.EAFNOSUPPORT else "2001:db8::1", close)


def test_an_address_that_cannot_be_shut() -> None:
    """It must not stay open; of IPv6, only where that leads out."""
    with pytest.raises(JailError, match="this kernel has no IPsec policies"):
        _fail(errno.EPROTONOSUPPORT)
    with pytest.raises(PermissionError):
        _fail(errno.EPERM)

    def apart() -> None:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)

    assert outcome(lambda: _fail(errno.EAFNOSUPPORT), apart) == DONE
    assert outcome(lambda: _fail(errno.EPERM), apart) == "EPERM"


def test_a_change_that_the_kernel_refuses() -> None:
    """Of the host's own network, by an ordinary user."""
    with pytest.raises(PermissionError):
        netlink.take("fe80::1")
