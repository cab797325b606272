"""A throw-away home with a plain venv and a jailed one, side by side in a project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from venvjail import client
from venvjail.layout import VenvPaths

VENVJAIL = (sys.executable, "-m", "venvjail")


class Place:
    """The home, which ``HOME`` names, and what is in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "src/project"
        self.plain = self.project / "plain"
        self.jailed = self.project / "jailed"
        self.wheels = home / "src/wheels"

    @property
    def store(self) -> Path:
        """What the jail's new files of the home are on the host."""
        return self.jailed / "home"

    def configure(self, text: str) -> None:
        """Make ``text`` the user's config; for jails that start from now on."""
        (self.home / ".dirjailconfig").write_text(text)

    def python(self, venv: Path) -> Path:
        """A venv's interpreter."""
        return venv / "bin/python"

    def make(self, venv: Path, *options: str) -> None:
        """Make a jailed venv."""
        quiet([*VENVJAIL, *options, venv])

    def status(self) -> client.Status:
        """The jail of ``jailed``, started if it does not run."""
        quiet([self.python(self.jailed), "-c", "pass"])
        status = client.status(VenvPaths(str(self.jailed)))
        assert status is not None, "a jail stays for a while after its last command"
        return status

    def stop(self, venv: Path) -> None:
        """End a jail, if it runs."""
        client.stop(VenvPaths(str(venv)))


def quiet(command: list[str | Path], cwd: Path | None = None) -> None:
    """Run a command that has to succeed; what it prints is shown only if it does not."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"status {done.returncode}: {command}\n{done.stdout}{done.stderr}")


@contextmanager
def place() -> Iterator[Place]:
    """A fresh one, current directory included; afterwards nothing of it is left."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        there = Place(Path(directory).resolve() / "home")
        there.project.mkdir(parents=True)
        os.environ["HOME"] = str(there.home)
        os.chdir(there.project)
        quiet([sys.executable, "-m", "venv", there.plain])
        there.make(there.jailed)
        try:
            yield there
        finally:
            for venv in there.project.iterdir():
                paths = VenvPaths(str(venv))
                if os.path.islink(paths.tmp_link):
                    client.stop(paths)
                    shutil.rmtree(os.readlink(paths.tmp_link), ignore_errors=True)
            os.chdir("/")
