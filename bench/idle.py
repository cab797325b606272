"""What a jail costs while nothing runs in it."""

from __future__ import annotations

import time

from bench.measure import resident_kib, sleeps, wake_ups
from bench.page import Section, Table
from bench.place import Place
from venvjail import client
from venvjail.layout import VenvPaths

_LINGER = 2
#: The end of the command is written to the audit, and trio keeps the thread that did so for 10 s.
_SETTLING_SECONDS = 11
_TEXT = """
A jail with no command in it: memory in RAM, shared pages counted in both processes, and how
often each has woken up. Aims: at most 45 MiB together, no wake-ups, gone after `linger`.
"""


def measure(place: Place, quick: bool) -> Section:
    """Look at an empty jail for a while, then let it end."""
    watched = 5 if quick else 30
    place.stop(place.jailed)
    status = place.status()
    time.sleep(_SETTLING_SECONDS)
    pids = {"supervisor": status.supervisor, "init": status.init}
    before = {name: sleeps(pid) for name, pid in pids.items()}
    time.sleep(watched)
    woken = {name: wake_ups(before[name], sleeps(pid)) for name, pid in pids.items()}
    rows = [
        (name, f"{resident_kib(pid) / 1024:.1f} MiB", str(woken[name]))
        for name, pid in pids.items()
    ]
    total = sum(resident_kib(pid) for pid in pids.values()) / 1024
    rows.append(("together", f"{total:.1f} MiB", ""))
    columns = ("", "resident", f"wake-ups in {watched} s")
    gone = ("", "seconds"), [(f"gone after its last command, linger {_LINGER} s", _gone(place))]
    return Section("Idle", _TEXT, [Table(columns, rows), Table(*gone)])


def _gone(place: Place) -> str:
    """How long the jail stays with a short linger."""
    place.stop(place.jailed)
    paths = VenvPaths(str(place.jailed))
    place.configure(f"[jail]\nlinger = {_LINGER}\n")
    place.status()
    begin = time.monotonic()
    while client.status(paths) is not None:
        time.sleep(0.05)
    taken = time.monotonic() - begin
    place.configure("")
    return f"{taken:.1f}"
