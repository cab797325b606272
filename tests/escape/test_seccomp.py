"""Calls that a jailed process is refused: ESCAPES 1, 3, 13, 14 and 21.

Each is tried with the same arguments on the host, where it ends otherwise.
"""

import json
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pexpect
import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.pausing import PAUSE
from tests.support.requirements import require
from tests.support.wall_off import FILTER, WallOff
from venvjail.walls import seccomp

PROGRAM = (Path(__file__).parents[1] / "support/forbidden_program.py").read_text(encoding="utf-8")

SET_ID = (
    *("chmod", "chmod g+s", "chmod, junk above", "fchmod", "fchmodat", "fchmodat2", "creat"),
    *("open", "openat", "openat, O_TMPFILE", "mkdir", "mkdirat", "mknod", "mknodat"),
)
EPERM = (
    *("bpf", "perf_event_open", "userfaultfd", "unshare", "clone", "setns", "mount", "umount2"),
    *("open_by_handle_at", "fanotify_init", "personality"),
    *("snapshot", "snapshot, v1", "subvolume", "subvolume, v1"),
)
ENOSYS = (
    *("openat2", "add_key", "request_key", "keyctl", "io_uring_setup", "clone3", "fsopen"),
    *("fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "mount_setattr"),
)
ALLOWED = ("NETLINK_ROUTE", "if_nameindex", "a thread", "sticky directory", "personality of gdb")

#: Of these, a kernel can be without, and then answers as the filter does.
OPTIONAL = {"fchmodat2", "add_key", "request_key", "keyctl", "io_uring_setup", "open", "creat"}

#: With user namespaces of one's own, these do what they do on the host.
OPENED = ("unshare", "clone", "clone3", "setns")

Results = dict[str, str]


@pytest.fixture(scope="module", autouse=True)
def _filter_for_this_machine() -> None:
    require(seccomp.supported() is not None, "there is no seccomp filter for this machine")


@pytest.fixture(scope="module")
def host(shared_home: FakeHome, tmp_path_factory: pytest.TempPathFactory) -> Results:
    directory = tmp_path_factory.mktemp("attempts")
    results: Results = json.loads(shared_home.check(["/usr/bin/python3", "-c", PROGRAM, directory]))
    return results


@pytest.fixture(scope="module")
def jailed(jail: JailedVenv) -> Results:
    (jail.home.project / "attempts").mkdir()
    results: Results = json.loads(jail.python(PROGRAM, "attempts"))
    return results


@pytest.mark.parametrize("name", SET_ID)
def test_nobody_can_be_given_the_users_rights(host: Results, jailed: Results, name: str) -> None:
    assert jailed[name] == "EPERM" or (name in OPTIONAL and jailed[name] == "ENOSYS")
    assert host[name] == "done" or name in OPTIONAL


@pytest.fixture(scope="module")
def unfiltered(jail: JailedVenv, jailed: Results) -> Results:
    """What ends how in the same jail, without the filter."""
    assert jailed
    (jail.home.project / "unfiltered").mkdir()
    with WallOff(jail, FILTER):
        results: Results = json.loads(jail.python(PROGRAM, "unfiltered"))
    return results


#: Refused without the filter too, by capabilities and namespaces.
REFUSED_ANYWAY = {"unshare", "clone", "fsopen", "fsmount", "fspick", "move_mount", "AF_PACKET"}


def test_it_is_the_filter(host: Results, unfiltered: Results) -> None:
    different = {name for name in host if unfiltered[name] != host[name]}
    assert different <= REFUSED_ANYWAY


@pytest.mark.parametrize("name", ["unshare", "clone"])
def test_there_is_a_limit_behind_the_filter(host: Results, unfiltered: Results, name: str) -> None:
    """No user namespaces: user.max_user_namespaces of the jail's own; namespaces(7)."""
    assert unfiltered[name] == "ENOSPC"
    assert host[name] == "done"


def test_no_file_of_the_project_got_a_set_id_bit(jailed: Results, jail: JailedVenv) -> None:
    assert jailed
    directory = jail.home.project / "attempts"
    found = [path for path in directory.rglob("*") if path.lstat().st_mode & 0o6000]
    assert list(directory.rglob("file"))
    assert found == []


@pytest.mark.parametrize("name", EPERM)
def test_not_permitted(host: Results, jailed: Results, name: str) -> None:
    assert jailed[name] == "EPERM"
    assert host[name] != "EPERM"


@pytest.mark.parametrize("name", ENOSYS)
def test_not_implemented(host: Results, jailed: Results, name: str) -> None:
    assert jailed[name] == "ENOSYS"
    assert host[name] != "ENOSYS" or name in OPTIONAL


def test_no_leases(host: Results, jailed: Results) -> None:
    """Whoever opens the file has to wait for their end."""
    assert jailed["a lease"] == "EINVAL"
    assert host["a lease"] == "done"


@pytest.mark.parametrize("name", ["int 0x80", "x32"])
def test_no_calls_of_other_architectures(host: Results, jailed: Results, name: str) -> None:
    assert jailed[name] == "ENOSYS"
    assert host[name] in ("done", "ENOSYS")  # kernels are built with and without them


@pytest.mark.parametrize("name", ["AF_PACKET", "AF_ALG", "AF_VSOCK"])
def test_no_exotic_sockets(host: Results, jailed: Results, name: str) -> None:
    assert jailed[name] == "EAFNOSUPPORT"
    assert host["AF_PACKET"] == "EPERM"


def test_no_netfilter(host: Results, jailed: Results) -> None:
    assert jailed["NETLINK_NETFILTER"] == "EPROTONOSUPPORT"
    assert host["NETLINK_NETFILTER"] in ("done", "EPROTONOSUPPORT")


@pytest.mark.parametrize("name", ["iptables", "ip6tables"])
def test_no_tables_of_netfilter(host: Results, jailed: Results, name: str) -> None:
    assert jailed[name] == "ENOPROTOOPT"
    assert host[name] in ("EPERM", "ENOPROTOOPT")  # of kernels without them


@pytest.mark.parametrize("name", ALLOWED)
def test_ordinary_calls_do_as_on_the_host(host: Results, jailed: Results, name: str) -> None:
    assert jailed[name] == host[name] == "done"


@pytest.fixture(scope="module")
def opened(shared_home: FakeHome) -> Iterator[Results]:
    """What ends how in a jail with ``user_namespaces = true``."""
    with JailedVenv(shared_home, "venv2") as venv:
        config = Path(venv.paths.config)
        text = config.read_text(encoding="utf-8")
        assert text.count("\n[jail]\n") == 1
        allowed = text.replace("\n[jail]\n", "\n[jail]\nuser_namespaces = true\n")
        config.write_text(allowed, encoding="utf-8")
        (shared_home.project / "attempts2").mkdir()
        yield json.loads(venv.python(PROGRAM, "attempts2"))


@pytest.mark.parametrize("name", OPENED)
def test_user_namespaces_can_be_made(host: Results, opened: Results, name: str) -> None:
    assert opened[name] == host[name]


def test_user_namespaces_open_nothing_else(jailed: Results, opened: Results) -> None:
    assert {name for name in jailed if jailed[name] != opened[name]} == set(OPENED)


TYPE = """
import ctypes, sys, termios
libc = ctypes.CDLL(None, use_errno=True)
outcomes = set()
for byte in b"touch typed\\n":
    request = termios.TIOCSTI + (int(sys.argv[1]) << 32)
    if libc.ioctl(0, ctypes.c_ulong(request), ctypes.c_char_p(bytes([byte]))) == 0:
        outcomes.add(0)
    else:
        outcomes.add(ctypes.get_errno())
print("outcomes", *sorted(outcomes))
"""
#: What the program has typed, the shell that it was started from reads.
SHELL = '"$0" -c "$1" "$2"; IFS= read -r -t 0.5 line; echo "read [$line]"'


@pytest.mark.parametrize("above", ["0", "1"])
class TestTyping:
    """The filter refuses it; where there is none, the command has no terminal to type into."""

    def run(self, home: FakeHome, python: Path, above: str) -> str:
        arguments = ["--norc", "-c", SHELL, str(python), TYPE, above]
        child = pexpect.spawn("/bin/bash", arguments, env=home.env, cwd=home.project, timeout=30)
        child.expect(pexpect.EOF)
        child.close()
        output: bytes = child.before
        return output.decode()

    def test_control(self, shared_home: FakeHome, above: str) -> None:
        require(
            Path("/proc/sys/dev/tty/legacy_tiocsti").read_text().strip() == "1",
            "this kernel has no TIOCSTI",
        )
        output = self.run(shared_home, Path("/usr/bin/python3"), above)
        assert "outcomes 0" in output
        assert "read [touch typed]" in output

    @pytest.mark.parametrize("mode", ["relay", "shared"])
    @pytest.mark.parametrize("filtered", [True, False], ids=["filter", "session"])
    def test_jailed(self, jail: JailedVenv, above: str, filtered: bool, mode: str) -> None:
        jail.python("pass")
        wall = nullcontext() if filtered else WallOff(jail, FILTER)
        with jail.configured(f'[jail]\nterminal = "{mode}"\n'), wall:
            output = self.run(jail.home, jail.bin / "python", above)
        if filtered or mode == "shared":
            assert "outcomes 1\r\n" in output  # EPERM
            assert "touch typed" not in output
        else:  # it types into its own terminal, which shows it
            assert "outcomes 0\r\n" in output
        assert "read []" in output


def test_interrupt_reaches_a_command_without_a_filter(jail: JailedVenv) -> None:
    """Which is in a session of its own: the entry has to pass on what the terminal sends."""
    jail.python("pass")
    code = f"print('ready', flush=True); {PAUSE}"
    with WallOff(jail, FILTER):
        child = pexpect.spawn(
            str(jail.bin / "python"), ["-c", code], env=jail.home.env, cwd=jail.home.project
        )
        child.expect("ready", timeout=30)
        child.sendintr()
        child.expect("KeyboardInterrupt", timeout=30)
        child.expect(pexpect.EOF, timeout=30)
        child.close()
    assert child.signalstatus == signal.SIGINT


def test_every_process_is_filtered(jail: JailedVenv) -> None:
    code = """
import glob, os
for path in glob.glob("/proc/[0-9]*/status"):
    words = dict(line.split(":", 1) for line in open(path))
    print(words["Seccomp"].strip(), words["NoNewPrivs"].strip(), int(words["CapBnd"], 16))
"""
    rows = jail.python(code).splitlines()
    assert len(rows) == 2, "init and this one"
    assert set(rows) == {"2 1 0"}
