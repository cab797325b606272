"""A network for tests: one with an outside, a loopback and a name server, on no real interface.

A process holds user and network namespaces of its own.  Commands that enter them are still the
user's, and take them for the host: a jail that they start is one of that host.
"""

import ast
import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.support.home import FakeHome
from tests.support.requirements import require
from venvjail import syscalls
from venvjail.networks import isolation, netlink
from venvjail.networks import loopback as network

_TREE = Path(__file__).parents[2]

#: The host's own addresses: those of its interface, which pasta copies, and a further one.
OWN = ("10.77.0.2", "fd77::2")
FURTHER = "198.51.100.7"
GATEWAY = ("10.77.0.1", "fd77::1")
#: Addresses that are not the host's; to be reached through its interface.
OUTSIDE = ("203.0.113.9", "2001:db8:9::1")
#: Answers on the host as it does in a cloud.
METADATA = "169.254.169.254"
#: Everything listens at this port.
PORT = 7777

#: A name server on 127.0.0.53 that has one answer to all questions for an IPv4 address.
NAME_SERVER = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.53", 53))
    print("listening", flush=True)
    while True:
        question, peer = server.recvfrom(512)
        end = question.index(0, 12) + 5
        is_a = question[end - 4 : end - 2] == bytes([0, 1])
        head = question[:2] + bytes([0x81, 0x80, 0, 1, 0, is_a, 0, 0, 0, 0])
        answer = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9]) if is_a else b""
        server.sendto(head + question[12:end] + answer, peer)
"""

_TUNSETIFF = 0x400454CA
_IFF_TAP = 0x1002  # with IFF_NO_PI
_RTM_NEWLINK = 16
_RTM_NEWADDR = 20
_RTM_NEWROUTE = 24

#: What connects to addresses and says what it was told; for the host and for the jail.
CONNECT = """
import socket, sys
port, *addresses = sys.argv[1:]
found = {}
for address in addresses:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        client.settimeout(3)
        try:
            # getaddrinfo(3) knows what %out0 is.
            client.connect(socket.getaddrinfo(address, int(port), client.family)[0][4])
            found[address] = client.recv(100).decode() or "nothing"
        except OSError as error:
            found[address] = type(error).__name__
print(found)
"""

#: The same by sockets that are bound to the interface.
BOUND = CONNECT.replace(
    "client.settimeout(3)",
    'client.settimeout(3); client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"out0")',
)

#: Joins a group on the interface and prints the first thing that is sent to it.
HEAR = """
import socket, struct, sys
group = sys.argv[1]
family = socket.AF_INET6 if ":" in group else socket.AF_INET
index = socket.if_nametoindex("out0")
with socket.socket(family, socket.SOCK_DGRAM) as server:
    server.settimeout(20)
    server.bind(("", 5353))
    raw = socket.inet_pton(family, group)
    if family == socket.AF_INET:
        mreq = raw + struct.pack("4si", b"", index)
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq)
    else:
        mreq = raw + struct.pack("i", index)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, mreq)
    print("listening", flush=True)
    print(server.recv(100).decode(), flush=True)
"""

#: Accepts at all addresses of one port and says its word.
LISTEN = """
import socket, sys
word, family, address, port = sys.argv[1:]
with socket.socket(getattr(socket, family)) as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, int(port)))
    server.listen()
    print("listening", flush=True)
    while True:
        peer, _ = server.accept()
        peer.sendall(word.encode())
        peer.close()
"""


class World:
    """The namespaces that the process ``pid`` holds."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    @property
    def enter(self) -> list[str]:
        """What to put before a command line, to run it in there."""
        program = (
            f"import sys; sys.path.insert(0, {str(_TREE)!r}); "
            "from tests.support.world import enter; enter(sys.argv[1:])"
        )
        return [sys.executable, "-c", program, str(self._pid)]

    @contextmanager
    def listening(self, word: str, address: str = "::", port: int = PORT) -> Iterator[None]:
        """Something on this host says ``word`` to who connects; at all addresses by default."""
        with listening([*self.enter, sys.executable], word, address, port):
            yield

    @contextmanager
    def naming(self) -> Iterator[None]:
        """A name server answers on the loopback of this host."""
        with _serving([*self.enter, sys.executable, "-c", NAME_SERVER]):
            yield


@contextmanager
def listening(
    python: Sequence[str | Path],
    word: str,
    address: str,
    port: int,
    env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """``LISTEN`` by a command line that ends with an interpreter; it listens within."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    with _serving([*python, "-c", LISTEN, word, family, address, str(port)], env):
        yield


@contextmanager
def hearing(place: World, group: str) -> Iterator[Callable[[], str]]:
    """A program of the host's has joined a group; the call waits for what it has heard first."""
    with _serving([*place.enter, sys.executable, "-c", HEAR, group]) as output:
        yield lambda: output.readline().strip()


@contextmanager
def _serving(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> Iterator[IO[str]]:
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True)
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == "listening\n"
        yield server.stdout
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


class WorldsHome(FakeHome):
    """A home whose commands run in a world."""

    def __init__(self, root: Path, runtime: Path, world: World) -> None:
        self.world: World | None = None  # its files are made outside
        super().__init__(root, runtime)
        self.world = world

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        before = self.world.enter if self.world is not None else []
        return super().run([*before, *argv], cwd=cwd, env=env, stdin=stdin, timeout=timeout)


def answers(output: str) -> dict[str, str]:
    """What ``CONNECT`` found, by address: a word, ``nothing`` or the name of an error."""
    found: dict[str, str] = ast.literal_eval(output)
    return found


def require_isolation() -> None:
    """Skip, or fail, where no jail can have an isolated network."""
    require(isolation.pasta() is not None, "pasta is not installed")
    require(os.access("/dev/net/tun", os.R_OK | os.W_OK), "/dev/net/tun is missing or shut")


@contextmanager
def world(*, on_a_network: bool = True) -> Iterator[World]:
    """A world; its interface has addresses and default routes if it is ``on_a_network``."""
    program = (
        f"import sys; sys.path.insert(0, {str(_TREE)!r}); "
        f"from tests.support.world import hold; hold({on_a_network})"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "made\n"
        yield World(holder.pid)
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()


def enter(arguments: Sequence[str]) -> None:
    """Join the namespaces of the process that comes first, and execute the rest."""
    pid, *command = arguments
    for name, kind in (("user", syscalls.CLONE_NEWUSER), ("net", syscalls.CLONE_NEWNET)):
        fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
        syscalls.setns(fd, kind)
        os.close(fd)
    os.execvp(command[0], command)


def hold(on_a_network: bool) -> None:
    """Make a world, and hold it until standard input ends."""
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    network.raise_loopback()
    # So that a name server of the tests may have its port.
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    device = os.open("/dev/net/tun", os.O_RDWR)
    if on_a_network:
        _connect(device)
    print("made", flush=True)  # noqa: T201 - to the process that waits for it
    sys.stdin.read()


def _connect(device: int) -> None:
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"out0", _IFF_TAP))
    index = socket.if_nametoindex("out0")
    netlink.change(_RTM_NEWLINK, struct.pack("=BxHiII", 0, 0, index, 1, 1))  # IFF_UP
    for address, bits in ((OWN[0], 24), (OWN[1], 64)):
        _address(address, bits, index)
    _address(FURTHER, 32, 1)
    for gateway in GATEWAY:
        _route("", 0, index, gateway)
    for address in (*OUTSIDE, METADATA):
        _route(address, None, 1, "", local=True)


def _packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def _address(address: str, bits: int, index: int) -> None:
    family, raw = _packed(address)
    message = struct.pack("=BBBBI", family, bits, 0x02, 0, index)  # IFA_F_NODAD
    both = netlink.attribute(1, raw) + netlink.attribute(2, raw)
    netlink.change(_RTM_NEWADDR, message + both)


def _route(
    address: str, bits: int | None, index: int, gateway: str, *, local: bool = False
) -> None:
    """A route; a ``local`` one lets this host answer for an address that it does not have."""
    family, raw = _packed(address or gateway)
    length = 8 * len(raw) if bits is None else bits
    table, scope, kind = (255, 254, 2) if local else (254, 0, 1)
    message = struct.pack("=BBBBBBBBI", family, length, 0, 0, table, 4, scope, kind, 0)
    message += netlink.attribute(4, struct.pack("=I", index))  # RTA_OIF
    if length:
        message += netlink.attribute(1, raw)  # RTA_DST
    if gateway:
        message += netlink.attribute(5, _packed(gateway)[1])  # RTA_GATEWAY
    netlink.change(_RTM_NEWROUTE, message)
