"""An isolated jail and the servers of the host it runs on."""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.support.jail import JailedVenv
from tests.support.live import user_config
from tests.support.world import (
    BOUND,
    CONNECT,
    FURTHER,
    METADATA,
    OUTSIDE,
    OWN,
    PORT,
    World,
    WorldsHome,
    answers,
    hearing,
    require_isolation,
    world,
)

#: The ways to a program's own host.
HOST = ("127.0.0.1", "127.0.0.53", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", *OWN, FURTHER)

#: Sends its word to a group by the interface, bound to it or not.
SEND = """
import socket, sys
group, word, bound = sys.argv[1:]
with socket.socket(socket.AF_INET6 if ":" in group else socket.AF_INET, socket.SOCK_DGRAM) as out:
    if int(bound):
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"out0")
    out.sendto(word.encode(), (group, 5353))
"""

#: Removes each unreachable route, and says how that ended; netlink(7).
UNDO = """
import errno, socket, struct, sys
ends = {}
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    raw = socket.inet_pton(family, address)
    body = struct.pack("=BBBBBBBBI", family, 8 * len(raw), 0, 0, 254, 0, 255, 0, 0)
    body += struct.pack("=HH", 4 + len(raw), 1) + raw
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as kernel:
        kernel.send(struct.pack("=IHHII", 16 + len(body), 25, 5, 1, 0) + body)
        code = -struct.unpack_from("=i", kernel.recv(4096), 16)[0]
    ends[address] = errno.errorcode.get(code, "done")
print(ends)
"""

#: Shuts the addresses as a jail's init does, in namespaces of its own, before UNDO.
SHUT = "from venvjail.networks import isolated\nimport sys\nisolated.shut(sys.argv[1:])\n"


@pytest.fixture(scope="module")
def place() -> Iterator[World]:
    require_isolation()
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def jail(place: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JailedVenv]:
    directory = tmp_path_factory.mktemp("shared")
    home = WorldsHome(directory / "home", directory / "run", place)
    user_config(home, '[network]\nmode = "isolated"\n')
    with JailedVenv(home) as venv:
        yield venv


def link_local(home: WorldsHome) -> str:
    """The address with its interface, ``fe80::…%out0``."""
    program = (
        "from venvjail.networks import netlink\n"
        "print(next(a for a in netlink.addresses() if a.startswith('fe80:')))"
    )
    return home.check([sys.executable, "-c", program]).strip() + "%out0"


def test_no_address_of_the_host_leads_to_it(jail: JailedVenv, place: World) -> None:
    """Nor does the gateway's, where pasta puts the host's loopback if it is let."""
    assert isinstance(jail.home, WorldsHome)
    words = [str(PORT), *HOST, METADATA, link_local(jail.home), *OUTSIDE]
    with place.listening("host"):
        control = answers(jail.home.check([sys.executable, "-c", CONNECT, *words]))
        # The duplicate address detection of the link-local one may not be over.
        assert {end for address, end in control.items() if "%" not in address} == {"host"}
        inside = answers(jail.python(CONNECT, *words))
    assert {address: inside.pop(address) for address in OUTSIDE} == dict.fromkeys(OUTSIDE, "host")
    assert set(inside.values()) == {"ConnectionRefusedError", "OSError"}, inside


def test_sockets_bound_to_the_interface(jail: JailedVenv, place: World) -> None:
    """The kernel takes what has no route for a neighbour then, and pasta for its destination."""
    words = [str(PORT), *HOST, METADATA, "::ffff:198.51.100.7", *OUTSIDE]
    with place.listening("host"):
        inside = answers(jail.python(BOUND, *words))
    # The control: the same sockets get to where the jail may.
    assert {address: inside.pop(address) for address in OUTSIDE} == dict.fromkeys(OUTSIDE, "host")
    assert set(inside.values()) == {"ConnectionRefusedError", "PermissionError"}, inside


@pytest.mark.parametrize("group", ["224.0.0.251", "ff02::fb"])
@pytest.mark.parametrize("bound", [False, True])
def test_groups_that_the_host_listens_to(
    jail: JailedVenv, place: World, group: str, bound: bool
) -> None:
    """mDNS: what the machine is called and offers.  The kernel brings it back to its sender."""
    with hearing(place, group) as heard:
        jail.run(["python", "-c", SEND, group, "jail", str(int(bound))])
        # The control, which comes later than what it is for.
        jail.home.check([sys.executable, "-c", SEND, group, "host", str(int(bound))])
        assert heard() == "host"


def test_the_gateways_address_is_not_the_hosts_loopback(jail: JailedVenv, place: World) -> None:
    with place.listening("host"):
        program = CONNECT.replace("settimeout(3)", "settimeout(1)")
        words = [str(PORT), "10.77.0.1", "fd77::1"]
        assert "host" not in answers(jail.python(program, *words)).values()


@pytest.mark.parametrize("nested", [False, True])
def test_what_is_shut_cannot_be_opened(jail: JailedVenv, nested: bool) -> None:
    addresses = [FURTHER, METADATA, "fd00:ec2::254"]
    own = ["unshare", "--user", "--map-root-user", "--net"]
    control = jail.home.check([*own, sys.executable, "-c", SHUT + UNDO, *addresses])
    assert set(ast.literal_eval(control).values()) == {"done"}
    text = '[network]\nmode = "isolated"\n'
    if nested:
        text += "[jail]\nuser_namespaces = true\n"
    jail.stop()
    user_config(jail.home, text)
    before = ["unshare", "--user", "--map-root-user"] if nested else []
    inside = jail.check([*before, "python", "-c", UNDO, *addresses])
    assert set(ast.literal_eval(inside).values()) == {"EPERM"}
