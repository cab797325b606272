"""Command line (host): every prerequisite, why it matters, and what to do where it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from venvjail.doctor import remedies, trials
from venvjail.doctor.remedies import Distribution
from venvjail.doctor.trials import Outcome, attempt

_JAIL_SECONDS = 60.0
_ENVIRONMENT = ("HOME", "PATH", "PYTHONPATH", "LANG", "XDG_RUNTIME_DIR", "TMPDIR")


@dataclass(frozen=True)
class Finding:
    """One prerequisite; a jail does without one that is not ``required``."""

    name: str
    ok: bool
    required: bool
    found: str
    why: str
    remedy: str


@dataclass(frozen=True)
class _Check:
    name: str
    why: str
    trial: trials.Trial
    remedy: Callable[[Distribution], str]
    required: bool = True


_TRIED = (
    _Check(
        "user namespaces",
        "with them an ordinary user may make the jail's mounts",
        trials.user_namespaces,
        lambda _: remedies.for_user_namespaces(),
    ),
    _Check(
        "mounts",
        "the jail is a tree of mounts of its own",
        trials.mounts,
        lambda _: remedies.for_user_namespaces(),
    ),
    _Check(
        "read-only trees",
        "everything outside the project is read-only in the jail",
        trials.trees,
        lambda _: remedies.for_kernel(),
    ),
    _Check(
        "/dev/fuse",
        "a file system of ours shows the home",
        trials.fuse_device,
        lambda _: remedies.for_fuse_device(),
    ),
    _Check(
        "FUSE in a namespace",
        "it is mounted in the jail alone",
        trials.fuse_mount,
        lambda _: remedies.for_kernel(),
    ),
    _Check(
        "/proc in a namespace",
        "the jail sees its own processes only",
        trials.procfs,
        lambda _: remedies.for_procfs(),
    ),
    _Check(
        "libfuse",
        "the supervisor speaks to the kernel by it",
        trials.pyfuse3,
        remedies.for_libfuse,
    ),
    _Check(
        "seccomp",
        "it keeps programs from the corners of the kernel that exploits need",
        trials.seccomp,
        lambda _: remedies.for_kernel(),
    ),
    _Check(
        "inotify",
        "what pip installs, and edits of the config, are noticed by it",
        trials.watch,
        lambda _: (
            "echo fs.inotify.max_user_instances=1024 | sudo tee "
            "/etc/sysctl.d/90-venvjail.conf && sudo sysctl -p /etc/sysctl.d/90-venvjail.conf"
        ),
    ),
    _Check(
        "Landlock",
        "a second wall behind the mounts; from version 6 also against abstract sockets",
        trials.landlock,
        lambda _: remedies.for_landlock(),
        required=False,
    ),
    _Check(
        "pasta",
        'network.mode = "isolated" needs it, and /dev/net/tun',
        trials.pasta,
        remedies.for_pasta,
        required=False,
    ),
)

_PROGRAMS = (
    (
        "fusermount3",
        "venvjail mount-debug mounts on the host by it",
        remedies.same_everywhere("fuse3"),
    ),
)


def run(distribution: Distribution) -> Iterator[Finding]:
    """Try everything; the last finding is whether a jail starts."""
    for check in _TRIED:
        outcome = attempt(check.trial)
        remedy = "" if outcome.ok else check.remedy(distribution)
        yield Finding(
            check.name, outcome.ok, check.required, outcome.found, check.why, remedy
        )  # fmt: skip
    for program, why, packages in _PROGRAMS:
        path = shutil.which(program)
        remedy = "" if path else distribution.install(packages)
        yield Finding(program, path is not None, False, path or "not found", why, remedy)
    outcome = _start_a_jail()
    yield Finding(
        "a jail",
        outcome.ok,
        True,
        outcome.found,
        "what all of this is for",
        "mend what is missing above; where nothing is, report this line",
    )


def _start_a_jail() -> Outcome:
    """Make a venv, run a program in its jail, and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="venvjail-doctor-") as directory:
        venv = os.path.join(directory, "venv")
        venvjail = [sys.executable, "-m", "venvjail"]
        steps = (
            [*venvjail, "create", "--without-pip", "--no-project", venv],
            [f"{venv}/bin/python", "-c", "pass"],
        )
        try:
            for step in steps:
                done = _run(step, directory)
                if done.returncode:
                    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
                    return Outcome(False, lines[-1].removeprefix("venvjail: "))
        except subprocess.TimeoutExpired:
            return Outcome(False, f"did not start within {_JAIL_SECONDS:.0f} seconds")
        finally:
            _run([*venvjail, "remove", "--yes", venv], directory)
    return Outcome(True, "started one, and ran a program in it")


def _run(command: list[str], directory: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_JAIL_SECONDS,
        check=False,
    )
