#!/usr/bin/env python3
"""Usage: drill_host.py DIRECTORY.  Let malware loose in a plain venv and in a jailed one.

Makes two homes below DIRECTORY, which must not exist, each with false secrets and a project;
installs the same hostile package in both, and prints what it got.  The status is 1 where the jail
gave anything away, 2 where the malware did not work in the plain venv, and so proved nothing.
"""

import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, SHUT_RDWR, socket

import drill_payload as payload  # type: ignore[import-not-found]  # beside this file

SECRET = "FALSE-SECRET-OF-THE-DRILL"
PYPROJECT = """\
[build-system]
requires = []
build-backend = "drill_payload"
backend-path = ["."]
[project]
name = "innocent"
version = "1.0"
"""
#: Stands in for crontab(1), so that no real one is touched; it is in the project, for both to run.
CRONTAB = '#!/bin/sh\nexec cat >"$HOME/.crontab"\n'


class Place:
    """A home with false secrets and a project, and what a package installed there got."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.project = self.home / "src/app"
        self.venv = self.project / "venv"
        self.runtime = root / "run"
        self._report = self.project / "report.json"
        self.runtime.mkdir(parents=True, mode=0o700)
        for path in payload.READ:
            self._write(path, SECRET)
        for path in ("~/.bashrc", "~/.profile"):
            self._write(path, "# an ordinary line\n")
        for env in ("~/src/app/other", "~/src/tools"):
            self._write(f"{env}/pyvenv.cfg", "home = /usr/bin\n")
            self._write(f"{env}/lib/site-packages/README", "")
        self._write("~/src/app/tools/crontab", CRONTAB).chmod(0o755)
        self.run("git", "init", "--quiet", str(self.project))

    @property
    def environment(self) -> dict[str, str]:
        """That of the user who lives there; proxies and certificates are not needed."""
        return {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "PATH": f"{self.project}/tools:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "GITHUB_TOKEN": SECRET,
            "DATABASE_PASSWORD": SECRET,
            "DRILL_REPORT": str(self._report),
        }

    def run(self, *command: str) -> str:
        """Run a program as that user, in the project; its output."""
        directory = self.project if self.project.is_dir() else self.home
        done = subprocess.run(
            command, cwd=directory, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def install(self, package: Path) -> dict[str, bool]:
        """Install a package, which runs its code; for each attempt, whether it succeeded."""
        pip = (f"{self.venv}/bin/python", "-m", "pip", "install", "--quiet")
        with self._agents():
            self.run(*pip, "--disable-pip-version-check", "--no-index", str(package))
        said = json.loads(self._report.read_text(encoding="utf-8"))
        got = {name: SECRET in said[name] for name in ("the environment", *payload.READ)}
        got |= {name: SECRET in said[name] for name in payload.CONNECT}
        got |= {path: self._is_marked(self._path(path)) for path in payload.APPEND}
        got["crontab"] = self._is_marked(self.home / ".crontab")
        return got

    def _path(self, path: str) -> Path:
        return self.home / path.removeprefix("~/")

    def _write(self, path: str, text: str) -> Path:
        file = self._path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def _is_marked(self, path: Path) -> bool:
        return path.is_file() and payload.MARK in path.read_text(encoding="utf-8")

    @contextmanager
    def _agents(self) -> Iterator[None]:
        """Who answers on the sockets of the session."""
        listeners = []
        before = os.getcwd()
        os.chdir(self.runtime)
        for name in payload.CONNECT:
            listeners.append(socket(AF_UNIX))
            listeners[-1].bind(name)
            listeners[-1].listen()
        os.chdir(before)
        threads = [threading.Thread(target=_answer, args=(each,)) for each in listeners]
        for thread in threads:
            thread.start()
        yield
        for listener in listeners:
            listener.shutdown(SHUT_RDWR)  # wakes accept(2)
        for thread in threads:
            thread.join()
        for listener in listeners:
            listener.close()


def _answer(listener: socket) -> None:
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(SECRET.encode())
    except OSError:
        return  # it was shut down


def build_package(directory: Path) -> Path:
    """The hostile source distribution."""
    package = directory / "innocent-1.0.tar.gz"
    sources = {
        "pyproject.toml": PYPROJECT,
        "PKG-INFO": "Metadata-Version: 2.1\nName: innocent\nVersion: 1.0\n",
        "drill_payload.py": Path(payload.__file__).read_text(encoding="utf-8"),
    }
    with tarfile.open(package, "w:gz") as archive:
        for name, text in sources.items():
            file = directory / name
            file.write_text(text, encoding="utf-8")
            archive.add(file, f"innocent-1.0/{name}")
            file.unlink()
    return package


def main(directory: Path) -> int:
    """The drill; its exit status."""
    directory.mkdir(parents=True)
    package = build_package(directory)
    plain, jailed = Place(directory / "plain"), Place(directory / "jailed")
    plain.run(sys.executable, "-m", "venv", str(plain.venv))
    jailed.run(sys.executable, "-m", "venvjail", str(jailed.venv))
    package_in = [(place, place.project / package.name) for place in (plain, jailed)]
    for _, copy in package_in:
        copy.write_bytes(package.read_bytes())
    try:
        free, held = (place.install(copy) for place, copy in package_in)
        log = jailed.run(sys.executable, "-m", "venvjail", "log", str(jailed.venv), "--json")
    finally:
        jailed.run(sys.executable, "-m", "venvjail", "stop", str(jailed.venv))
    print(f"{'what the malware tried':50}  {'plain venv':10}  venvjail")
    for name, got in free.items():
        cells = ["GOT IT" if each else "-" for each in (got, held[name])]
        print(f"{_described(name):50}  {cells[0]:10}  {cells[1]}")
    print(f"\nplain venv: {sum(free.values())} of {len(free)}; venvjail: {sum(held.values())};")
    print(f"`venvjail log` names {len(log.splitlines())} things that it was refused")
    if any(held.values()):
        return 1
    return 0 if all(free.values()) else 2


def _described(name: str) -> str:
    if name in payload.READ:
        return f"read {name}"
    if name in payload.CONNECT:
        return f"talk to {name} of the session"
    if name in payload.APPEND:
        return f"write {name.replace('~/src/app', '.')}"
    return {"crontab": "install a crontab"}.get(name, f"read {name}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
