"""What the tests of a running jail share: a shell that outlives the edits of files."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

#: What is edited on the host is seen in the jail within this time, in seconds.
SECOND = 1.0


def user_config(home: FakeHome, text: str) -> Path:
    """Write ``~/.dirjailconfig``; return its path."""
    path = home.write(".dirjailconfig", text)
    path.chmod(0o600)
    return path


@contextmanager
def configured(jail: JailedVenv, text: str) -> Iterator[None]:
    """Have jails of ``jail`` started in the block by a user's config of ``text``."""
    jail.stop()
    file = user_config(jail.home, text)
    try:
        yield
    finally:
        jail.stop()
        file.unlink()


class Shell:
    """A shell in the jail that outlives the edits; as a context, it ends."""

    def __init__(self, jail: JailedVenv) -> None:
        self._process = subprocess.Popen(
            [*VENVJAIL, "run", jail.env, "sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=jail.home.env,
            cwd=jail.home.project,
        )
        self.run("true")

    def run(self, command: str) -> str:
        """What the command prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}; }} 2>&1; echo; echo END\n")
        self._process.stdin.flush()
        lines = []
        while (line := self._process.stdout.readline()) != "END\n":
            assert line, "the shell has ended"
            lines.append(line)
        return "".join(lines)[:-1]

    def sees(self, path: str) -> bool:
        """Whether the path, for a shell, exists."""
        return self.run(f"test -e {path} && printf yes") == "yes"

    def close(self) -> str:
        """End it; what it printed at last."""
        return self._process.communicate(timeout=20)[0]
