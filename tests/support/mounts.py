"""A real mount for a test: a home, a store, and a server in a process of its own.

`MountedView` starts ``view_server``, waits until it serves, and at the end insists that it ended
well, left no mount behind and logged nothing that the test did not expect.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from fusefs.rules import Rule
from tests.support.layouts import RULES, Layout
from tests.support.waiting import eventually

#: Seconds for what takes none, on a machine that does much else.
PATIENCE = 30.0


def poll(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until ``condition`` holds; fail with ``what`` when it does not in so many seconds."""
    eventually(condition, what, seconds=seconds)


class MountedView:
    """A view mounted for as long as the context lasts; ``home`` and ``proc`` are in it.

    ``adopt`` is a descriptor of /dev/fuse that is mounted already, in another namespace.
    ``entry_seconds`` is how long the kernel trusts what it was told, instead of the usual time.
    """

    def __init__(
        self,
        layout: Layout,
        rules: Iterable[Rule] = RULES,
        *,
        mountpoint: Path | None = None,
        store: Path | None = None,
        deadline: float | None = None,
        adopt: int | None = None,
        descriptors: int | None = None,
        trace: bool = False,
        false_alarms: int = 0,
        entry_seconds: float | None = None,
    ) -> None:
        self.layout = layout
        self.mountpoint = mountpoint or layout.mountpoint
        self.home = self.mountpoint / "home"
        self.proc = self.mountpoint / "proc"
        self.expected_log = ""
        self._log = layout.base / "server.log"
        self._events = layout.base / "events.jsonl"
        self._settings = {
            "home": str(layout.host),
            "store": str(store or layout.store),
            "deadline": deadline,
            "mountpoint": str(self.mountpoint) if adopt is None else f"/dev/fd/{adopt}",
            "rules": _listed(rules),
            "never": [str(path) for path in layout.never],
            "descriptors": descriptors,
            "trace": trace,
            "false_alarms": false_alarms,
            "entry_seconds": entry_seconds,
            "events": str(self._events),
        }
        self._adopt = adopt
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server."""
        assert self._process is not None
        return self._process

    @property
    def is_mounted(self) -> bool:
        """Whether the kernel lists the mount."""
        listed = Path("/proc/self/mounts").read_text().split("\n")
        return any(line.split(" ")[1:2] == [str(self.mountpoint)] for line in listed)

    def set_rules(self, rules: Iterable[Rule]) -> None:
        """Let these rules hold from now on."""
        self._tell(_listed(rules))
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"taken\n"

    def _tell(self, message: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def events(self, operation: str | None = None) -> list[dict[str, object]]:
        """The events so far, of one operation or all."""
        lines = self._events.read_text().splitlines() if self._events.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if operation in (None, event["operation"])]

    def open_descriptors(self) -> int:
        """How many descriptors the server has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self) -> int:
        """How many threads the server has."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """A server that answers nothing, then goes on where it was."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def session_flags(self) -> int:
        """The open(2) flags of the server's /dev/fuse."""
        process = Path(f"/proc/{self.process.pid}")
        [fd] = [link.name for link in (process / "fd").iterdir() if _leads_to_fuse(link)]
        fields = (process / "fdinfo" / fd).read_text().split()
        return int(fields[fields.index("flags:") + 1], 8)

    def __enter__(self) -> MountedView:
        command = [sys.executable, "-m", "tests.support.view_server"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=() if self._adopt is None else (self._adopt,),
                cwd=Path(__file__).parents[2],
            )
        self._tell(self._settings)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            raise AssertionError(f"the server did not start: {self._log.read_text()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        killed = self.process.poll() is not None
        if not killed:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        leftover = self.is_mounted
        if leftover:
            subprocess.run(["fusermount3", "-uz", self.mountpoint], check=True)
        if error is not None:
            return
        log = self._log.read_text()
        if self.expected_log:
            assert self.expected_log in log
        else:
            assert log == "", f"unexpected output of the server:\n{log}"
        if not killed:
            assert self.process.returncode == 0, self.process.returncode
            assert not leftover, "the server left its mount behind"


def _listed(rules: Iterable[Rule]) -> list[list[str]]:
    return [[os.fsdecode(rule.path), rule.kind.name] for rule in rules]


def _leads_to_fuse(link: Path) -> bool:
    try:
        return os.readlink(link) == "/dev/fuse"
    except FileNotFoundError:
        return False  # closed meanwhile: the server opens and closes while it is looked at
