"""Runs everywhere: the configuration of one venv's jail as frozen data (docs/config.md).

`venvjail.config.file.load` makes a `Config` from the built-in defaults, the user's file and the
venv's file.  Each value carries its `Origin`, so that ``venvjail config`` and ``venvjail explain``
can name the file and line behind a verdict.
"""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from venvjail.quoting import printable

T = TypeVar("T")

HomeMode = Literal["merge", "ro"]
NetworkMode = Literal["host", "none", "isolated"]
TerminalMode = Literal["relay", "shared"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: a file and a line (from 1), or ``default`` without a line."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        """``/home/alice/.dirjailconfig:3``, safe to print."""
        file = printable(self.file)
        return file if self.line is None else f"{file}:{self.line}"


#: The origin of the values built in (`venvjail.config.defaults`).
DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Item:
    """One string of a list: a path, a pattern or a name."""

    value: str
    origin: Origin

    @property
    def key(self) -> str:
        """What makes two entries of a list the same; the later one replaces the earlier."""
        return self.value


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value there is one of: the last file that gives it wins."""

    value: T
    origin: Origin


@dataclass(frozen=True, slots=True)
class HomeAllow:
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


@dataclass(frozen=True, slots=True)
class Assignment:
    """An environment variable given to every command of the jail."""

    name: str
    value: str
    origin: Origin

    @property
    def key(self) -> str:
        """The name: a later assignment replaces the value."""
        return self.name


@dataclass(frozen=True, slots=True)
class Publish:
    """A TCP port of the host's loopback forwarded to a port in the jail."""

    host: int
    jail: int
    origin: Origin

    @property
    def key(self) -> int:
        """The host's port: it can lead to one place only."""
        return self.host


@dataclass(frozen=True, slots=True)
class Home:
    """``[home]``: paths relative to the home; ``hide`` wins over ``allow``."""

    allow: tuple[HomeAllow, ...]
    hide: tuple[Item, ...]
    writable: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Filesystem:
    """``[filesystem]``: absolute paths."""

    hide: tuple[Item, ...]
    writable: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """``[project]``: the writable subtree, absolute (None: just the venv), and what to guard in it.

    ``protect`` holds paths relative to the project.
    """

    path: Item | None
    protect: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Proc:
    """``[proc]``: paths relative to ``/proc``; a directory stands for all below it."""

    allow: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """``[run]``: absolute paths below ``/run``."""

    allow: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Dev:
    """``[dev]``: absolute glob patterns below ``/dev``."""

    allow: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Environment:
    """``[environment]``: patterns of names, whose case is ignored; ``keep`` wins over the rest.

    ``only`` is None where no file gives it: everything passes that is not withheld.
    """

    withhold: tuple[Item, ...]
    keep: tuple[Item, ...]
    only: tuple[Item, ...] | None
    set: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """``[network]``."""

    mode: Setting[NetworkMode]
    publish: tuple[Publish, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """``[limits]``: a number of processes and threads, bytes of memory; None is no limit."""

    processes: Setting[int] | None
    memory: Setting[int] | None


@dataclass(frozen=True, slots=True)
class Jail:
    """``[jail]``: ``linger`` in seconds."""

    linger: Setting[float]
    user_namespaces: Setting[bool]
    notice: Setting[bool]
    terminal: Setting[TerminalMode]


@dataclass(frozen=True, slots=True)
class Audit:
    """``[audit]``: paths relative to the home."""

    sensitive: tuple[Item, ...]
    expected: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Config:
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
