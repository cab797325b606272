"""Run a command that must be refused: the one line it is refused with, and that nothing ran."""

import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

#: The command: it leaves a mark where it runs, jailed or not.
MARK = "import pathlib; pathlib.Path('ran').touch()"


def run_marked(
    home: FakeHome, command: Sequence[str | Path], prefix: Sequence[str] = ()
) -> "tuple[subprocess.CompletedProcess[str], bool]":
    """The command as it ended, and whether its program ran."""
    mark = home.project / "ran"
    done = home.run([*prefix, *command, "-c", MARK])
    ran = mark.exists()
    mark.unlink(missing_ok=True)
    return done, ran


def refused(
    jail: JailedVenv, *, status: int = 125, prefix: Sequence[str] = (), env: Path | None = None
) -> str:
    """The line with which both ways to run a command are refused; none of them runs it."""
    jail.stop()
    place = env or jail.env
    lines = set()
    commands: list[list[str | Path]] = [[place / "bin/python"], [*VENVJAIL, "run", place, "python"]]
    for command in commands:
        done, ran = run_marked(jail.home, command, prefix)
        assert not ran
        assert done.returncode == status, done
        assert done.stdout == ""
        assert done.stderr.startswith("venvjail: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        lines.add(done.stderr.removeprefix("venvjail: ").removesuffix("\n"))
    assert len(lines) == 1, lines
    return lines.pop()


def refused_without_stop(jail: JailedVenv) -> str:
    """Like `refused`, for what keeps `stop` from working too."""
    done, ran = run_marked(jail.home, [jail.bin / "python"])
    assert not ran
    assert done.returncode == 125, done
    assert done.stdout == ""
    assert done.stderr.startswith("venvjail: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("venvjail: ").removesuffix("\n")


def runs(jail: JailedVenv, prefix: Sequence[str] = ()) -> bool:
    """The control: whether the same command runs."""
    jail.stop()
    done, ran = run_marked(jail.home, [jail.bin / "python"], prefix)
    assert (done.returncode, done.stderr) == (0, "")
    return ran


@contextmanager
def replaced(path: str | Path, content: bytes, mode: int = 0o600) -> Iterator[None]:
    """The file has another content for a while."""
    path = Path(path)
    former, former_mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    path.write_bytes(content)
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(0o600)
        path.write_bytes(former)
        path.chmod(former_mode)
