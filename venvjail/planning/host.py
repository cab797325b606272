"""Supervisor (host): gather the facts that the plan is made from.

Paths are resolved here, on the host and before the jail exists; the builder then refuses symlinks.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import logging
import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from venvjail.atomic import open_directory
from venvjail.config.model import Config, Item
from venvjail.errors import ConfigError, JailError
from venvjail.layout import VenvPaths
from venvjail.planning.elsewhere import mailbox, snapshots
from venvjail.planning.guards import Guards
from venvjail.planning.launcher import symlinks_on
from venvjail.planning.plan import Facts, within
from venvjail.record import Record

if TYPE_CHECKING:
    from venvjail.networks.resolver import Resolver

_RESOLV_CONF = "/etc/resolv.conf"


log = logging.getLogger("venvjail.planning.host")


def gather(
    paths: VenvPaths,
    config: Config,
    record: Record,
    home: str,
    *,
    guarded: Guards,
    tmp: str,
    files: Mapping[str, bytes],
) -> Facts:
    """All facts for the plan; JailError where the host is not as a jail needs it."""
    place = project(config, home)
    name_servers = _name_servers() if config.network.mode.value == "isolated" else None
    if os.path.realpath(record.base_prefix) == home:
        raise JailError(f"the Python interpreter's prefix {record.base_prefix} is your home itself")
    aliases, others = tuple(_aliases(home)), tuple(_other_homes(home))
    homes = (home, *aliases, *others)
    covered = (home, "/run", "/tmp", "/var/tmp", *((place,) if place else ()))
    memory = config.limits.memory
    return Facts(
        paths=paths,
        uid=os.getuid(),
        home=home,
        tmp=tmp,
        project=place,
        home_aliases=aliases,
        other_homes=others,
        elsewhere=(*dict.fromkeys(p for h in homes for p in snapshots(h)), *mailbox()),
        runtimes=tuple(_runtimes((home, "/run"))),
        guards=tuple(sorted(guarded.all())),
        other_states=tuple(sorted(guarded.hidden)),
        hide=tuple(os.path.realpath(item.value) for item in config.filesystem.hide),
        writable=tuple(_writable(config, home)),
        sockets=tuple(_sockets(covered)),
        run=tuple(_run_allowed(config, name_servers)),
        devices=tuple(_devices(config)),
        temporaries=tuple(path for path in ("/tmp", "/var/tmp") if _is_real_directory(path)),
        resolver=name_servers,
        files=files,
        memory=None if memory is None else memory.value,
    )


def writable_trees(config: Config, home: str) -> tuple[str, ...]:
    """The project and what ``writable`` in the config adds to it; real paths."""
    place = project(config, home)
    return (*((place,) if place else ()), *_writable(config, home))


def find_home(variable: str) -> str:
    """The real path of the home: ``$HOME`` where it names a directory of the user's own.

    Otherwise the account's home in the user database.  ``/`` and directories of other users are
    refused: the view would cover the system.
    """
    account = pwd.getpwuid(os.getuid()).pw_dir
    for candidate in (variable, account):
        if not candidate.startswith("/"):
            continue
        real = os.path.realpath(candidate)
        if real != "/" and os.path.isdir(real) and os.stat(real).st_uid == os.getuid():
            return real
    raise JailError(
        f"neither HOME ({variable or 'not set'}) nor the account's home ({account}) is a "
        "directory of yours; set HOME to one"
    )


def _other_homes(home: str) -> Iterator[str]:
    account = os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
    if account not in (home, "/") and os.path.isdir(account) and not within(account, home):
        yield account


def _runtimes(covered: Iterable[str]) -> Iterator[str]:
    """``$XDG_RUNTIME_DIR`` where no other step covers it: keyrings and sockets of the session.

    The XDG Base Directory Specification wants it to be the user's own, of mode 0700; anything else
    is taken for a mistake of the caller's.
    """
    variable = os.environ.get("XDG_RUNTIME_DIR", "")
    if not variable.startswith("/") or not os.path.isdir(variable):
        return
    real = os.path.realpath(variable)
    status = os.stat(real)
    private = status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) == 0o700
    if private and not any(within(real, directory) for directory in covered):
        yield real


def project(config: Config, home: str) -> str | None:
    """The real path of the writable subtree, or None when the project is just the venv."""
    item = config.project.path
    if item is None:
        return None
    path = _settled(item, item.value)
    if not os.path.isdir(path):
        raise ConfigError(
            f"{item.origin}: the project {item.value} is not a directory; mend the path"
        )
    if within(home, path):
        raise ConfigError(f"{item.origin}: the project {item.value} contains your home")
    return path


def ensure_store(paths: VenvPaths) -> None:
    """Make ``venv/home`` where it is missing; JailError where something else has its place.

    The user may have removed it.  That takes away the mount which covers the name in a running
    jail, so what is there now may be the jail's: a symlink to ``~/.ssh``, for example.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(paths.store, 0o700)
        fd = open_directory(paths.store)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise JailError(
                f"{paths.store} is not a directory; move it away, and the next start makes it anew"
            ) from None
        raise JailError(f"cannot use {paths.store}: {error.strerror}") from None
    os.close(fd)


def private_tmp(paths: VenvPaths) -> str:
    """The venv's ``/tmp/dirjail-XXXXXX``: the one it has if that is still ours, else a new one.

    Another user could have made a directory of that name after ours was removed, so owner, type
    and mode are checked (the class of CVE-2022-31214).
    """
    try:
        tmp = os.readlink(paths.tmp_link)
        status = os.lstat(tmp)
        private = stat.S_IMODE(status.st_mode) & 0o077 == 0
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and private:
            return os.path.realpath(tmp)
        os.unlink(paths.tmp_link)
    except FileNotFoundError:
        pass
    # The first start only: the others need not wait for what it imports.
    import tempfile

    tmp = tempfile.mkdtemp(prefix="dirjail-", dir="/tmp")
    try:
        if os.path.islink(paths.tmp_link):
            os.unlink(paths.tmp_link)
        os.symlink(tmp, paths.tmp_link)
    except OSError:  # a full disk: each attempt to start would leave one behind
        os.rmdir(tmp)
        raise
    return os.path.realpath(tmp)


def _writable(config: Config, home: str) -> Iterator[str]:
    items = [(item.value, item) for item in config.filesystem.writable]
    items += [(f"{home}/{item.value}", item) for item in config.home.writable]
    for path, item in items:
        real = _settled(item, path)
        if not os.path.exists(real):
            raise ConfigError(f"{item.origin}: {path} does not exist; make it or remove the entry")
        if within(home, real):
            raise ConfigError(f"{item.origin}: {path} contains your home and cannot be writable")
        yield real


def _settled(item: Item, path: str) -> str:
    """The real path of what a jail may write to.

    Raises ConfigError for a symlink of the user's on the way.  The jail of another venv, whose
    project this lies in, may have put it there, to have ``~/.ssh`` made writable instead.
    """
    real = os.path.realpath(path)
    for link in symlinks_on(path):
        if os.lstat(link).st_uid == os.getuid():
            raise ConfigError(
                f"{item.origin}: {link} is a symlink of yours, which a jail may have made; "
                f"if it leads where you want, write {real} instead"
            )
    return real


def _run_allowed(config: Config, name_servers: Resolver | None) -> Iterator[str]:
    wanted = [item.value for item in config.run.allow]
    wanted.append(os.path.realpath(_RESOLV_CONF))
    seen: set[str] = {name_servers.path} if name_servers is not None else set()
    for path in wanted:
        real = os.path.realpath(path)
        if within(real, "/run") and os.path.exists(real) and real not in seen:
            seen.add(real)
            yield real


def _name_servers() -> Resolver | None:
    from venvjail.networks import isolation, resolver  # most jails do without

    return resolver.find(isolation.shut())


def _devices(config: Config) -> Iterator[str]:
    for item in config.dev.allow:
        for path in sorted(glob.glob(item.value)):
            real = os.path.realpath(path)
            if within(real, "/dev"):
                yield real


def _sockets(covered: Iterable[str]) -> Iterator[str]:
    """Path sockets that the jail would reach: a read-only mount does not stop connect(2)."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
        names = list(socket_names(table))
    relative = [name for name in names if not name.startswith("/")]
    paths = [name for name in names if name.startswith("/")]
    if relative:
        # To a directory that the kernel does not tell: most probably one in which a process is.
        places = {*_working_directories()}
        paths += [f"{place}/{name}" for name in relative for place in places]
    for path in dict.fromkeys(map(os.path.realpath, paths)):
        if any(within(path, directory) for directory in covered):
            continue
        try:
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                yield path
        except OSError:
            continue  # bound and removed, or not ours to see: then not the jail's either


def socket_names(table: Iterable[str]) -> Iterator[str]:
    """The names in lines of /proc/net/unix, but for abstract ones; the last of eight columns."""
    for line in table:
        columns = line.rstrip("\n").split(None, 7)  # the inode is padded with blanks
        if len(columns) == 8 and columns[0] != "Num" and not columns[7].startswith("@"):
            yield columns[7]


def _working_directories() -> Iterator[str]:
    """Those of the processes that the user may look at."""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            yield os.readlink(f"/proc/{pid}/cwd")


def _aliases(home: str) -> Iterator[str]:
    """Other paths at which the file system of the home shows it: bind mounts, a second mount."""
    mounts = list(_mounts())
    owner = max(
        (mount for mount in mounts if within(home, mount.point)), key=lambda mount: len(mount.point)
    )
    in_filesystem = _join(owner.root, os.path.relpath(home, owner.point))
    for mount in mounts:
        if mount.device == owner.device and within(in_filesystem, mount.root):
            alias = _join(mount.point, os.path.relpath(in_filesystem, mount.root))
            if alias != home and _same_directory(alias, home):
                yield alias


class _Mount(NamedTuple):
    device: str
    root: str
    point: str


def _mounts() -> Iterator[_Mount]:
    """The mounts of this process, proc_pid_mountinfo(5); octal escapes undone."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            words = line.split(" ")
            yield _Mount(words[2], _unescape(words[3]), _unescape(words[4]))


def _unescape(text: str) -> str:
    for code in ("040", "011", "012", "134"):
        text = text.replace("\\" + code, chr(int(code, 8)))
    return text


def _join(directory: str, relative: str) -> str:
    return os.path.normpath(os.path.join(directory, relative))


def _same_directory(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second) and not os.path.islink(first)
    except OSError:
        return False


def _is_real_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
