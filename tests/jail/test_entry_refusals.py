"""Whom and what an entry refuses before it joins, and who is refused by the supervisor."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.home import TREE
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.requirements import require

#: Asks a supervisor for the jail from a PID namespace below it, as programs of other jails could.
BELOW = """
import os, socket, sys
sys.path.insert(0, sys.argv[2])
from venvjail import protocol, syscalls
kind = protocol.pack(protocol.STATUS, [])
if sys.argv[3] == "below":
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWPID)
sys.stdout.flush()
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
    directory = os.open(sys.argv[1], os.O_PATH)
    connection.connect(f"/proc/self/fd/{directory}/control")
    connection.settimeout(20)
    connection.send(kind)
    kind, fields = protocol.unpack(connection.recv(protocol.LIMIT))
    print(kind == protocol.OK, fields[0].decode())
"""


def ask(jail: JailedVenv, where: str) -> str:
    jail.python("pass")
    return jail.home.check([sys.executable, "-c", BELOW, jail.paths.run, TREE, where])


def test_a_process_of_another_pid_namespace_is_not_obeyed(jail: JailedVenv) -> None:
    assert ask(jail, "beside").startswith("True {")
    said = "False this jail can be used only from the container or PID namespace it was started in"
    assert ask(jail, "below") == said + "\n"
    assert "is not obeyed: jailed, or another user's" in Path(jail.paths.run, "log").read_text()


def test_a_command_with_another_home(jail: JailedVenv, tmp_path: Path) -> None:
    jail.python("pass")
    other = {"HOME": str(tmp_path)}
    done = jail.home.run([jail.bin / "python", "-c", "print('ran')"], env=other)
    assert (done.returncode, done.stdout) == (125, "")
    assert f"runs with the home {jail.home.root}, and HOME is {tmp_path} now" in done.stderr
    nowhere = {"HOME": "/nonexistent"}
    print_home = "import os; print(os.environ['HOME'])"
    done = jail.home.run([jail.bin / "python", "-c", print_home], env=nowhere)
    assert (done.returncode, done.stdout) == (0, f"{jail.home.root}\n")


@pytest.mark.parametrize("redirection", ["</", "3</ >&3", "2</"])
def test_a_directory_for_a_stream(jail: JailedVenv, redirection: str) -> None:
    """openat(2) on it would get round the view.  Python refuses most such at its own start."""
    script = f"exec \"$0\" -c \"open('ran', 'w')\" {redirection}"
    done = jail.home.run(["sh", "-c", script, jail.bin / "python"])
    assert done.returncode != 0
    assert not (jail.home.project / "ran").exists()


#: The same where Python had nothing against it.
OPENED_LATER = """
import os, sys
from venvjail import entry, errors
fd = os.open("/", os.O_RDONLY)
os.dup2(fd, int(sys.argv[1]))
try:
    entry._check_standard_descriptors()
except errors.JailError as error:
    os.write(fd_of_report, str(error).encode())
"""


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_the_entry_refuses_it_too(jail: JailedVenv, fd: int) -> None:
    read, write = os.pipe()
    subprocess.run(
        [sys.executable, "-c", OPENED_LATER.replace("fd_of_report", str(write)), str(fd)],
        env={**jail.home.env, "PYTHONPATH": str(TREE)},
        pass_fds=[write],
        timeout=60,
    )
    os.close(write)
    with open(read, encoding="utf-8") as report:
        line = f"descriptor {fd} is a directory; redirect it from a file instead"
        assert report.read() == line


def test_a_symlink_to_an_entry(jail: JailedVenv) -> None:
    """As users put one into ``~/bin``; what leads to no entry runs nothing."""
    link = jail.home.root / "tool"
    link.symlink_to(jail.bin / "python")
    try:
        found = jail.home.check([link, "-c", "import sys; print(sys.prefix)"])
    finally:
        link.unlink()
    assert found == f"{jail.env}\n"
    copy = jail.home.project / "copy"
    copy.write_bytes((jail.bin / "python").read_bytes())
    copy.chmod(0o755)
    done = jail.home.run([copy, "-c", "print('ran')"])
    copy.unlink()
    assert (done.returncode, done.stdout) == (125, "")
    assert "which was moved, renamed or copied" in done.stderr


def test_no_working_directory(jail: JailedVenv) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$0" -c "import os; print(os.getcwd())"'
    done = jail.home.run(["sh", "-c", script, jail.bin / "python"])
    assert (done.returncode, done.stdout) == (0, f"{jail.home.root}\n")
    assert done.stderr == ""


def test_too_many_names_of_variables(jail: JailedVenv) -> None:
    many = {f"{'X' * 200}{number}": "" for number in range(1500)}
    done = jail.home.run([jail.bin / "python", "-c", "print('ran')"], env=many)
    assert (done.returncode, done.stdout) == (125, "")
    assert "the names of the environment variables are too long together" in done.stderr


#: The supervisor hangs up before it has heard who is there, each time.
HANGS_UP = """
import socket
from venvjail import entry, errors
from venvjail.layout import VenvPaths
asked = []
def connect(paths):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    asked.append(ours)
    return ours
entry.connect = connect
try:
    entry.execute(VenvPaths("/nowhere"), "python", lambda environment: ["true"])
except errors.JailError as error:
    print(len(asked), error)
"""


def test_a_supervisor_that_hangs_up_always(jail: JailedVenv) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS_UP],
        env={**jail.home.env, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "10 the jail of /nowhere ends as soon as it starts; see /nowhere" + (
        "/.venvjail/run/log\n"
    )


@pytest.mark.parametrize("words", [(), ("--",)])
def test_run_wants_a_command(jail: JailedVenv, words: tuple[str, ...]) -> None:
    done = jail.home.run([*VENVJAIL, "run", jail.env, *words])
    assert done.returncode == 2
    assert done.stderr.startswith("venvjail: missing argument 'CMD...'")


def test_the_installed_command(jail: JailedVenv) -> None:
    """The console script, which ``venvjail`` is after an installation."""
    program = Path(sys.executable).parent / "venvjail"
    require(program.exists(), "the tree is not installed for the tests' interpreter")
    assert jail.home.check([program, "--version"]).startswith("venvjail ")
