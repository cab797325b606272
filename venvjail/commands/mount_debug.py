"""Command line (host's namespaces): mount the jail's view on the host, to look at it from outside.

The same operations as in the jail, mounted through fusermount3, in the foreground.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator

import click
import trio

from fusefs.events import Event
from fusefs.operations import Operations
from fusefs.serve import serve
from fusefs.view import ViewSettings, raise_descriptor_limit
from venvjail.caller import refuse_in_jail, refuse_root
from venvjail.config import file as configfile
from venvjail.errors import JailError, UserError
from venvjail.layout import VenvPaths
from venvjail.planning import guards, host, policy
from venvjail.quoting import printable
from venvjail.record import load

_FUSERMOUNT = "fusermount3"
#: Where libfuse looks for it first, whatever PATH says.
_LIBFUSE_PATH = "/usr/local/bin:/usr/bin:/bin"


def run(paths: VenvPaths, mount_point: str | None, *, trace: bool) -> None:
    """Serve the view at ``mount_point``, or a fresh directory, until Ctrl-C or SIGTERM.

    Raises UserError or JailError, one line each, where it cannot be mounted.
    """
    refuse_root()
    refuse_in_jail()
    _check_fusermount()
    settings = _settings(paths)
    raise_descriptor_limit()
    observer = _print if trace else _ignore
    failure = trio.run(_serve, Operations(settings, observer, trace=trace), mount_point)
    if failure is not None:
        raise JailError(failure)


def _check_fusermount() -> None:
    path = f"{_LIBFUSE_PATH}:{os.environ.get('PATH', '')}"
    if shutil.which(_FUSERMOUNT, path=path) is None:
        raise JailError(f"{_FUSERMOUNT} is missing; install it: apt install fuse3")


def _settings(paths: VenvPaths) -> ViewSettings:
    record = load(paths.env)
    home = host.find_home(os.environ.get("HOME", ""))
    config = configfile.load(policy.user_config(home), paths.config)
    guarded = guards.find(host.writable_trees(config, home), paths.env, config)
    host.ensure_store(paths)
    facts = host.gather(paths, config, record, home, guarded=guarded, tmp="/tmp", files={})
    return policy.view_settings(config, facts, record)


@contextlib.contextmanager
def _directory(mount_point: str | None) -> Iterator[str]:
    if mount_point is not None:
        yield _checked(mount_point)
        return
    fresh = tempfile.mkdtemp(prefix="venvjail-view-")
    try:
        yield fresh
    finally:
        with contextlib.suppress(OSError):  # still busy, or somebody has put a file there
            os.rmdir(fresh)


def _checked(mount_point: str) -> str:
    """The real path of a directory that can be mounted on; UserError where it is none."""
    word = shlex.quote(mount_point)
    real = os.path.realpath(mount_point)
    try:
        names = os.listdir(real)
    except FileNotFoundError:
        raise UserError(f"{mount_point}: does not exist; make it: mkdir {word}") from None
    except NotADirectoryError:
        raise UserError(f"{mount_point}: is not a directory; name an empty one") from None
    except OSError as error:  # ENOTCONN: a dead file system's mount
        raise UserError(
            f"{mount_point}: {error.strerror}; if something is mounted there: "
            f"{_FUSERMOUNT} -u {word}"
        ) from None
    if os.path.ismount(real):
        raise UserError(
            f"{mount_point}: something is mounted there already; "
            f"unmount it: {_FUSERMOUNT} -u {word}"
        )
    if names:
        raise UserError(f"{mount_point}: is not empty; name an empty directory")
    return real


async def _serve(operations: Operations, mount_point: str | None) -> str | None:
    """Serve until a signal comes or the view is unmounted; why it could not be mounted, if so."""
    with (
        # First of all, so that whatever is made from here on is undone.
        trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals,
        _directory(mount_point) as directory,
    ):
        stderr = _HeldStderr()

        def ready() -> None:
            stderr.release()
            click.echo(f"the view is at {printable(directory)}; Ctrl-C unmounts it")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, signals, nursery.cancel_scope)
            options = frozenset({"default_permissions"})
            try:
                await serve(operations, directory, options=options, ready=ready)
            except RuntimeError as error:
                return f"cannot mount at {directory}: {stderr.release() or error}"
            finally:
                nursery.cancel_scope.cancel()
    return None


async def _cancel_on_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()


class _HeldStderr:
    """Keeps what libfuse and fusermount3 print while they mount: their reason, in their words."""

    def __init__(self) -> None:
        self._former = os.dup(2)
        self._held = os.memfd_create("stderr", os.MFD_CLOEXEC)
        os.dup2(self._held, 2)

    def release(self) -> str:
        """Give standard error back; the first line that was printed, ``""`` without one."""
        os.dup2(self._former, 2)
        os.close(self._former)
        with open(self._held, "rb") as held:
            held.seek(0)
            line = held.readline(4096)
        return os.fsdecode(line).strip().removeprefix(f"{_FUSERMOUNT}: ")


def _print(event: Event) -> None:
    path = printable(os.fsdecode(event.path))
    try:
        click.echo(f"{event.operation:<10} {event.verdict.value:<10} {path}")
    except BrokenPipeError:
        # Nobody reads on: end as by Ctrl-C, and without a complaint about what is still buffered.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
        signal.raise_signal(signal.SIGTERM)


def _ignore(_event: Event) -> None:
    return
