"""A process that serves one view until SIGTERM; what it shows comes as JSON on stdin."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import trio

from fusefs import answers
from fusefs.events import Event
from fusefs.lanes import DEADLINE_SECONDS
from fusefs.operations import Operations
from fusefs.rules import Kind, Rule, Rules
from fusefs.serve import forget_entries, serve
from fusefs.view import ViewSettings


def _wake_without_reason(times: int) -> None:
    """Let trio say some times that there is a request when there is none."""
    wait_readable = trio.lowlevel.wait_readable
    left = iter(range(times))

    async def wait(fd: Any) -> None:
        if next(left, None) is None:
            await wait_readable(fd)
        else:
            await trio.lowlevel.checkpoint()

    trio.lowlevel.wait_readable = wait


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the test waits for this line


async def _serve(operations: Operations, mountpoint: str, never: tuple[bytes, ...]) -> None:
    def ready() -> None:
        _say("ready")

    options = {"default_permissions"}
    if mountpoint.startswith("/dev/fd/"):
        options.add("allow_other")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_sigterm, nursery.cancel_scope)
        nursery.start_soon(_take_new_rules, operations, never)
        await serve(operations, mountpoint, options=frozenset(options), ready=ready)
        nursery.cancel_scope.cancel()


async def _cancel_on_sigterm(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def _take_new_rules(operations: Operations, never: tuple[bytes, ...]) -> None:
    """Each further line on stdin is a list of rules, to hold from now on."""
    unread = b""
    async with trio.lowlevel.FdStream(sys.stdin.fileno()) as stream:
        async for received in stream:
            *lines, unread = (unread + received).split(b"\n")
            for line in lines:
                forget_entries(operations.replace_rules(_rules(json.loads(line)), never))
                _say("taken")


def _rules(listed: list[list[str]]) -> Rules:
    return Rules(Rule(os.fsencode(path), Kind[kind]) for path, kind in listed)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    settings = json.loads(sys.stdin.readline())
    if settings["descriptors"] is not None:
        limit = settings["descriptors"]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with Path(settings["events"]).open("w", buffering=1) as events:

        def observe(event: Event) -> None:
            record = {
                "operation": event.operation,
                "path": os.fsdecode(event.path),
                "verdict": event.verdict.value,
                "pid": event.pid,
                "errno": event.errno,
                "exists": event.exists,
            }
            events.write(json.dumps(record) + "\n")

        view = ViewSettings(
            home=os.fsencode(settings["home"]),
            store=os.fsencode(settings["store"]),
            rules=_rules(settings["rules"]),
            never=tuple(map(os.fsencode, settings["never"])),
        )
        if settings["entry_seconds"] is not None:
            answers.ENTRY_SECONDS = settings["entry_seconds"]
            answers.NO_ENTRY.entry_timeout = settings["entry_seconds"]  # was made at the import
        deadline = settings["deadline"] or DEADLINE_SECONDS
        operations = Operations(view, observe, trace=settings["trace"], deadline=deadline)
        _wake_without_reason(settings["false_alarms"])
        trio.run(_serve, operations, settings["mountpoint"], view.never)


if __name__ == "__main__":
    main()
