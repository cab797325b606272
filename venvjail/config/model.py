"""Runs everywhere: the configuration of one venv's jail as frozen data (docs/config.md).

`venvjail.config.file.load` makes a `Config` from the built-in defaults, the user's file and the
venv's file.  Each value carries its `Origin`, so that ``venvjail config`` and ``venvjail explain``
can name the file and line behind a verdict.
"""

from typing import Generic, Literal, NamedTuple, TypeVar

from venvjail.quoting import printable

T = TypeVar("T")

HomeMode = Literal["merge", "ro"]
NetworkMode = Literal["host", "none", "isolated"]
TerminalMode = Literal["relay", "shared"]


class Origin(NamedTuple):
    """Where a value was written: a file and a line (from 1), or ``default`` without a line."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        """``/home/alice/.dirjailconfig:3``, safe to print."""
        file = printable(self.file)
        return file if self.line is None else f"{file}:{self.line}"


#: The origin of the values built in (`venvjail.config.defaults`).
DEFAULT = Origin("default")

#: Where published ports are reached unless the config says otherwise.
LOOPBACK = "127.0.0.1"


class Item(NamedTuple):
    """One string of a list: a path, a pattern or a name."""

    value: str
    origin: Origin

    @property
    def key(self) -> str:
        """What makes two entries of a list the same; the later one replaces the earlier."""
        return self.value


class Setting(Generic[T]):
    """A value there is one of: the last file that gives it wins."""

    # Before Python 3.11 a NamedTuple cannot be generic.
    __slots__ = ("origin", "value")

    def __init__(self, value: T, origin: Origin) -> None:
        self.value = value
        self.origin = origin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Setting):
            return NotImplemented
        return (self.value, self.origin) == (other.value, other.origin)

    def __hash__(self) -> int:
        return hash((self.value, self.origin))


class HomeAllow(NamedTuple):
    """A path below the home, relative to it, that the jail sees.

    ``merge``: new names below it go to the store; ``ro``: nothing can be created below it.
    """

    path: str
    mode: HomeMode
    origin: Origin

    @property
    def key(self) -> str:
        """The path: a later entry for it replaces the mode."""
        return self.path


class Assignment(NamedTuple):
    """An environment variable given to every command of the jail."""

    name: str
    value: str
    origin: Origin

    @property
    def key(self) -> str:
        """The name: a later assignment replaces the value."""
        return self.name


class Publish(NamedTuple):
    """A TCP port at an ``address`` of the host, forwarded to a port in the jail."""

    host: int
    jail: int
    origin: Origin
    address: str = LOOPBACK

    @property
    def key(self) -> tuple[str, int]:
        """Where the host listens: that can lead to one place only."""
        return self.address, self.host


class Home(NamedTuple):
    """``[home]``: paths relative to the home; ``hide`` wins over ``allow``."""

    allow: tuple[HomeAllow, ...]
    hide: tuple[Item, ...]
    writable: tuple[Item, ...]


class Filesystem(NamedTuple):
    """``[filesystem]``: absolute paths."""

    hide: tuple[Item, ...]
    writable: tuple[Item, ...]


class Project(NamedTuple):
    """``[project]``: the writable subtree, absolute (None: just the venv), and what to guard in it.

    ``protect`` holds paths relative to the project, ``unprotect`` those of them that do not count.
    """

    path: Item | None
    protect: tuple[Item, ...]
    unprotect: tuple[Item, ...]


class Proc(NamedTuple):
    """``[proc]``: paths relative to ``/proc``; a directory stands for all below it."""

    allow: tuple[Item, ...]


class Run(NamedTuple):
    """``[run]``: absolute paths below ``/run``."""

    allow: tuple[Item, ...]


class Dev(NamedTuple):
    """``[dev]``: absolute glob patterns below ``/dev``."""

    allow: tuple[Item, ...]


class Environment(NamedTuple):
    """``[environment]``: patterns of names, whose case is ignored; ``keep`` wins over the rest.

    ``only`` is None where no file gives it: everything passes that is not withheld.
    """

    withhold: tuple[Item, ...]
    keep: tuple[Item, ...]
    only: tuple[Item, ...] | None
    set: tuple[Assignment, ...]


class Network(NamedTuple):
    """``[network]``."""

    mode: Setting[NetworkMode]
    publish: tuple[Publish, ...]


class Limits(NamedTuple):
    """``[limits]``: a number of processes and threads, bytes of memory; None is no limit."""

    processes: Setting[int] | None
    memory: Setting[int] | None


class Jail(NamedTuple):
    """``[jail]``: ``linger`` in seconds."""

    linger: Setting[float]
    user_namespaces: Setting[bool]
    notice: Setting[bool]
    terminal: Setting[TerminalMode]


class Audit(NamedTuple):
    """``[audit]``: paths relative to the home."""

    sensitive: tuple[Item, ...]
    expected: tuple[Item, ...]


class Config(NamedTuple):
    """The effective configuration: defaults, then the user's file, then the venv's."""

    home: Home
    filesystem: Filesystem
    project: Project
    proc: Proc
    run: Run
    dev: Dev
    environment: Environment
    network: Network
    limits: Limits
    audit: Audit
    jail: Jail
