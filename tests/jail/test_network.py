"""`[network]`: what a jail reaches, and what of a jail is reached, in a world of the tests' own."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import Shell, configured, user_config
from tests.support.namespaces import HIDE_PASTA, LOCAL_RESOLVER, TUN_SHUT, in_namespaces
from tests.support.requirements import require
from tests.support.waiting import eventually
from tests.support.world import (
    CONNECT,
    OUTSIDE,
    PORT,
    World,
    WorldsHome,
    answers,
    listening,
    require_isolation,
    world,
)
from venvjail.networks import isolation

ISOLATED = '[network]\nmode = "isolated"\n'
LOOPBACK = ("127.0.0.1", "::1")


@pytest.fixture(scope="module")
def place() -> Iterator[World]:
    require_isolation()
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def jail(place: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JailedVenv]:
    directory = tmp_path_factory.mktemp("shared")
    home = WorldsHome(directory / "home", directory / "run", place)
    with JailedVenv(home) as venv:
        yield venv


def reached(jail: JailedVenv, *addresses: str, port: int = PORT) -> dict[str, str]:
    return answers(jail.python(CONNECT, str(port), *addresses))


def reached_on_the_host(home: FakeHome, *addresses: str, port: int = PORT) -> dict[str, str]:
    return answers(home.check([sys.executable, "-c", CONNECT, str(port), *addresses]))


def pids_of_pasta(jail: JailedVenv) -> list[int]:
    """Of the running jail, as ``venvjail status`` has it."""
    status = jail.status
    found = re.search(r"pid (\d+)", status.network) if status is not None else None
    return [int(found[1])] if found else []


def is_running(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def test_each_mode(jail: JailedVenv, place: World) -> None:
    """What is outside, and what is on the host's loopback."""
    everywhere = (*LOOPBACK, *OUTSIDE)
    with place.listening("host"):
        assert set(reached(jail, *everywhere).values()) == {"host"}
        with configured(jail, ISOLATED):
            found = reached(jail, *everywhere)
            assert {address: found[address] for address in OUTSIDE} == dict.fromkeys(
                OUTSIDE, "host"
            )
            assert {found[address] for address in LOOPBACK} == {"ConnectionRefusedError"}
        with configured(jail, '[network]\nmode = "none"\n'):
            assert "host" not in reached(jail, *everywhere).values()


def test_published_ports(jail: JailedVenv, place: World) -> None:
    """A server on the jail's loopback is on the host's, and nowhere else."""
    text = f'{ISOLATED}publish = [8000, "8081:8001", "[::1]:8002:8000"]\n'
    inside = [*place.enter, jail.bin / "python"]
    with (
        configured(jail, text),
        listening(inside, "first", "127.0.0.1", 8000, jail.home.env),
        listening(inside, "second", "0.0.0.0", 8001, jail.home.env),
        listening(inside, "third", "::1", 8000, jail.home.env),
    ):
        own = "10.77.0.2"
        found = reached_on_the_host(jail.home, *LOOPBACK, own, port=8000)
        refused = "ConnectionRefusedError"
        assert found == {"127.0.0.1": "first", "::1": refused, own: refused}
        assert reached_on_the_host(jail.home, "127.0.0.1", port=8081) == {"127.0.0.1": "second"}
        assert reached_on_the_host(jail.home, "127.0.0.1", port=8001) == {"127.0.0.1": refused}
        assert reached_on_the_host(jail.home, "::1", port=8002) == {"::1": "third"}
        # In the jail the servers are where they said they are.
        assert reached(jail, *LOOPBACK, port=8000) == {"127.0.0.1": "first", "::1": "third"}
        shown = jail.home.check([*VENVJAIL, "status", jail.env])
        assert "127.0.0.1:8081 leads to 8001" in shown


def test_a_port_in_use(jail: JailedVenv, place: World) -> None:
    with (
        configured(jail, f"{ISOLATED}publish = [{PORT}]\n"),
        place.listening("host", "127.0.0.1"),
    ):
        done = jail.run(["touch", "ran"])
    assert done.returncode == 125
    assert done.stderr == (
        f"venvjail: {jail.home.root}/.dirjailconfig:3: network.publish: 127.0.0.1:{PORT}: another "
        "program listens there, or the jail of another venv; end it (venvjail status) or choose "
        "another port\n"
    )
    assert not (jail.home.project / "ran").exists()


def test_publish_without_a_network_of_ones_own(jail: JailedVenv) -> None:
    with configured(jail, "[network]\npublish = [8000]\n"):
        done = jail.run(["true"])
        assert done.returncode == 125
        assert ':2: network.publish needs network.mode = "isolated"' in done.stderr
        assert jail.run(["true"]).returncode == 125


def test_without_pasta(jail: JailedVenv) -> None:
    """No fall-back to anything: the command does not run."""
    command = [*VENVJAIL, "run", jail.env, "touch", "ran"]
    with configured(jail, ISOLATED):
        done = jail.home.run([*in_namespaces(HIDE_PASTA), *command])
        assert done.returncode == 125
        assert done.stderr.startswith(
            f'venvjail: {jail.home.root}/.dirjailconfig:2: network.mode "isolated" needs pasta, '
            "which is not installed: "
        )
        assert done.stderr.endswith('; or use "none" or "host" (nothing was run)\n')
        assert not (jail.home.project / "ran").exists()
        doctor = jail.home.run([*in_namespaces(HIDE_PASTA), *VENVJAIL, "doctor"])
        assert "without  pasta                 not found\n" in doctor.stdout
    jail.home.check([*in_namespaces(HIDE_PASTA), *command])
    (jail.home.project / "ran").unlink()


def test_without_a_device_for_its_interface(jail: JailedVenv) -> None:
    """As in most containers: pasta's own words, and nothing runs."""
    before = in_namespaces(TUN_SHUT)
    with configured(jail, ISOLATED):
        done = jail.home.run([*before, *VENVJAIL, "run", jail.env, "touch", "ran"])
        assert done.returncode == 125
        assert done.stderr.startswith("venvjail: pasta cannot connect the jail's network: ")
        assert done.stderr.endswith('use network.mode "none" or "host" (nothing was run)\n')
        assert len(done.stderr.splitlines()) == 1
        assert not (jail.home.project / "ran").exists()
    doctor = jail.home.run([*before, *VENVJAIL, "doctor"])
    assert "without  pasta                 /usr/bin/pasta, but /dev/net/tun: " in doctor.stdout


def test_pasta_ends_with_the_jail(jail: JailedVenv) -> None:
    with configured(jail, ISOLATED):
        for end in ("stop", "supervisor", "init"):
            jail.check(["true"])
            status = jail.status
            assert status is not None
            [pasta] = pids_of_pasta(jail)
            assert Path(f"/proc/{pasta}/comm").read_text(encoding="utf-8").startswith("pas")
            if end == "stop":
                jail.stop()
            else:
                os.kill(status.supervisor if end == "supervisor" else status.init, signal.SIGKILL)
            eventually(lambda: not is_running(pasta), f"pasta ends at the end of {end}")  # noqa: B023 - called here


def test_what_pasta_has_of_ours(jail: JailedVenv) -> None:
    """No descriptor of the supervisor's, no environment, no file system, no way to us by it."""
    with configured(jail, ISOLATED):
        jail.check(["true"], env={"MARK": "of the caller"})
        [pasta] = pids_of_pasta(jail)
        # Not to be looked at: it has capabilities in the jail's user namespace, we have none.
        with pytest.raises(PermissionError):
            os.listdir(f"/proc/{pasta}/fd")
        status = Path(f"/proc/{pasta}/status").read_text(encoding="utf-8")
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        assert str(pasta) not in jail.check(["ps", "-e", "-o", "pid"]).split()


def kill_pasta(jail: JailedVenv) -> None:
    [pasta] = pids_of_pasta(jail)
    os.kill(pasta, signal.SIGKILL)
    eventually(lambda: jail.status is None or not pids_of_pasta(jail), "it is noticed")


def test_pasta_ends_first(jail: JailedVenv, place: World) -> None:
    """Commands go on without a network, the user is told, and the next jail has one."""
    outside = OUTSIDE[0]
    look = f"{jail.bin}/python -c '{CONNECT}' {PORT} {outside}"
    with configured(jail, ISOLATED), place.listening("host"):
        assert reached(jail, outside) == {outside: "host"}
        shell = Shell(jail)
        assert answers(shell.run(look)) == {outside: "host"}
        kill_pasta(jail)
        assert answers(shell.run(look)) == {outside: "OSError"}
        told = jail.run(["true"])
        assert told.returncode == 0
        assert told.stderr == (
            "venvjail: pasta has ended: the jail has no network but its own loopback until it is "
            f"started anew: venvjail stop {jail.env}\n"
        )
        assert "cut off" in jail.home.check([*VENVJAIL, "status", jail.env])
        shell.close()
        # Nothing runs in it any more: this starts another.
        assert reached(jail, outside) == {outside: "host"}


def test_on_no_network(tmp_path: Path) -> None:
    """A laptop under way runs its programs too, and is told what they lack."""
    require(isolation.pasta() is not None, "pasta is not installed")
    with world(on_a_network=False) as place:
        home = WorldsHome(tmp_path / "home", tmp_path / "run", place)
        user_config(home, ISOLATED)
        with JailedVenv(home) as jail, place.listening("host"):
            done = home.run([jail.bin / "python", "-c", CONNECT, str(PORT), *LOOPBACK, *OUTSIDE])
            assert done.returncode == 0
            assert "host" not in answers(done.stdout).values()
            status = jail.status
            if status is None or "cut off" in status.network:  # pasta before 2024_11
                assert done.stderr == (
                    "venvjail: this machine is on no network: the jail has no network but its own "
                    f"loopback until it is started anew: venvjail stop {jail.env}\n"
                )


def test_a_name_server_on_the_hosts_loopback(jail: JailedVenv, place: World) -> None:
    """Of no use to a jail with a loopback of its own; pasta passes the questions on."""
    resolv_conf = Path("/etc/resolv.conf")
    require(resolv_conf.exists(), "there is no /etc/resolv.conf")
    ask = "import socket; print(socket.gethostbyname('name.example'))"
    command = [jail.bin / "python", "-c", ask]
    before = in_namespaces(LOCAL_RESOLVER)
    with configured(jail, ISOLATED), place.naming():
        assert jail.home.check([*before, sys.executable, "-c", ask]) == f"{OUTSIDE[0]}\n"
        assert jail.home.check([*before, *command]) == f"{OUTSIDE[0]}\n"
        assert jail.check(["cat", resolv_conf]) == (
            "nameserver 169.254.1.1\noptions edns0 trust-ad\nsearch example.org\n"
        )
        assert jail.run(["sh", "-c", f"echo >>{resolv_conf}"]).returncode != 0
        explained = jail.home.check([*before, *VENVJAIL, "explain", jail.env, resolv_conf])
        assert "read-only" in explained
        assert f"[network] mode in {jail.home.root}/.dirjailconfig:2: pasta passes" in explained
