"""A shell on a pseudo-terminal, driven as a user drives it."""

import os
import re
import signal
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pexpect

from tests.support.processes import Process, all_stopped, in_foreground, pid_of
from tests.support.waiting import eventually

#: Seconds until what should be on the screen has to be there; a jail may have to start first.
TIMEOUT = 20.0

#: The prompt of :func:`bash`; a jailed shell within reads the user's files and has another.
PROMPT = "outer> "

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07")


class Terminal:
    """``argv`` as the leader of a session with a terminal of its own; as a context, it ends it.

    What the terminal shows is read by :meth:`expect` and its like, and what was read is gone.
    """

    def __init__(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, rows: int = 24
    ) -> None:
        words = [os.fspath(word) for word in argv]
        self.child = pexpect.spawn(
            words[0],
            words[1:],
            env=dict(env),
            cwd=os.fspath(cwd),
            timeout=TIMEOUT,
            encoding="utf-8",
            codec_errors="surrogateescape",
            dimensions=(rows, 200),
        )
        self.child.delaybeforesend = None
        self.leader = Process(self.child.pid)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leader.kill(signal.SIGKILL)
        self.leader.close()
        self.child.close(force=True)

    def type(self, line: str) -> None:
        """Type ``line`` and Enter."""
        self.child.send(line + "\r")

    def press(self, key: str) -> None:
        """Press Ctrl and ``key``."""
        self.child.sendcontrol(key)

    def stop_job(self) -> None:
        """Press Ctrl-Z, and be at bash's prompt with every process of the job stopped.

        The shell goes by the first of them.  Who types ``fg`` before the others have stopped,
        within a millisecond, may have one of them stopped after it was continued.
        """
        job = self.foreground()
        self.press("z")
        self.expect("Stopped")
        self.expect(PROMPT)
        self.wait_for(lambda: all_stopped(job), "the whole job is stopped")

    def continue_job(self, *, to_end: bool = False) -> None:
        """Type ``fg``, read bash's answer, and wait until the job has the terminal.

        bash answers before it gives the terminal away, so a key could still be for bash.  A job
        that ends without one is not waited for: ``to_end``.
        """
        self.type("fg")
        self.match(r"fg\r\n([^\r]*)\r\n")
        if not to_end:
            self.wait_for(lambda: self.foreground() != self.leader.pid, "a job has the terminal")

    def expect(self, text: str) -> None:
        """Wait for ``text``."""
        self.child.expect_exact(text)

    def match(self, pattern: str) -> str:
        """Wait for the regular expression ``pattern``; return its first group."""
        self.child.expect(pattern)
        return str(self.child.match[1])

    def ask(self, command: str) -> str:
        """Return what ``command`` prints; the shell has to be at its prompt, and know printf."""
        self.type(f"printf '<%s' begin\\>; {command}; printf '<%s' end\\>")
        self.child.expect(r"<begin>([\s\S]*?)<end>")
        return _CONTROL.sub("", str(self.child.match[1])).replace("\r", "").strip()

    def status(self) -> str:
        """Return ``$?`` as the shell has it; any shell but fish."""
        self.type("printf '<st%s>' =$?")
        return self.match(r"<st=(\d+)>")

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        self.child.setwinsize(rows, columns)

    def wait_for_lines(self, program: str) -> None:
        """Poll until the process whose command line ends with ``program`` can be given lines.

        What is typed while a shell edits is the shell's: a carriage return typed sooner stays one,
        and ends no line for the command.  fish has its terminal in line mode before it gives it
        away, and throws away what came then.
        """

        def in_line_mode() -> bool:
            pid = pid_of(program)
            fd = os.open(f"/proc/{pid}/fd/0", os.O_RDWR | os.O_NOCTTY)
            try:
                input_flags, _, _, local_flags, *_ = termios.tcgetattr(fd)
            finally:
                os.close(fd)
            takes_lines = input_flags & termios.ICRNL and local_flags & termios.ICANON
            return bool(takes_lines and in_foreground(pid))

        self.wait_for(in_line_mode, "the terminal is in line mode")

    def foreground(self) -> int:
        """Return the process group that the terminal belongs to."""
        return os.tcgetpgrp(self.child.child_fd)

    def hang_up(self) -> None:
        """Close the terminal, as closing its window does; nothing can be read afterwards."""
        self.child.ptyproc.fileobj.close()

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Poll until ``condition()`` is true; fail with ``what`` and the screen otherwise."""
        eventually(condition, f"{what}; on the terminal: {self.child.before!r}")

    def end(self) -> int:
        """Wait until the session's leader has ended; its status, or minus its signal."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        if self.child.signalstatus is not None:
            return -int(self.child.signalstatus)
        return int(self.child.exitstatus)


def bash(*, env: Mapping[str, str], cwd: Path) -> Terminal:
    """An interactive bash without any file of the user's; it is at its :data:`PROMPT`."""
    settings = {**env, "PS1": PROMPT, "TERM": "dumb", "HISTFILE": "/dev/null"}
    terminal = Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], env=settings, cwd=cwd)
    terminal.expect(PROMPT)
    return terminal
