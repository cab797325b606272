"""Supervisor (host's namespaces): the process of a running jail that serves its view.

It prepares the plan, forks the builder, and only then imports trio and pyfuse3: the builder works
meanwhile.  It never enters the jail's namespaces, so it never sees its own mount.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace

from setproctitle import setproctitle

from venvjail import layout, syscalls
from venvjail.config import file as configfile
from venvjail.config.model import Config
from venvjail.errors import UserError
from venvjail.jail import builder, grafts, guards, host, landlock, policy, walls, witness
from venvjail.jail.plan import Facts, make_plan
from venvjail.jail.walls import Walls
from venvjail.rcfiles import shell_files
from venvjail.record import Record, load

log = logging.getLogger("venvjail.jail.supervisor")


@dataclass(frozen=True)
class Prepared:
    """Everything that is decided before the jail exists."""

    paths: layout.VenvPaths
    record: Record
    config: Config
    facts: Facts
    walls: Walls
    placeholders: list[str]


def main(venv: str, lock: int, ready: int) -> None:
    """Serve the jail of ``venv`` until it ends.

    ``lock`` is the held start lock, ``ready`` a pipe to whoever started us: ``R`` goes there when
    commands can join, ``E`` and one line when they cannot.
    """
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO, force=True
    )
    os.set_inheritable(lock, False)
    os.set_inheritable(ready, False)
    placeholders: list[str] = []
    try:
        prepared = _prepare(layout.VenvPaths(venv))
        placeholders = prepared.placeholders
        channel, builder_pid = _fork_builder(prepared, (lock, ready))
        watcher = witness.start((lock, ready, channel.fileno()))
        from venvjail.jail import service  # imports trio and pyfuse3

        # Now, not before: the first import of a module writes its compiled file.
        confine(prepared.paths, placeholders)
        service.run(prepared, watcher, channel, builder_pid, lock, ready)
    except UserError as error:
        _say_failed(ready, str(error))
        sys.exit(1)
    except Exception as error:
        log.exception("the supervisor fails")
        _say_failed(ready, f"the jail's supervisor fails: {error}; see {venv}/.venvjail/run/log")
        sys.exit(1)
    finally:
        guards.release_places(placeholders)


def _say_failed(ready: int, line: str) -> None:
    with contextlib.suppress(OSError):  # closed already: the jail was ready, and then failed
        os.write(ready, b"E" + line.encode("utf-8", "surrogateescape"))


def _prepare(paths: layout.VenvPaths) -> Prepared:
    setproctitle(f"venvjail: supervisor {paths.env}")
    _raise_descriptor_limit()
    record = load(paths.env)
    home = host.find_home(os.environ.get("HOME", ""))
    config = configfile.load(policy.user_config(home), paths.config)
    project = host.project(config, home)
    placeholders = guards.hold_places(project, config) if project else []
    try:
        facts = host.gather(
            paths,
            config,
            record,
            home,
            tmp=host.private_tmp(paths),
            files=shell_files(paths.env, record.prompt),
        )
    except BaseException:
        guards.release_places(placeholders)
        raise
    rules = policy.home_rules(config, facts, record)
    grafts.make_always(rules, paths.store)
    facts = replace(facts, grafts=tuple(grafts.find(rules, home, paths.store)))
    return Prepared(paths, record, config, facts, walls.decide(facts, config), placeholders)


def confine(paths: layout.VenvPaths, placeholders: Iterable[str]) -> None:
    """Take from this process all write access that it does not need.

    It serves a hostile peer with the user's rights: should it be talked into opening a wrong path,
    the kernel says no.
    """
    if not landlock.usable():
        return  # logged with the jail's walls
    ruleset = landlock.create(landlock.supervisor_grants(paths, placeholders))
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.landlock_restrict_self(ruleset, landlock.restrict_flags())
    os.close(ruleset)


def _raise_descriptor_limit() -> None:
    """The view keeps a descriptor for each inode that the kernel remembers."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _fork_builder(prepared: Prepared, ours: tuple[int, ...]) -> tuple[socket.socket, int]:
    """The socket to the builder (later to init) and the builder's pid."""
    allow = policy.proc_rules(prepared.config).allow
    plan = make_plan(prepared.facts, frozenset(os.fsdecode(name) for name in allow))
    channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # When the builder exits, init becomes our child, so that it dies with us (PDEATHSIG).
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    pid = os.fork()
    if pid == 0:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        channel.close()
        for fd in ours:
            os.close(fd)
        builder.run(
            theirs,
            prepared.paths.run,
            plan,
            prepared.walls,
            user_namespaces=prepared.config.jail.user_namespaces.value,
        )
    theirs.close()
    return channel, pid
