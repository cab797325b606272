"""Path sockets of the host: ESCAPES 2.  A read-only mount does not stop connect(2)."""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.requirements import require
from venvjail.walls import landlock

SYSTEM_PYTHON = "/usr/bin/python3"

#: Linux 7.1: connecting to a path socket takes a right.
RESOLVE_UNIX_ABI = 9

#: Connects to each path, by a name relative to its directory: unix(7) allows 107 bytes.
CONNECT = """
import errno, os, socket, sys
for path in sys.argv[1:]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            os.chdir(os.path.dirname(path))
            socket.socket(socket.AF_UNIX, kind).connect(os.path.basename(path))
        except OSError as error:
            if error.errno == errno.EPROTOTYPE:
                continue
            print(path, errno.errorcode[error.errno])
        else:
            print(path, "connected")
        break
"""


def outcomes(output: str) -> dict[str, str]:
    """How connecting to each path ended."""
    lines = (line.rpartition(" ") for line in output.splitlines())
    return {path: outcome for path, _, outcome in lines}


def listen(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A socket at ``path``, bound under its whole name, as daemons bind theirs."""
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    if kind is socket.SOCK_STREAM:
        listener.listen()
    return listener


@pytest.fixture
def places(shared_home: FakeHome) -> Iterator[dict[str, Path]]:
    """Directories in which the host listens, by what they stand for; with short names."""
    with ExitStack() as stack:

        def directory(parent: Path) -> Path:
            made = Path(tempfile.mkdtemp(prefix="s", dir=parent))
            stack.callback(shutil.rmtree, made)
            return made

        runtime = Path(shared_home.env["XDG_RUNTIME_DIR"])
        found = {
            "runtime": runtime,
            "home": shared_home.root,
            "tmp": directory(Path("/tmp")),
            "var-tmp": directory(Path("/var/tmp")),
        }
        elsewhere = [path for path in ("/dev/shm", "/opt", "/srv", "/mnt") if os.access(path, 7)]
        if elsewhere:
            found["elsewhere"] = directory(Path(elsewhere[0]))
        yield found


def test_what_the_host_listens_at(
    jail: JailedVenv, places: dict[str, Path], tmp_path: Path
) -> None:
    """Of a session, the home, the temporary directories, and any other that all can enter."""
    jail.stop()  # sockets are covered as they are when it starts
    places = {**places, "outside": tmp_path}
    with ExitStack() as stack:
        paths = {name: directory / "socket" for name, directory in places.items()}
        for path in paths.values():
            stack.enter_context(listen(path))
            stack.callback(path.unlink)
        datagrams = tmp_path / "datagrams"
        stack.enter_context(listen(datagrams, socket.SOCK_DGRAM))
        words = [*paths.values(), datagrams]
        control = outcomes(jail.home.check([SYSTEM_PYTHON, "-c", CONNECT, *words]))
        assert control == {str(path): "connected" for path in words}
        inside = outcomes(jail.python(CONNECT, *words))
        assert set(inside) == set(control)
        # Hidden with its directory, or covered by a file: not a socket, not to be read.
        assert set(inside.values()) <= {"ENOENT", "ECONNREFUSED", "EACCES"}


#: Listens by a relative name, then runs the rest of its command line from elsewhere.
SERVE_RELATIVE = """
import os, socket, subprocess, sys
directory, project, *command = sys.argv[1:]
os.chdir(directory)
listener = socket.socket(socket.AF_UNIX)
listener.bind("./relative")
listener.listen()
sys.exit(subprocess.run(command, cwd=project).returncode)
"""


def test_one_bound_by_a_relative_name(jail: JailedVenv, tmp_path: Path) -> None:
    """The kernel tells the name only; its server still is in the directory."""
    require(not tmp_path.is_relative_to("/tmp"), "the tests' own directory is in /tmp")
    path = tmp_path / "relative"
    serve = [SYSTEM_PYTHON, "-c", SERVE_RELATIVE, tmp_path, jail.home.project]
    for python, outcome in ((SYSTEM_PYTHON, "connected"), (jail.bin / "python", "EACCES")):
        jail.stop()
        path.unlink(missing_ok=True)
        found = outcomes(jail.home.check([*serve, python, "-c", CONNECT, path]))
        assert found == {str(path): outcome}


RUN = """
set -e
mount -t tmpfs none /run
mkdir /run/daemon
exec "$@"
"""

#: Listens in /run, runs the rest of its command line, and ends as that does.
SERVE = """
import socket, subprocess, sys
listeners = []
for path in ("/run/daemon/socket", "/run/other"):
    listeners.append(socket.socket(socket.AF_UNIX))
    listeners[-1].bind(path)
    listeners[-1].listen()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


class TestRun:
    """Where daemons listen; as root they do, so /run is the tests' own, in a mount namespace."""

    PATHS = ("/run/daemon/socket", "/run/other", "/var/run/other")

    def connect(self, venv: JailedVenv, python: str | Path) -> dict[str, str]:
        venv.stop()
        namespace = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]
        serve = [*namespace, "sh", "-c", RUN, "sh", SYSTEM_PYTHON, "-c", SERVE]
        try:
            return outcomes(venv.home.check([*serve, python, "-c", CONNECT, *self.PATHS]))
        finally:
            venv.stop()

    def test_control(self, jail: JailedVenv) -> None:
        assert set(self.connect(jail, SYSTEM_PYTHON).values()) == {"connected"}

    def test_jailed(self, jail: JailedVenv) -> None:
        assert self.connect(jail, jail.bin / "python") == dict.fromkeys(self.PATHS, "ENOENT")

    def test_one_is_allowed_by_name(self, home: FakeHome) -> None:
        home.write(".dirjailconfig", '[run]\nallow = ["/run/daemon/socket"]\n')
        with JailedVenv(home) as venv:
            assert self.connect(venv, venv.bin / "python") == {
                "/run/daemon/socket": "connected",
                "/run/other": "ENOENT",
                "/var/run/other": "ENOENT",
            }


# Not require(): no machine with today's kernels could pass, and the others would fail there.
@pytest.mark.skipif(
    landlock.abi() < RESOLVE_UNIX_ABI, reason="this kernel's Landlock knows no path sockets"
)
def test_one_bound_after_the_start(jail: JailedVenv, tmp_path: Path) -> None:
    """Only the kernel can know of it: docs/threat-model.md says so for older ones."""
    jail.python("pass")
    path = tmp_path / "late"
    with listen(path):
        host = outcomes(jail.home.check([SYSTEM_PYTHON, "-c", CONNECT, path]))
        assert host == {str(path): "connected"}
        assert outcomes(jail.python(CONNECT, path)) == {str(path): "EACCES"}


def test_the_control_socket_has_no_path_in_the_jail(jail: JailedVenv) -> None:
    jail.python("pass")
    control = jail.paths.run + "/control"
    host = outcomes(jail.home.check([SYSTEM_PYTHON, "-c", CONNECT_PACKETS, control]))
    assert host == {control: "connected"}
    assert outcomes(jail.python(CONNECT_PACKETS, control)) == {control: "EACCES"}


CONNECT_PACKETS = CONNECT.replace("SOCK_DGRAM", "SOCK_SEQPACKET")

#: Each descriptor that any visible process of the jail has, and that is a socket.
SOCKETS = """
import os
for pid in filter(str.isdecimal, os.listdir("/proc")):
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        print(pid, "shut")
        continue
    for fd in descriptors:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            print(pid, target)
"""


def test_no_descriptor_leads_to_the_supervisor(jail: JailedVenv) -> None:
    assert jail.python(SOCKETS) == "1 shut"
    supervisor = jail.status.supervisor if jail.status else 0
    links = []
    for descriptor in Path(f"/proc/{supervisor}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(descriptor))
    assert any(link.startswith("socket:") for link in links)


#: Tells a supervisor to end the jail.
STOP = """
import os, socket, sys
os.chdir(os.path.dirname(sys.argv[1]))
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect("control")
connection.settimeout(10)
connection.send(b"VJ1X")
print(connection.recv(1000)[:4])
"""


def test_the_jail_of_another_venv_takes_no_commands(jail: JailedVenv, tmp_path: Path) -> None:
    """One that lies where the jail sees it, and belongs to the user, as the jail does."""
    require(not tmp_path.is_relative_to("/tmp"), "the tests' own directory is in /tmp")
    with JailedVenv(jail.home, tmp_path / "other") as other:
        other.python("pass")
        control = other.paths.run + "/control"
        assert outcomes(jail.python(CONNECT_PACKETS, control)) == {control: "connected"}
        assert jail.python(STOP, control) == "b'VJ1E'"
        assert other.status is not None
        assert jail.home.check([SYSTEM_PYTHON, "-c", STOP, control]) == "b''\n"
        assert other.status is None
