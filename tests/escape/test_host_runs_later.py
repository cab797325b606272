"""ESCAPES 4, 6, 11 and 24: what the user runs outside the jail cannot be replaced from inside."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv

ATTACK = (Path(__file__).parents[1] / "support/attack_program.py").read_text(encoding="utf-8")

#: By path below the project.  Every one is there before the jail starts.
GUARDED = (
    ".claude",
    ".claude/settings.json",
    ".cursor",
    ".devcontainer/devcontainer.json",
    ".envrc",
    ".idea",
    ".mcp.json",
    ".zed",
    ".git",
    ".git/config",
    ".git/hooks/pre-commit",
    ".gitincluded",
    ".husky",
    ".husky/pre-commit",
    ".vscode",
    ".vscode/tasks.json",
    "envs/deep/plain",
    "envs/deep/plain/bin/python",
    "envs/linked",
    "envs/other",
    "envs/other/bin/activate-new-shell",
    "envs/other/bin/python",
    "envs/other/pyvenv.cfg",
    "libs/mirror",
    "libs/mirror/config",
    "libs/nested/.git",
    "libs/nested/.git/config",
    "libs/nested/real/tools/hooks",
    "libs/shared-hooks",
    "libs/symlinked/.git",
    "libs/worktree/.git",
    "libs/worktree/.husky",
)
#: Symlinks by which the user comes to some of these; what is beside that may be written to.
LEADING = {"envs-by-link": "envs", "libs/nested/tools": "real/tools"}
THROUGH_A_LINK = {"write", "reopen", "truncate", "change_mode"}
#: By path below the venv.
OWN = (
    "bin",
    "bin/activate-new-shell",
    "bin/python",
    "pyvenv.cfg",
    ".venvjail",
    ".venvjail/state.json",
    ".venvjail/venvjail.toml",
)
LOOK = """
import os
print("hidden is seen" if os.path.exists(os.environ["HOME"] + "/.ssh") else "no")
"""

#: Steps that would change what a symlink leads to, outside the project.
NOT_FOR_SYMLINKS = {"write", "reopen", "truncate", "change_mode", "hard_link", "exchange"}


def furnish(home: FakeHome) -> None:
    """Everything that the host runs later, in the project."""
    project = home.project
    for name in (".envrc", ".idea/workspace.xml", ".vscode/tasks.json", ".husky/_/pre-commit"):
        home.write(f"src/proj/{name}", "the user's\n")
    for name in (".claude/settings.json", ".devcontainer/devcontainer.json", ".mcp.json"):
        home.write(f"src/proj/{name}", "{}\n")
    home.write("src/proj/.zed/tasks.json", "[]\n")
    home.write("src/proj/.husky/pre-commit", "the user's\n")
    home.write("src/proj/.git/hooks/pre-commit", "the user's\n")
    home.write("elsewhere/plain/pyvenv.cfg", "home = /usr/bin\n")
    for name in ("libs/nested", "libs/symlinked"):
        home.check(["git", "init", "--quiet", project / name])
    home.write("src/proj/libs/nested/real/tools/hooks/pre-commit", "the user's\n")
    for name, target in LEADING.items():
        (project / name).symlink_to(target)
    home.check(["git", "config", "core.hooksPath", "tools/hooks"], cwd=project / "libs/nested")
    home.write("src/proj/libs/shared-hooks/pre-commit", "the user's\n")
    shared = ["git", "config", "core.hooksPath", "../shared-hooks"]
    home.check(shared, cwd=project / "libs/symlinked")
    (project / "libs/symlinked/.git").rename(project / "libs/symlinked/repository")
    (project / "libs/symlinked/.git").symlink_to("repository")
    home.check(["git", "init", "--quiet", "--bare", project / "libs/mirror"])
    home.check(["git", "worktree", "add", "--quiet", project / "libs/worktree"])
    home.check(["git", "config", "core.hooksPath", ".husky/_"])
    home.write("src/proj/libs/worktree/.husky/_/pre-commit", "the user's\n")
    home.check(["git", "config", "include.path", "../.gitincluded"])
    home.write("src/proj/.gitincluded", "[core]\n\tfsmonitor = false\n")
    home.check(["/usr/bin/python3", "-m", "venv", "--without-pip", project / "envs/deep/plain"])
    (project / "envs/linked").symlink_to(home.root / "elsewhere/plain")
    JailedVenv(home, "envs/other")


@pytest.fixture(scope="module")
def jail(shared_home: FakeHome) -> Iterator[JailedVenv]:
    furnish(shared_home)
    options = ("--without-pip", "--project", str(shared_home.project))
    with JailedVenv(shared_home, "envs/own", options=options) as venv:
        venv.python("")
        yield venv


@pytest.fixture(scope="module")
def before(jail: JailedVenv) -> dict[str, str]:
    return state_of(jail)


def state_of(jail: JailedVenv) -> dict[str, str]:
    """What is at the guarded paths, and below them."""
    files = jail.home.snapshot(without=jail.env)
    prefixes = tuple(f"src/proj/{name}" for name in GUARDED)
    return {path: text for path, text in files.items() if path.startswith(prefixes)}


@pytest.fixture(scope="module")
def worked(jail: JailedVenv, before: dict[str, str]) -> dict[str, list[str]]:
    """What worked of all that was tried in the jail, on every guarded path."""
    paths = [jail.home.project / name for name in (*GUARDED, *LEADING)]
    output = jail.python(ATTACK, jail.home.project, "all", *paths)
    found: dict[str, list[str]] = json.loads(output)
    return found


@pytest.mark.parametrize("name", GUARDED)
def test_nothing_works_in_the_jail(
    name: str, worked: dict[str, list[str]], jail: JailedVenv
) -> None:
    assert worked[str(jail.home.project / name)] == []


def test_links_to_what_is_above_a_guard_stay(
    worked: dict[str, list[str]], jail: JailedVenv
) -> None:
    for name, target in LEADING.items():
        path = jail.home.project / name
        assert set(worked[str(path)]) <= THROUGH_A_LINK
        assert str(path.readlink()) == target
    # One that leads to nothing of the kind is the jail's to change.
    free = jail.home.project / "free"
    free.symlink_to("src")
    steps = json.loads(jail.python(ATTACK, jail.home.project, "all", free))
    assert "move_over" in steps[str(free)]


def test_hooks_and_config_of_a_repository_around_the_project(home: FakeHome) -> None:
    """``core.hooksPath`` leads into the project whose jail it is; git is run above it."""
    hook = home.write("src/proj/app/.husky/pre-commit", "#!/bin/sh\n")
    included = home.write("src/proj/app/config", "[user]\n\tname = Alice\n")
    home.check(["git", "config", "core.hooksPath", "app/.husky"])
    home.check(["git", "config", "include.path", "../app/config"])
    evil = home.root / "evil"
    plant = (
        "import pathlib, sys\n"
        "for path in sys.argv[1:]:\n"
        "    try: pathlib.Path(path).write_text('evil')\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    script = f"#!/bin/sh\ntouch {evil}\n"
    commit = ["git", "-c", "user.name=A", "commit", "--quiet", "--allow-empty", "-m", "Add"]
    with JailedVenv(home, "app/venv") as venv:
        assert venv.python(plant, hook, included).splitlines() == 2 * ["Read-only file system"]
        hook.chmod(0o755)
        home.check(commit)
        assert not evil.exists()
    # The control: what a jail without the guard could have written is run.
    hook.write_text(script, encoding="utf-8")
    home.check(commit)
    assert evil.exists()


def test_what_is_opened_again_by_the_config(home: FakeHome) -> None:
    settings = home.write("src/proj/.claude/settings.json", "{}\n")
    write = f"open({str(settings)!r}, 'w').write('mine')"
    with JailedVenv(home) as venv:
        assert "Read-only file system" in venv.run(["python", "-c", write]).stderr
        venv.stop()
        with venv.configured('[project]\nunprotect = [".claude"]\n'):
            venv.python(write)
    assert settings.read_text(encoding="utf-8") == "mine"


def test_nothing_has_changed(
    worked: dict[str, list[str]], before: dict[str, str], jail: JailedVenv
) -> None:
    assert state_of(jail) == before


@pytest.mark.parametrize(
    "step",
    [
        *("write", "reopen", "truncate", "change_mode", "hard_link", "move_over", "exchange"),
        *("move_above", "move_away", "remove"),
    ],
)
def test_everything_works_where_there_is_no_jail(
    step: str, jail: JailedVenv, tmp_path: Path
) -> None:
    # One of each kind, none within another.
    names = [".envrc", ".vscode", "libs/nested/.git", "libs/worktree/.git", "envs/linked"]
    names = [n for n in names if n != "envs/linked" or step not in NOT_FOR_SYMLINKS]
    for number, name in enumerate(names):
        project = tmp_path / str(number)
        own = shutil.ignore_patterns("own", "other")
        shutil.copytree(jail.home.project, project, symlinks=True, ignore=own)
        path = str(project / name)
        output = jail.home.check(["/usr/bin/python3", "-c", ATTACK, project, step, path])
        assert json.loads(output) == {path: [step]}


def test_the_users_own_work_goes_on(jail: JailedVenv) -> None:
    # What is guarded from the jail is not from the user, while the jail runs.
    home = jail.home
    home.write("src/proj/libs/nested/new.txt", "text\n")
    home.check(["git", "add", "new.txt"], cwd=home.project / "libs/nested")
    home.check(["git", "commit", "--quiet", "-m", "Add"], cwd=home.project / "libs/nested")
    log = ["git", "-C", home.project / "libs/nested", "log", "--format=%s"]
    assert jail.check(log) == "Add\n"
    assert jail.check(["git", "-C", home.project / "libs/symlinked", "rev-parse", "--git-dir"])


def test_own_entries_config_and_state(home: FakeHome) -> None:
    options = ("--without-pip", "--project", str(home.project))
    with JailedVenv(home, "deep/down/venv", options=options) as venv:
        venv.python("")
        before = {name: snapshot(venv.env / name) for name in OWN}
        paths = [venv.env / name for name in (*OWN, "home")]
        attack = ["/usr/bin/python3", "-c", ATTACK, home.project, "all", *paths]
        worked = json.loads(venv.check(attack))
        in_real_bin = ("bin", "bin/python", "bin/activate-new-shell")
        assert {path for path, steps in worked.items() if steps} <= {
            str(venv.env / name) for name in in_real_bin
        }
        assert worked[str(venv.bin)] != []
        assert not {"move_above", "move_away", "exchange"} & set(worked[str(venv.bin)])
        assert {name: snapshot(venv.env / name) for name in OWN} == before
        assert venv.store.is_dir()
        venv.stop()
        # What is left of the jail's own python is its own loss; on the host nothing runs unjailed.
        assert home.run([venv.bin / "python", "-c", LOOK]).returncode in (126, 127)
        assert venv.check(["/usr/bin/python3", "-c", LOOK]) == "no\n"
        assert home.check(["/usr/bin/python3", "-c", LOOK]) == "hidden is seen\n"


def snapshot(path: Path) -> str:
    """The content of a file; of a directory the names in it that are no temporary ones of ours."""
    if path.is_dir():
        return " ".join(sorted(p.name for p in path.iterdir() if p.name != "run"))
    return path.read_text(encoding="utf-8")
