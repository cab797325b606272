"""A venv that ``python -m venvjail`` has made in a home of the tests, and its jail."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from types import TracebackType

from tests.support.home import FakeHome
from venvjail import client
from venvjail.layout import VenvPaths

#: ``python -m venvjail``, as the user whose home it is types it.
VENVJAIL = (sys.executable, "-m", "venvjail")


class JailedVenv:
    """A venv in ``home``, made by its constructor; as a context, it leaves no jail and no ``/tmp``.

    ``env`` is where, below the home's project unless it is absolute; ``options`` are those of
    ``python -m venvjail``, and ``python`` is an interpreter that has it.  The jail starts with the
    first command and is stopped with the context; all commands run in the project unless ``cwd``
    says otherwise.
    """

    def __init__(
        self,
        home: FakeHome,
        env: str | Path = "venv",
        *,
        options: Sequence[str] = ("--without-pip",),
        python: str | Path = sys.executable,
        timeout: float = 60,
    ) -> None:
        self.home = home
        self.env = home.project / env
        self.paths = VenvPaths(str(self.env))
        self.bin = Path(self.paths.bin)
        self.store = Path(self.paths.store)
        self.state = Path(self.paths.state)
        self._venvjail = (python, "-m", "venvjail")
        home.check([*self._venvjail, *options, self.env], timeout=timeout)

    def __enter__(self) -> "JailedVenv":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if os.path.islink(self.paths.tmp_link):
            shutil.rmtree(self.tmp, ignore_errors=True)

    @contextmanager
    def configured(self, text: str) -> Iterator[None]:
        """With ``text`` in the user's own config, whose live keys count from the next command."""
        file = self.home.write(".dirjailconfig", text)
        try:
            yield
        finally:
            file.unlink()

    @property
    def tmp(self) -> Path:
        """The host's ``/tmp/dirjail-XXXXXX``; there is one from the first start on."""
        return Path(os.readlink(self.paths.tmp_link))

    @property
    def status(self) -> client.Status | None:
        """The running jail, ``None`` when none runs."""
        return client.status(self.paths)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> CompletedProcess[str]:
        """Run any program in the jail by ``venvjail run``; see :meth:`FakeHome.run`."""
        return self.home.run(
            [*self._venvjail, "run", self.env, "--", *argv],
            cwd=cwd,
            env=env,
            stdin=stdin,
            timeout=timeout,
        )

    def check(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> str:
        """Like :meth:`run`, but fail the test unless the status is 0; return the output."""
        done = self.run(argv, cwd=cwd, env=env, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"status {done.returncode}: {argv}\n{done.stdout}{done.stderr}"
        return done.stdout

    def python(
        self,
        code: str,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> str:
        """What ``venv/bin/python -c CODE ARGUMENTS...`` prints, its last newline left out.

        The test fails unless its status is 0.
        """
        argv = [self.bin / "python", "-c", code, *arguments]
        output = self.home.check(argv, cwd=cwd, env=env, stdin=stdin, timeout=timeout)
        return output.removesuffix("\n")

    def stop(self) -> None:
        """End the jail if it runs; the next command starts it again."""
        client.stop(self.paths)
