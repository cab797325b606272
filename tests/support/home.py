"""A home like a real user's, with secrets, that a test may do anything to."""

import fnmatch
import importlib.metadata
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.commands import run_command

#: The source tree the tests are part of.
TREE = Path(__file__).parents[2]

#: In the content of every file that must not be seen in a jail.
SECRET = "TOP-SECRET-OF-THE-TESTS"

#: What is in the home, by path below it.  ``~/dotfiles`` is what dotfile managers make.
FILES = {
    ".ssh/id_rsa": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n",
    ".aws/credentials": f"[default]\naws_secret_access_key = {SECRET}\n",
    ".gitconfig": "[user]\n\tname = Alice\n\temail = alice@example.org\n",
    "docs/letter.txt": f"{SECRET}\n",
    ".bashrc": "alias ll='ls -l'\ngreet() { echo \"hello from bashrc, $1\"; }\n",
    "dotfiles/profile": "export FROM_PROFILE=yes\n",
    "dotfiles/inputrc": "set bell-style none\n",
    "src/proj/main.py": 'print("hello from proj")\n',
}
SYMLINKS = {
    ".profile": "dotfiles/profile",
    ".inputrc": "dotfiles/inputrc",
}


class FakeHome:
    """A home directory made for one test, and the environment of the user who lives there.

    ``root`` is the home itself; ``project`` is ``src/proj`` in it, a git repository with one
    commit; ``env`` is the whole environment of the commands that :meth:`run` starts, and may be
    changed.  ``XDG_RUNTIME_DIR`` lies beside the home, as ``/run/user/UID`` does.
    """

    def __init__(self, root: Path, runtime: Path) -> None:
        self.root = root
        self.project = root / "src/proj"
        self.env = _environment(root, runtime)
        runtime.mkdir(mode=0o700)
        root.mkdir(mode=0o700)
        for name, content in FILES.items():
            self.write(name, content)
        for name, target in SYMLINKS.items():
            (root / name).symlink_to(target)
        (root / ".ssh").chmod(0o700)
        (root / ".ssh/id_rsa").chmod(0o600)
        self._make_repository()

    def write(self, name: str, content: str) -> Path:
        """Write a file of the home, its directories too; return its absolute path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` as this home's user, in the project unless ``cwd`` says otherwise.

        ``env`` is added to the home's environment.  See :func:`run_command` for the rest.
        """
        return run_command(
            argv,
            cwd=cwd or self.project,
            env={**self.env, **(env or {})},
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

    def snapshot(self, without: Path | None = None) -> dict[str, str]:
        """Return what each name below the home is, to be compared later.

        A file is its mode and content, a symlink its target, anything else its mode.  ``without``
        is left out, and all below it.
        """
        found = {}
        for directory, subdirectories, files in os.walk(self.root):
            inside = [Path(directory, name) for name in (*subdirectories, *files)]
            found.update({path: _describe(path) for path in inside if path != without})
            subdirectories[:] = [
                name for name in subdirectories if Path(directory, name) != without
            ]
        return {os.path.relpath(path, self.root): found[path] for path in sorted(found)}

    def _make_repository(self) -> None:
        self.check(["git", "init", "--quiet", "--initial-branch=main"])
        self.check(["git", "add", "."])
        self.check(["git", "commit", "--quiet", "--message=Begin"])


def _describe(path: Path) -> str:
    mode = path.lstat().st_mode
    if path.is_symlink():
        return f"symlink to {path.readlink()}"
    content = path.read_bytes() if path.is_file() else b""
    return f"{mode:o} {content!r}"


def _environment(root: Path, runtime: Path) -> dict[str, str]:
    patterns = (TREE / "scripts/environment-kept").read_text(encoding="utf-8").split()
    kept = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    name = pwd.getpwuid(os.getuid()).pw_name
    return {
        **kept,
        **_source_path(),
        "HOME": str(root),
        "USER": name,
        "LOGNAME": name,
        "SHELL": "/bin/bash",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "XDG_CACHE_HOME": str(root / ".cache"),
        "XDG_CONFIG_HOME": str(root / ".config"),
        "XDG_DATA_HOME": str(root / ".local/share"),
        "XDG_STATE_HOME": str(root / ".local/state"),
        "XDG_RUNTIME_DIR": str(runtime),
    }


def _source_path() -> dict[str, str]:
    """Where venvjail is not installed, its commands find the package in this tree."""
    try:
        importlib.metadata.distribution("venvjail")
    except importlib.metadata.PackageNotFoundError:
        return {"PYTHONPATH": str(TREE)}
    return {}
