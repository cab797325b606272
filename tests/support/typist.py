"""A shell to which a test types the commands of a page, one after the other."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from tests.support.home import FakeHome

_SECONDS = 110
_DONE = "\x1e"


class Typist:
    """One bash in ``home``'s project, which keeps its directory and its jobs between commands.

    ``python`` and ``venvjail`` in its PATH are those of the tests.  Pages say ``/home/alice`` for
    the home and ``alice`` for its user; here they are translated.
    """

    def __init__(self, home: FakeHome, programs: Path) -> None:
        self._home = home
        env = {**home.env, "PATH": f"{programs}:{home.env['PATH']}", "COLUMNS": "140"}
        self._bash = subprocess.Popen(
            ["/bin/bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=home.project,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def enter(self, command: str, stdin: str = "") -> tuple[int, str]:
        """Type a command line; its status and all that it printed.  ``stdin`` is typed to it."""
        assert self._bash.stdin is not None
        command, stdin = (
            text.replace("/home/alice", str(self._home.root)) for text in (command, stdin)
        )
        given = f"printf %s {shlex.quote(stdin)} |" if stdin else ""
        feed = f"{{ {command}\n}} </dev/null" if not stdin else f"{given} {{ {command}\n}}"
        self._bash.stdin.write(f"{feed}\nprintf '\\n{_DONE}%d\\n' $?\n")
        self._bash.stdin.flush()
        return self._answer()

    def _answer(self) -> tuple[int, str]:
        assert self._bash.stdout is not None
        lines: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(_DONE):
                return int(line[1:]), self._as_alice("".join(lines))
            lines.append(line)
        raise AssertionError(f"the shell has ended: {''.join(lines)}")

    def _as_alice(self, output: str) -> str:
        return output.replace(str(self._home.root), "/home/alice").replace(
            self._home.env["USER"], "alice"
        )

    def __enter__(self) -> Typist:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGHUP)
        self._bash.wait(10)
        assert self._bash.stdout is not None
        self._bash.stdout.close()
