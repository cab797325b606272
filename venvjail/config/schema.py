"""Runs everywhere: every section and key of a config file, as data.

The reader (`venvjail.config.file`), the printed config (`venvjail.config.view`) and the reference
(docs/config.md) are all made from this table.
"""

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

from venvjail.config import defaults
from venvjail.config import model as config
from venvjail.config import paths as paths
from venvjail.config import values as values
from venvjail.config.kind import Kind
from venvjail.config.model import DEFAULT, HomeAllow, Item, Setting


class Shape(enum.Enum):
    """How often a key's kind of value occurs in it."""

    ONE = "one value"
    LIST = "list"
    TABLE = "table of strings"


class Key(NamedTuple):
    """One key: ``default`` is what `Config` holds without any file, ``example`` is TOML."""

    name: str
    shape: Shape
    kind: Kind[Any]
    default: Any
    example: str
    meaning: str


class Section(NamedTuple):
    """One section: ``made`` is its class in `venvjail.config.model`, with a field for each key."""

    name: str
    made: type[Any]
    meaning: str
    keys: tuple[Key, ...]

    def key(self, name: str) -> Key | None:
        """The key called *name*, or None."""
        return next((key for key in self.keys if key.name == name), None)


def _items(texts: Sequence[str]) -> tuple[Item, ...]:
    return tuple(Item(text, DEFAULT) for text in texts)


def _list(name: str, kind: Kind[Any], default: Any, example: str, meaning: str) -> Key:
    return Key(name, Shape.LIST, kind, default, example, meaning)


def _one(name: str, kind: Kind[Any], default: Any, example: str, meaning: str) -> Key:
    return Key(name, Shape.ONE, kind, default, example, meaning)


SECTIONS = (
    Section(
        "home",
        config.Home,
        "What a jail sees of the home. Paths are relative to it (`~/` before them is accepted). "
        "What is not allowed does not exist in the jail; what a jail creates in the home goes to "
        "`venv/home`.",
        (
            _list(
                "allow",
                paths.HOME_ALLOW,
                tuple(HomeAllow(path, "merge", DEFAULT) for path in defaults.HOME_ALLOW),
                '[".gitconfig", ".config/git", {path = ".pyenv", mode = "ro"}]',
                "Shown read-only; a directory with all below it. New names in an allowed "
                'directory go to `venv/home` and show up beside the old ones; with `mode = "ro"` '
                "nothing can be created in it, and reading is as fast as outside.",
            ),
            _list(
                "hide",
                paths.HOME_HIDE,
                (),
                '[".profile", ".config/git/credentials"]',
                "Not shown, whatever `allow` says: takes a default back, or a part of an allowed "
                "directory.",
            ),
            _list(
                "writable",
                paths.HOME_WRITABLE,
                (),
                '["data"]',
                "Shown as it is, and writable: what a jail changes there, it changes for you. "
                "Without symlinks of yours on the way: a jail may have made them.",
            ),
        ),
    ),
    Section(
        "filesystem",
        config.Filesystem,
        "The rest of the file system, which a jail sees read-only. Paths are absolute, or begin "
        "with `~/`; they cannot contain the home.",
        (
            _list(
                "hide",
                paths.SYSTEM_PATH,
                (),
                '["/srv/private"]',
                "Not readable in the jail: a directory is empty there, and so is a file.",
            ),
            _list(
                "writable",
                paths.SYSTEM_PATH,
                (),
                '["/mnt/scratch"]',
                "Writable in the jail, beside the project. Without symlinks of yours on the way.",
            ),
        ),
    ),
    Section(
        "project",
        config.Project,
        "The directory in which the venv was created: the jail writes here.",
        (
            _one(
                "path",
                paths.PROJECT_PATH,
                None,
                '"/home/alice/proj"',
                "The writable directory. Recorded in the venv's file when the venv is created; "
                "without it the venv itself is all that is writable. Without symlinks of yours "
                "on the way.",
            ),
            _list(
                "protect",
                paths.PROTECT,
                _items(defaults.PROJECT_PROTECT),
                '["deploy", ".pre-commit-config.yaml"]',
                "Read-only all the same, because you or your tools run it outside the jail. A name "
                "without a slash counts at any depth, a path at its place.",
            ),
            _list(
                "unprotect",
                paths.PROTECT,
                (),
                '[".claude"]',
                "Writable although `protect` has it, by default or elsewhere: for an agent or "
                "editor that runs in the jail and keeps its settings in the project. What it "
                "writes there can name commands that the same tool runs outside the jail.",
            ),
        ),
    ),
    Section(
        "proc",
        config.Proc,
        "Files in `/proc` beside the jail's own processes.",
        (
            _list(
                "allow",
                paths.PROC_PATH,
                _items(defaults.PROC_ALLOW),
                '["diskstats", "sys/fs/mqueue"]',
                "Readable in the jail; a directory with all below it.",
            ),
        ),
    ),
    Section(
        "run",
        config.Run,
        "`/run`, which is empty in a jail but for this list.",
        (
            _list(
                "allow",
                paths.RUN_PATH,
                _items(defaults.RUN_ALLOW),
                '["/run/postgresql"]',
                "Shown if it is there. A socket that is shown can be talked to: the program behind "
                "it acts outside the jail.",
            ),
        ),
    ),
    Section(
        "dev",
        config.Dev,
        "`/dev`, which in a jail has the harmless devices (null, zero, full, random, urandom, "
        "tty), terminals of its own and `/dev/shm` of its own.",
        (
            _list(
                "allow",
                paths.DEV_PATTERN,
                (),
                '["/dev/nvidia*", "/dev/dri"]',
                "Further devices that are there when the jail starts, as paths or patterns. A "
                "directory with all below it.",
            ),
        ),
    ),
    Section(
        "environment",
        config.Environment,
        "Environment variables. Names can be patterns, and upper or lower case is the same. All "
        "variables pass but those that look like secrets or lead to an agent, a message bus or a "
        "display. Names decide, not values: what is in `PIP_INDEX_URL` or `DATABASE_URL` passes.",
        (
            _list(
                "withhold",
                values.NAME_PATTERN,
                _items(defaults.ENVIRONMENT_WITHHOLD),
                '["DATABASE_URL", "SENTRY_*"]',
                "Not passed into the jail.",
            ),
            _list(
                "keep",
                values.NAME_PATTERN,
                _items(defaults.ENVIRONMENT_KEEP),
                '["GITHUB_TOKEN"]',
                "Passed although `withhold` or `only` would not let it.",
            ),
            _list(
                "only",
                values.NAME_PATTERN,
                None,
                '["HOME", "PATH", "TERM", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LC_*", "TZ"]',
                "When given, nothing else passes. `withhold` applies to these too: a secret needs "
                "`keep`. An empty list lets nothing pass.",
            ),
            Key(
                "set",
                Shape.TABLE,
                values.VARIABLE,
                (),
                '{PIP_REQUIRE_VIRTUALENV = "1"}',
                "Given to every command in the jail, whatever the other lists say.",
            ),
        ),
    ),
    Section(
        "network",
        config.Network,
        "The network of the jail. `venvjail run --network MODE` takes another mode for one start.",
        (
            _one(
                "mode",
                values.NETWORK_MODE,
                Setting(defaults.NETWORK_MODE, DEFAULT),
                '"isolated"',
                '`"host"`: your network, as outside. `"none"`: nothing but a loopback of its own. '
                '`"isolated"`: the way out through pasta, of the package `passt`, but not to the '
                "servers on your machine, and not to the credentials that clouds hand out to it.",
            ),
            _list(
                "publish",
                values.PUBLISH,
                (),
                '[8000, "8080:80"]',
                'With `mode = "isolated"`: TCP ports of the jail that you reach on your own '
                "`127.0.0.1`, the same or as `HOST:JAIL`; `ADDRESS:HOST:JAIL` for others to reach "
                "them too.",
            ),
        ),
    ),
    Section(
        "limits",
        config.Limits,
        "What one jail may take of the machine.",
        (
            _one(
                "processes",
                values.PROCESSES,
                None,
                "4096",
                "Processes and threads together.  Init is one of them, and so is the stand-in on "
                "the host of each command that runs.",
            ),
            _one(
                "memory",
                values.MEMORY,
                None,
                '"8G"',
                "Memory of all processes together, with what is in `/dev/shm`; a number of bytes "
                "or a size with K, M, G or T. One process that asks for more is refused it; where "
                "all together hold more, the largest are killed, or the jail is ended, and a line "
                "says so. It is looked at some times a second, so that for a moment there may "
                "be more: docs/limits.md.",
            ),
        ),
    ),
    Section(
        "audit",
        config.Audit,
        "What `venvjail log` marks and a command tells at its end. Paths are relative to the home. "
        "Keys, credentials, browser profiles, wallets and their like are known; "
        "`venvjail/config/sensitive.py` lists them, with the reasons.",
        (
            _list(
                "sensitive",
                paths.HOME_HIDE,
                (),
                '["Documents/taxes", ".config/acme"]',
                "Further places, with all below them, that no program should look for. It changes "
                "nothing in what a jail sees.",
            ),
            _list(
                "expected",
                paths.HOME_HIDE,
                (),
                '[".aws"]',
                "Places that the programs of this venv look for with your knowledge: still hidden "
                "and still in the log, but not told of.",
            ),
        ),
    ),
    Section(
        "jail",
        config.Jail,
        "The jail itself.",
        (
            _one(
                "linger",
                values.SECONDS,
                Setting(defaults.LINGER, DEFAULT),
                "10",
                "Seconds that a jail stays after its last command, for the next one to start at "
                "once.",
            ),
            _one(
                "user_namespaces",
                values.SWITCH,
                Setting(defaults.USER_NAMESPACES, DEFAULT),
                "true",
                "Whether programs may make user namespaces of their own, as browsers do for their "
                "sandbox; it opens more of the kernel to them. Mounting stays refused, so "
                "bubblewrap and rootless containers do not work.",
            ),
            _one(
                "notice",
                values.SWITCH,
                Setting(defaults.NOTICE, DEFAULT),
                "false",
                "Whether a line on the terminal says so when a command looked for your secrets, or "
                "when an environment variable is withheld for the first time.",
            ),
            _one(
                "terminal",
                values.TERMINAL_MODE,
                Setting(defaults.TERMINAL, DEFAULT),
                '"shared"',
                '`"relay"`: commands get a terminal of their own, and what is typed and printed is '
                'copied between it and yours. `"shared"`: they get yours, and what they leave '
                "behind can read what you type into it later.",
            ),
        ),
    ),
)


def section(name: str) -> Section | None:
    """The section called *name*, or None."""
    return next((known for known in SECTIONS if known.name == name), None)
