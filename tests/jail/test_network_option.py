"""`venvjail run --network`: the network of one start of the jail."""

import sys

from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import Shell, user_config

#: The names of the network interfaces of who runs it.
INTERFACES = "import socket; print(sorted(name for _, name in socket.if_nameindex()))"


def run(jail: JailedVenv, mode: str, *command: str) -> tuple[int, str, str]:
    done = jail.home.run([*VENVJAIL, "run", "--network", mode, jail.env, *command])
    return done.returncode, done.stdout, done.stderr


def test_for_one_start(jail: JailedVenv) -> None:
    """Idle jails give way; the plain command has what the config says."""
    show = ("python", "-c", INTERFACES)
    host = jail.home.check([sys.executable, "-c", INTERFACES])
    assert run(jail, "none", *show) == (0, "['lo']\n", "")
    assert jail.status is not None
    assert jail.status.network == "none"
    assert jail.check([*show]) == host
    assert jail.status is not None
    assert jail.status.network == "host"
    assert run(jail, "none", *show)[1] == "['lo']\n"
    jail.stop()


def test_while_another_runs(jail: JailedVenv) -> None:
    """Neither gets a network that it is not for."""
    stop = f"stop it first: venvjail stop {jail.env}\n"
    shell = Shell(jail)
    assert run(jail, "none", "touch", "ran") == (
        125,
        "",
        f'venvjail: the jail of {jail.env} runs with network mode "host", and this command is '
        f'for "none"; {stop}',
    )
    assert not (jail.home.project / "ran").exists()
    assert run(jail, "host", "true")[0] == 0
    shell.close()
    jail.stop()


def test_what_the_config_says_is_not_exceeded(jail: JailedVenv) -> None:
    """A jail that was started for more is not joined by who did not ask for it."""
    config = user_config(jail.home, '[network]\nmode = "none"\n')
    server = ["sleep", "60"]
    code, _, _ = run(jail, "host", "sh", "-c", f"{' '.join(server)} >/dev/null 2>&1 &")
    assert code == 0
    done = jail.run(["true"])
    assert done.returncode == 125
    assert 'runs with network mode "host", and this command is for "none"' in done.stderr
    assert run(jail, "host", "true")[0] == 0
    jail.stop()
    assert jail.check(["python", "-c", INTERFACES]) == "['lo']\n"
    jail.stop()
    config.unlink()


def test_an_edit_of_the_mode_waits_for_the_next_start(jail: JailedVenv) -> None:
    assert run(jail, "none", "true") == (0, "", "")
    config = user_config(jail.home, "[jail]\nlinger = 30\n")
    assert run(jail, "none", "true") == (0, "", "")  # what --network said is no edit
    config.unlink()
    jail.stop()


def test_words(jail: JailedVenv) -> None:
    code, _, error = run(jail, "some", "true")
    assert code == 2
    assert "'some' is not one of 'host', 'none', 'isolated'" in error
    assert jail.home.run([*VENVJAIL, "shell", "--network", "none", jail.env], stdin="exit 3\n")
    jail.stop()


#: An echo request to the loopback by a socket for ping; its answer's type is 0.  icmp(7)
PING = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as ping:
    ping.settimeout(5)
    ping.sendto(bytes([8, 0, 0, 0, 0, 0, 0, 1]), ("127.0.0.1", 0))
    print(ping.recv(100)[0])
"""


def test_ping_in_a_network_of_ones_own(jail: JailedVenv) -> None:
    """A new one lets nobody do that."""
    fresh = ["unshare", "--user", "--map-current-user", "--net", sys.executable, "-c", PING]
    assert "PermissionError" in jail.home.run(fresh).stderr
    assert run(jail, "none", "python", "-c", PING) == (0, "0\n", "")
    jail.stop()
