"""Supervisor (host): what the jail's mount namespace will look like, as data.

``make_plan`` turns facts about the host and the config into frozen steps; ``apply`` carries them
out.  Nothing here touches the system, so the plan can be printed, tested and explained.

All paths are absolute, free of symlinks (the facts resolved them) and name the same place on the
host and in the jail unless a step has a separate source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from venvjail.layout import JAIL_FILES, VenvPaths
from venvjail.planning.grafts import Graft

if TYPE_CHECKING:
    from venvjail.networks.resolver import Resolver


class Root(NamedTuple):
    """A recursive copy of the host's ``/``, read-only, nosuid, nodev, under everything else."""

    target: str = "/"


class Bind(NamedTuple):
    """Show the host's ``source`` at ``target``."""

    source: str
    target: str
    writable: bool = False
    devices: bool = False


class Rebind(NamedTuple):
    """Mount a directory or file of the jail onto itself.

    Read-only, it guards the path.  Writable, it changes nothing but that the directory becomes a
    mount point, which cannot be renamed: renaming what is above a guard would get round it.
    """

    target: str
    writable: bool = False


class View(NamedTuple):
    """Show the subtree ``source`` of the FUSE view at ``target``."""

    source: str
    target: str


class Hide(NamedTuple):
    """Cover a directory, file or socket with an empty one of mode 000; a missing one is left."""

    target: str


class Tmpfs(NamedTuple):
    """A fresh tmpfs, writable until a ``Seal``.

    It holds ``size`` percent of the memory at most, and not more than ``most`` bytes.
    """

    target: str
    mode: int = 0o755
    size: int = 1
    most: int | None = None


class Devpts(NamedTuple):
    """A devpts instance of the jail's own: no pseudo-terminal of the host can be opened there."""

    target: str


class Queues(NamedTuple):
    """The POSIX message queues of the jail's IPC namespace; mq_overview(7)."""

    target: str


class Proc(NamedTuple):
    """The procfs of the jail's PID namespace; the view covers all top-level names but ``allow``."""

    target: str
    allow: frozenset[str]


class Directory(NamedTuple):
    """A directory on one of our tmpfs."""

    target: str
    mode: int = 0o755


class File(NamedTuple):
    """A small read-only file on one of our tmpfs."""

    target: str
    content: bytes


class Cover(NamedTuple):
    """A read-only file of this content over the file at ``target``."""

    target: str
    content: bytes


class Symlink(NamedTuple):
    """A symlink on one of our tmpfs."""

    target: str
    points_to: str


class Seal(NamedTuple):
    """Make the mount at ``target`` read-only, now that it is populated."""

    target: str


Step = (
    Root
    | Bind
    | Rebind
    | View
    | Hide
    | Tmpfs
    | Devpts
    | Queues
    | Proc
    | Directory
    | File
    | Cover
    | Symlink
    | Seal
)
Plan = tuple[Step, ...]


#: Of immutable facts.
_NO_FILES: Mapping[str, bytes] = {}


class Facts(NamedTuple):
    """What the plan needs to know of the host; gathered by ``host.gather``."""

    paths: VenvPaths
    uid: int
    home: str
    """The real path of the home, ``/home/alice``."""
    tmp: str
    """The host's directory behind the jail's ``/tmp``, ``/tmp/dirjail-a1b2c3d4``."""
    project: str | None = None
    """The writable subtree; None when only the venv is."""
    home_aliases: tuple[str, ...] = ()
    """Other paths at which a mount shows the home."""
    other_homes: tuple[str, ...] = ()
    """The account's home in the user database, where ``$HOME`` differs from it."""
    elsewhere: tuple[str, ...] = ()
    """Snapshots that hold the home as it was, and the account's mail."""
    runtimes: tuple[str, ...] = ()
    """The session's runtime directory, where that is not ``/run/user/UID``."""
    guards: tuple[str, ...] = ()
    """Existing paths in the writable subtrees that the host will run or trust later."""
    other_states: tuple[str, ...] = ()
    """State directories and stores of other venvs within the writable subtrees."""
    grafts: tuple[Graft, ...] = ()
    """Where the kernel serves the home instead of the view."""
    hide: tuple[str, ...] = ()
    """``[filesystem] hide``."""
    writable: tuple[str, ...] = ()
    """``[filesystem] writable`` and ``[home] writable``."""
    sockets: tuple[str, ...] = ()
    """Path sockets of the host that no other step covers."""
    run: tuple[str, ...] = ()
    """Paths below /run to show."""
    devices: tuple[str, ...] = ()
    """Device nodes, and directories of them, to show besides the standard ones."""
    temporaries: tuple[str, ...] = ("/tmp", "/var/tmp")
    resolver: Resolver | None = None
    """What ``/etc/resolv.conf`` is in the jail, where that is not the host's."""
    files: Mapping[str, bytes] = _NO_FILES
    """Files for ``/run/venvjail``, by relative path."""
    memory: int | None = None
    """``[limits] memory``, in bytes."""


#: Percent of the memory.  tmpfs(5) gives 50 to each mount, of which a jail has several; 10 is what
#: systemd gives a runtime directory (RuntimeDirectorySize= in logind.conf(5)).
SHARED_MEMORY = 25
RUNTIME = 10

STANDARD_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def within(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory`` or below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def make_plan(facts: Facts, proc_allow: frozenset[str]) -> Plan:
    """The jail's mounts in the order in which they have to be made.

    A mount covers what was mounted below it before, so parents come first.  Steps that look
    something up in the view block until the supervisor serves it, so they come last: the builder
    does all else while the supervisor is still importing.
    """
    overlays = [
        *_devices(facts),
        *_run(facts),
        *(Bind(facts.tmp, target, writable=True) for target in facts.temporaries),
        # Not Hide: the home in use, or the project, may lie below and need a mount point there.
        *(Tmpfs(home) for home in facts.other_homes),
        *(Tmpfs(directory, 0o700, RUNTIME, facts.memory) for directory in facts.runtimes),
        *(View("home", home) for home in (facts.home, *facts.home_aliases)),
        *(
            Bind(graft.source, f"{facts.home}/{graft.path}", graft.writable)
            for graft in facts.grafts
        ),
        *(Hide(path) for path in (*facts.hide, *facts.elsewhere)),
        *(Bind(path, path, writable=True) for path in facts.writable),
        *_project(facts),
        *(Hide(socket) for socket in facts.sockets),
        *_resolver(facts),
    ]
    homes = (facts.home, *facts.home_aliases)

    def order(step: Step) -> tuple[bool, list[str]]:
        return any(within(step.target, home) for home in homes), step.target.split("/")

    seals = [Seal(target) for target in ("/dev", "/run", *facts.other_homes)]
    return (Root(), *sorted(overlays, key=order), Proc("/proc", proc_allow), *seals)


def _devices(facts: Facts) -> Iterator[Step]:
    yield Tmpfs("/dev")
    for name in STANDARD_DEVICES:
        yield Bind(f"/dev/{name}", f"/dev/{name}", writable=True, devices=True)
    for device in facts.devices:
        yield Bind(device, device, writable=True, devices=True)
    yield Devpts("/dev/pts")
    yield Tmpfs("/dev/shm", 0o1777, SHARED_MEMORY, facts.memory)
    yield Queues("/dev/mqueue")
    yield Symlink("/dev/ptmx", "pts/ptmx")
    yield Symlink("/dev/fd", "/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        yield Symlink(f"/dev/{name}", f"/proc/self/fd/{number}")


def _run(facts: Facts) -> Iterator[Step]:
    yield Tmpfs("/run")
    yield Directory("/run/user")
    yield Directory(f"/run/user/{facts.uid}", 0o700)
    yield Tmpfs(f"/run/user/{facts.uid}", 0o700, RUNTIME, facts.memory)
    yield Directory("/run/lock", 0o755)
    yield Directory(JAIL_FILES)
    for name in sorted({name.rpartition("/")[0] for name in facts.files} - {""}):
        yield Directory(f"{JAIL_FILES}/{name}")
    for name, content in facts.files.items():
        yield File(f"{JAIL_FILES}/{name}", content)
    for path in facts.run:
        yield Bind(path, path)


def _resolver(facts: Facts) -> Iterator[Step]:
    if facts.resolver is not None:
        yield Cover(facts.resolver.path, facts.resolver.content)


def _project(facts: Facts) -> Iterator[Step]:
    """The writable subtrees and what within them must not be: DESIGN 4 and ESCAPES 4, 6 and 24."""
    paths = facts.paths
    tops = [*facts.writable]
    if facts.project is not None:
        yield Bind(facts.project, facts.project, writable=True)
        tops.append(facts.project)
    if facts.project is not None and within(paths.env, facts.project):
        yield Rebind(paths.env, writable=True)
    else:
        yield Bind(paths.env, paths.env, writable=True)
    yield Bind(paths.real_bin, paths.bin, writable=True)
    yield Rebind(paths.pyvenv_cfg)
    yield Hide(paths.state)
    yield Hide(paths.store)
    guards = [path for path in facts.guards if not any(within(path, h) for h in facts.hide)]
    # What the user reaches by its path on the host must stay at that path.
    kept = {*tops, paths.env, *guards, *facts.hide}
    for directory in sorted({d for path in kept for top in tops for d in _between(top, path)}):
        if directory not in kept:
            yield Rebind(directory, writable=True)
    for path in guards:
        yield Rebind(path)
    for path in facts.other_states:
        yield Hide(path)


def _between(top: str, path: str) -> Iterator[str]:
    """The directories strictly between ``top`` and ``path``."""
    if not within(path, top):
        return
    parts = path[len(top) :].strip("/").split("/")
    for count in range(1, len(parts)):
        yield top + "/" + "/".join(parts[:count])
