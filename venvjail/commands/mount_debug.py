"""Command line (host's namespaces): mount the jail's view on the host, to look at it from outside.

The same operations as in the jail, mounted through fusermount3, in the foreground.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator

import click
import trio

from fusefs.events import Event
from fusefs.operations import Operations
from fusefs.serve import serve
from fusefs.view import ViewSettings
from venvjail.caller import refuse_in_jail, refuse_root
from venvjail.config import file as configfile
from venvjail.errors import JailError, UserError
from venvjail.jail import guards, host, policy
from venvjail.layout import VenvPaths
from venvjail.quoting import printable
from venvjail.record import load


def run(paths: VenvPaths, mount_point: str | None, *, trace: bool) -> None:
    """Serve the view at ``mount_point``, or a fresh directory, until Ctrl-C or SIGTERM."""
    refuse_root()
    refuse_in_jail()
    settings = _settings(paths)
    with _directory(mount_point) as directory:
        operations = Operations(settings, _print if trace else _ignore, trace=trace)
        try:
            trio.run(_serve, operations, directory)
        except RuntimeError as error:
            # libfuse gives no errno; it has printed fusermount3's own message.
            raise JailError(f"cannot mount at {directory}: {error}") from error


def _settings(paths: VenvPaths) -> ViewSettings:
    record = load(paths.env)
    home = host.find_home(os.environ.get("HOME", ""))
    config = configfile.load(policy.user_config(home), paths.config)
    guarded = guards.find(host.writable_trees(config, home), paths.env, config)
    facts = host.gather(paths, config, record, home, guarded=guarded, tmp="/tmp", files={})
    return policy.view_settings(config, facts, record)


@contextlib.contextmanager
def _directory(mount_point: str | None) -> Iterator[str]:
    if mount_point is None:
        fresh = tempfile.mkdtemp(prefix="venvjail-view-")
        try:
            yield fresh
        finally:
            os.rmdir(fresh)
        return
    if not os.path.isdir(mount_point):
        raise UserError(f"{mount_point}: is not a directory; make it: mkdir {mount_point}")
    if os.path.ismount(mount_point):
        raise UserError(
            f"{mount_point}: something is mounted there already; "
            f"unmount it: fusermount3 -u {mount_point}"
        )
    yield os.path.realpath(mount_point)


async def _serve(operations: Operations, directory: str) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)

        def ready() -> None:
            click.echo(f"the view is at {printable(directory)}; Ctrl-C unmounts it")

        await serve(operations, directory, options=frozenset({"default_permissions"}), ready=ready)
        nursery.cancel_scope.cancel()


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()


def _print(event: Event) -> None:
    path = printable(os.fsdecode(event.path))
    click.echo(f"{event.operation:<10} {event.verdict.value:<10} {path}")


def _ignore(_event: Event) -> None:
    return
