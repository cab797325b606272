"""`venvjail explain` says what a jail then shows."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.attempts import in_jail, on_host
from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

CONFIG = """\
[home]
allow = [".gitconfig", {path = "tools", mode = "ro"}]
hide = [".inputrc"]
[filesystem]
hide = ["/etc/hostname"]
"""


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JailedVenv]:
    """A venv with some config, whose jail has made something; no jail runs."""
    directory = tmp_path_factory.mktemp("explained")
    home = FakeHome(directory / "home", runtime=directory / "run")
    home.write(".dirjailconfig", CONFIG).chmod(0o600)
    home.write("tools/x", "x")
    home.write(".config/fish/config.fish", "")
    home.write(".config/secret/x", "")
    (home.root / "outside").symlink_to("/usr/share")
    with JailedVenv(home) as venv:
        venv.check(["sh", "-c", "mkdir -p ~/.cache/pip ~/own; touch ~/own/x ~/.config/new"])
        venv.stop()
        yield venv


def explain(venv: JailedVenv, *words: str | Path) -> str:
    return venv.home.check([*VENVJAIL, "explain", venv.env, *words])


def verdicts(text: str) -> dict[str, str]:
    """The verdict on each path."""
    found = re.findall(r"(?m)^(/.*): (hidden|read-only|writable|stored in venv/home)", text)
    return dict(found)


def lines(text: str) -> dict[str, str]:
    """What is said of one path, by the word that a line begins with."""
    return dict(line.split(maxsplit=1) for line in text.splitlines()[1:])


#: Below the home, what is said of it and how reading and writing ends in the jail.
IN_HOME = {
    ".ssh/id_rsa": ("hidden", "ENOENT", "ENOENT"),
    ".gitconfig": ("read-only", "done", "EROFS"),
    ".profile": ("read-only", "done", "EROFS"),
    ".inputrc": ("hidden", "ENOENT", "done"),
    ".dirjailconfig": ("hidden", "ENOENT", "done"),
    "tools/x": ("read-only", "done", "EROFS"),
    ".config/fish/config.fish": ("read-only", "done", "EROFS"),
    ".config/new": ("stored in venv/home", "done", "done"),
    "own/x": ("stored in venv/home", "done", "done"),
    "src/proj/main.py": ("writable", "done", "done"),
    "src/proj/.git/config": ("read-only", "done", "EROFS"),
    "src/proj/venv/pyvenv.cfg": ("read-only", "done", "EROFS"),
}
OUTSIDE = {
    "/etc/passwd": ("read-only", "done", "EROFS"),
    "/etc/hostname": ("hidden", "EACCES", "EACCES"),
    "/dev/null": ("writable", "done", "done"),
    "/dev/fuse": ("hidden", "ENOENT", "EROFS"),
    "/proc/cpuinfo": ("read-only", "done", "EACCES"),
    "/proc/kallsyms": ("hidden", "EACCES", "EACCES"),
    "/proc/sys/kernel/osrelease": ("read-only", "done", "EROFS"),
    "/proc/sys/kernel/core_pattern": ("hidden", "ENOENT", "EROFS"),
}


def test_what_it_says_is_what_the_jail_does(explained: JailedVenv) -> None:
    home = explained.home.root
    expected = {str(home / name): outcome for name, outcome in IN_HOME.items()} | OUTSIDE
    assert verdicts(explain(explained, *expected)) == {
        path: verdict for path, (verdict, _, _) in expected.items()
    }
    reads = in_jail(explained, "read", expected)
    assert reads == {path: read for path, (_, read, _) in expected.items()}
    existing = [path for path in expected if not path.startswith(("/proc", "/dev/fuse"))]
    writes = in_jail(explained, "write", existing)
    explained.check(["rm", "-f", home / ".inputrc", home / ".dirjailconfig"])
    explained.stop()
    told = {path: ("done" if write == "done" else "refused") for path, write in writes.items()}
    for path, outcome in told.items():
        verdict = expected[path][0]
        if verdict != "hidden":
            assert (outcome == "done") is (verdict in ("writable", "stored in venv/home")), path
    kept = [path for path, (verdict, _, _) in expected.items() if "stored" not in verdict]
    assert set(on_host(explained.home, "look", kept).values()) == {"done"}


def test_the_rule_with_file_and_line(explained: JailedVenv) -> None:
    home = explained.home.root
    config = home / ".dirjailconfig"
    assert lines(explain(explained, home / ".gitconfig")) == {
        "rule": f"[home] allow in {config}:2",
        "stored": "on the host, at the same path",
        "served": "FUSE",
        "change": f"venvjail hide {explained.env} {home}/.gitconfig",
    }
    assert lines(explain(explained, home / ".inputrc")) == {
        "rule": f"[home] hide in {config}:3",
        "served": "FUSE",
        "change": f"venvjail allow {explained.env} {home}/.inputrc",
    }
    assert lines(explain(explained, home / ".bashrc"))["rule"] == "[home] allow, by default"
    assert lines(explain(explained, home / "docs"))["rule"] == "not on [home] allow"
    assert lines(explain(explained, "/etc/hostname"))["rule"] == (
        f"[filesystem] hide in {config}:5"
    )
    project = lines(explain(explained, explained.home.project))["rule"]
    assert project.startswith(f"the project, [project] path in {explained.paths.config}:")


def test_where_things_are_stored_and_who_serves_them(explained: JailedVenv) -> None:
    home = explained.home.root
    assert lines(explain(explained, home / "own/x")) == {
        "rule": "a program of the jail made it",
        "stored": str(explained.store / "own/x"),
        "served": "FUSE",
    }
    assert lines(explain(explained, home / ".cache/pip"))["served"] == "native"
    assert lines(explain(explained, "/tmp/x"))["stored"] == str(explained.tmp / "x")
    text = explain(explained, home / "nothing")
    assert text.startswith(f"{home}/nothing: stored in venv/home (nothing is there now)\n")
    assert lines(text)["stored"] == str(explained.store / "nothing")


def test_secrets_are_called_so(explained: JailedVenv) -> None:
    assert lines(explain(explained, explained.home.root / ".ssh"))["note"] == "sensitive: SSH keys"


def test_a_directory_says_what_of_it_is_shown(explained: JailedVenv) -> None:
    config = explained.home.root / ".config"
    told = lines(explain(explained, config))
    assert (told["shows"], told["hides"]) == ("fish new", "1 (--all names them)")
    assert lines(explain(explained, "--all", config))["hides"] == "secret"


def test_relative_paths_and_symlinks(explained: JailedVenv) -> None:
    home = explained.home.root
    assert f"{explained.home.project}/main.py" in verdicts(explain(explained, "main.py"))
    assert explain(explained, "../../docs").startswith(f"{home}/docs: hidden")
    assert explain(explained, "/proc/self/cwd/main.py").startswith("/")
    (explained.home.project / "out").symlink_to("/etc")
    assert "/etc/passwd" in explain(explained, explained.home.project / "out/passwd")
    (explained.home.project / "out").unlink()


def test_the_tree(explained: JailedVenv) -> None:
    tree = explained.home.check([*VENVJAIL, "explain", explained.env, "--tree"])
    assert tree.splitlines()[0] == str(explained.home.root)
    assert "├── .gitconfig  read-only\n" in tree
    assert "│   ├── fish/  read-only\n│   ├── new  stored in venv/home\n" in tree
    assert "│   └── (1 hidden)\n" in tree
    assert ".ssh" not in tree
    assert "secret" not in tree
    everything = explained.home.check([*VENVJAIL, "explain", explained.env, "--tree", "--all"])
    assert "├── .ssh  hidden\n" in everything
    assert "│   └── secret  hidden\n" in everything


def test_the_tree_has_the_names_of_the_jail(explained: JailedVenv) -> None:
    tree = explained.home.check([*VENVJAIL, "explain", explained.env, "--tree"])
    drawn = set(re.findall(r"(?m)^[├└]── ([^ (/]+)", tree))
    listed = set(explained.check(["ls", "-A", explained.home.root]).split())
    explained.stop()
    assert drawn == listed


def test_names_that_act_on_a_terminal(explained: JailedVenv) -> None:
    explained.home.write("evil\x1b[2J", "x")
    text = explain(explained, "--all", explained.home.root)
    (explained.home.root / "evil\x1b[2J").unlink()
    assert "\x1b" not in text
    assert "evil\\x1b[2J" in text


def test_it_changes_nothing(explained: JailedVenv) -> None:
    assert explained.status is None
    before = explained.home.snapshot()
    explain(explained, *IN_HOME, "/", "--tree", "--all")
    assert explained.home.snapshot() == before
    assert explained.status is None
    assert os.path.isdir(explained.env)


def test_wrong_usage(explained: JailedVenv) -> None:
    done = explained.home.run([*VENVJAIL, "explain", explained.env])
    assert done.returncode == 2
    assert done.stderr.startswith("venvjail: missing argument 'PATH...'")
