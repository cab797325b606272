"""stress-ng's stressors of file systems: for what they verify, not for how fast they are."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from pathlib import Path

from tests.suites.compare import Outcomes, Trial
from tests.suites.subject import Subject

_WORKERS = "2"
_SECONDS = "2"
# Gigabytes by default, where megabytes take the same ways through the file system.
_SIZES = {
    "copy-file": "128m",  # its least
    "fallocate": "16m",
    "fiemap": "16m",
    "hdd": "16m",
    "iomix": "16m",
    "sync-file": "16m",
}
#: stress-ng(1), EXIT STATUS.
_STATUS = {2: "failed", 3: "skipped", 4: "skipped"}
# Said with status 0; and with 1 of a stressor that stress-ng holds for too dangerous.
_SKIPPED = re.compile("will be skipped|skipping stress|as it may hang or reboot the machine")


def trials() -> list[Trial]:
    """One for each stressor of the class that this version of stress-ng has."""
    listing = subprocess.run(
        ["stress-ng", "--class", "filesystem?"], capture_output=True, text=True, check=True
    )
    names = (listing.stdout + listing.stderr).rpartition("stressors:")[2].split()
    assert names, listing
    return [Trial("stress-ng", name, partial(run_stressor, name)) for name in names]


def run_stressor(name: str, subject: Subject, directory: Path) -> Outcomes:
    """How a stressor ends: ``ok``, ``failed``, ``skipped``, or its other status.

    What it counts says nothing: some do not end their first round in the time given.
    """
    size = [f"--{name}-bytes", _SIZES[name]] if name in _SIZES else []
    command = ["stress-ng", f"--{name}", _WORKERS, *size, "--timeout", _SECONDS, "--verify"]
    options = ["--no-rand-seed", "--temp-path", str(directory)]
    done = subject.run([*command, *options], cwd=directory, timeout=180)
    return {name: outcome(done.returncode, done.stdout + done.stderr)}


def outcome(status: int, output: str) -> str:
    """What status and output of stress-ng say."""
    if status in (0, 1) and _SKIPPED.search(output):
        return "skipped"
    return "ok" if status == 0 else _STATUS.get(status, f"status {status}")
