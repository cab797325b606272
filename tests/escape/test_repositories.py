"""ESCAPES 6: repositories that are not there yet, or not where git's manual has them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv

#: What makes a directory a repository, with a config that runs a program at each ``git status``.
PLANT = """
import os, sys
directory, bare, proof = sys.argv[1:]
os.makedirs(directory, exist_ok=True)
for name in ("objects", "refs"):
    os.makedirs(directory + "/" + name, exist_ok=True)
with open(directory + "/HEAD", "w") as file:
    file.write("ref: refs/heads/main\\n")
with open(directory + "/config", "w") as file:
    file.write("[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n\\tworktree = %s\\n"
               "\\tfsmonitor = touch %s; false\\n" % (bare, proof))
"""


@pytest.fixture
def jail(home: FakeHome) -> Iterator[JailedVenv]:
    """A venv in a project without a repository."""
    for path in sorted((home.project / ".git").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    (home.project / ".git").rmdir()
    with JailedVenv(home) as venv:
        yield venv


def status_runs(home: FakeHome, directory: Path, proof: Path) -> bool:
    """Whether ``git status`` on the host, in ``directory``, runs what was planted."""
    home.run(["git", "status"], cwd=directory)
    done = proof.exists()
    proof.unlink(missing_ok=True)
    return done


@pytest.mark.parametrize("place", [".git", "."])
def test_a_project_does_not_become_a_repository(jail: JailedVenv, place: str) -> None:
    home = jail.home
    proof = home.root / "proof"
    words = [os.path.normpath(home.project / place), home.project, proof]
    assert jail.run([jail.bin / "python", "-c", PLANT, *words]).returncode != 0
    assert not status_runs(home, home.project, proof)
    jail.stop()
    assert not (home.project / "HEAD").exists()
    assert not (home.project / ".git").exists()
    # The control: the same on the host, by the same program.
    home.check(["/usr/bin/python3", "-c", PLANT, *words])
    assert status_runs(home, home.project, proof)


def test_a_repository_that_the_user_makes_meanwhile_is_guarded_and_stays(jail: JailedVenv) -> None:
    git = jail.home.project / ".git"
    jail.python("")
    jail.home.check(["git", "init", "--quiet"])
    assert jail.run(["touch", git / "config"]).returncode != 0
    assert jail.run(["touch", git / "hooks/pre-commit"]).returncode != 0
    jail.stop()
    assert (git / "HEAD").is_file()
    assert not (jail.home.project / "HEAD").exists()
    for name in (".vscode", ".claude", ".cursor"):
        assert not (jail.home.project / name).exists()


def test_two_jails_hold_one_placeholder(jail: JailedVenv) -> None:
    # The one that ends first must not take the other's guard away.
    git = jail.home.project / ".git"
    with JailedVenv(jail.home, "second") as second:
        jail.python("")
        second.python("")
        jail.stop()
        assert git.is_dir()
        assert second.run(["mkdir", git / "hooks"]).returncode != 0
        assert second.run(["rmdir", git]).returncode != 0
        assert second.run(["rm", "-r", git]).returncode != 0
        # No lock that a jail takes makes a difference: its init has one already.
        second.python(f"import fcntl, os; fcntl.flock(os.open({str(git)!r}, 0), fcntl.LOCK_SH)")
        jail.python("")
        second.stop()
        assert git.is_dir()
        assert jail.run(["mkdir", git / "hooks"]).returncode != 0
        jail.stop()
        assert not git.exists()


def test_a_placeholder_left_by_a_crash_is_taken_over(jail: JailedVenv) -> None:
    git = jail.home.project / ".git"
    git.mkdir()
    jail.python("")
    assert jail.run(["touch", git / "config"]).returncode != 0
    jail.stop()
    assert not git.exists()


def test_a_directory_that_the_jail_has_closed_is_guarded(home: FakeHome) -> None:
    # What could not be searched would have no guards, and the jail could open it again.
    nested = home.project / "libs/nested"
    home.check(["git", "init", "--quiet", nested])
    reopen = ["sh", "-c", 'chmod 755 "$1"; echo x >>"$1/nested/.git/config"', "sh", nested.parent]
    try:
        with JailedVenv(home) as venv:
            before = (nested / ".git/config").read_bytes()
            for mode in ("000", "444", "111"):
                venv.check(["chmod", mode, nested.parent])
                venv.stop()
                assert venv.run(reopen).returncode != 0
                venv.stop()
                nested.parent.chmod(0o755)
                assert (nested / ".git/config").read_bytes() == before
    finally:
        nested.parent.chmod(0o755)


def test_a_submodule_has_its_repository_in_the_guarded_one(home: FakeHome) -> None:
    home.check(["git", "init", "--quiet", home.root / "library"])
    commit = ["git", "commit", "--quiet", "--allow-empty", "-m", "x"]
    home.check(commit, cwd=home.root / "library")
    allow = ["-c", "protocol.file.allow=always"]
    home.check(["git", *allow, "submodule", "--quiet", "add", home.root / "library", "sub"])
    link = home.project / "sub/.git"
    assert link.is_file()
    with JailedVenv(home) as venv:
        for command in ("rm", "truncate -s 0", "mv -t /tmp", "cp /dev/null", "ln -sf /tmp"):
            assert venv.run(["sh", "-c", f'{command} "$1"', "sh", link]).returncode != 0, command
        hooks = home.project / ".git/modules/sub/hooks"
        assert venv.run(["touch", hooks / "post-checkout"]).returncode != 0
    assert "modules/sub" in link.read_text()
    home.check(["touch", hooks / "post-checkout"])


def test_a_hidden_directory_with_a_repository(home: FakeHome) -> None:
    nested = home.project / "libs/secret/nested"
    home.check(["git", "init", "--quiet", nested])
    home.write(".dirjailconfig", '[filesystem]\nhide = ["~/src/proj/libs/secret"]\n')
    with JailedVenv(home) as venv:
        for path in (nested.parent, nested.parent.parent):
            assert venv.run(["mv", path, f"{path}.old"]).returncode == 1
        assert venv.run(["ls", nested.parent]).returncode != 0
    home.check(["mv", nested.parent.parent, home.project / "moved"])
