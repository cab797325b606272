"""Every key of the config, in force in a jail; the control is the jail without it."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.attempts import DONE, all_end, in_jail
from tests.support.jail import JailedVenv
from tests.support.requirements import require


@contextmanager
def configured(jail: JailedVenv, user: str = "", venv: str = "") -> Iterator[None]:
    """With this in ``~/.dirjailconfig`` and, below the project, in the venv's own file."""
    jail.stop()
    own = Path(jail.paths.config)
    former = own.read_text(encoding="utf-8")
    file = jail.home.write(".dirjailconfig", user)
    project = f'[project]\npath = "{jail.home.project}"\n'
    own.write_text(f"{project if venv else former}{venv}", encoding="utf-8")
    try:
        yield
    finally:
        jail.stop()
        own.write_text(former, encoding="utf-8")
        file.unlink()


def environment(jail: JailedVenv, **variables: str) -> dict[str, str]:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    found: dict[str, str] = json.loads(jail.python(program, env=variables))
    return found


def test_home_allow_and_hide(jail: JailedVenv) -> None:
    home = jail.home.root
    shown, gone = home / ".gitconfig", home / ".profile"
    assert all_end(in_jail(jail, "look", [shown]), "ENOENT")
    assert all_end(in_jail(jail, "look", [gone]), DONE)
    with configured(jail, '[home]\nallow = [".gitconfig"]\nhide = [".profile"]\n'):
        assert jail.check(["cat", shown]) == shown.read_text(encoding="utf-8")
        assert all_end(in_jail(jail, "write", [shown]), "EROFS")
        assert all_end(in_jail(jail, "look", [gone]), "ENOENT")


def test_home_writable(jail: JailedVenv) -> None:
    directory = jail.home.root / "docs"
    assert all_end(in_jail(jail, "look", [directory]), "ENOENT")
    with configured(jail, '[home]\nwritable = ["docs"]\n'):
        jail.check(["touch", directory / "new"])
        assert all_end(in_jail(jail, "read", [directory / "letter.txt"]), DONE)
        assert all_end(in_jail(jail, "look", [jail.home.root / ".ssh"]), "ENOENT")
    (directory / "new").unlink()


def test_filesystem_hide(jail: JailedVenv) -> None:
    assert all_end(in_jail(jail, "read", ["/etc/passwd"]), DONE)
    assert all_end(in_jail(jail, "enlist", ["/usr/share"]), DONE)
    with configured(jail, '[filesystem]\nhide = ["/etc/hostname", "/usr/share"]\n'):
        assert all_end(in_jail(jail, "read", ["/etc/hostname"]), "EACCES")
        assert all_end(in_jail(jail, "enlist", ["/usr/share"]), "EACCES")
        assert all_end(in_jail(jail, "read", ["/etc/passwd"]), DONE)


def test_filesystem_writable(jail: JailedVenv, tmp_path: Path) -> None:
    directory = tmp_path / "scratch"
    directory.mkdir()
    assert all_end(in_jail(jail, "create", [directory / "new"]), "ENOENT", "EROFS")
    with configured(jail, f'[filesystem]\nwritable = ["{directory}"]\n'):
        jail.check(["touch", directory / "new"])
        assert (directory / "new").exists()


def test_project_protect(jail: JailedVenv) -> None:
    guarded = jail.home.project / "deploy"
    guarded.mkdir()
    assert all_end(in_jail(jail, "create", [guarded / "new"]), DONE)
    with configured(jail, '[project]\nprotect = ["deploy"]\n'):
        assert all_end(in_jail(jail, "create", [guarded / "new"]), "EROFS")
        assert all_end(in_jail(jail, "rename", [guarded]), "EBUSY")


def test_proc_allow(jail: JailedVenv) -> None:
    files = ["/proc/diskstats", "/proc/sys/vm/dirty_ratio"]
    assert all_end(in_jail(jail, "read", files), "EACCES", "ENOENT")
    with configured(jail, '[proc]\nallow = ["diskstats", "sys/vm/dirty_ratio"]\n'):
        assert all_end(in_jail(jail, "read", files), DONE)
        assert all_end(in_jail(jail, "read", ["/proc/kallsyms"]), "EACCES")


def test_run_allow(jail: JailedVenv) -> None:
    shown = [path for path in Path("/run").iterdir() if path.name not in ("user", "lock")]
    mine = next(
        (p for p in shown if p.is_dir() and os.access(p, os.R_OK) and not p.is_symlink()), None
    )
    require(mine is not None, "/run has no directory to show")
    assert mine is not None
    assert all_end(in_jail(jail, "look", [mine]), "ENOENT")
    with configured(jail, f'[run]\nallow = ["{mine}"]\n'):
        assert all_end(in_jail(jail, "enlist", [mine]), DONE)
        assert all_end(in_jail(jail, "create", [mine / "new"]), "EROFS", "EACCES")


def test_dev_allow(jail: JailedVenv) -> None:
    device = Path("/dev/fuse")
    assert stat.S_ISCHR(device.stat().st_mode)
    assert all_end(in_jail(jail, "look", [device]), "ENOENT")
    with configured(jail, '[dev]\nallow = ["/dev/fus*", "/dev/missing"]\n'):
        assert all_end(in_jail(jail, "look", [device]), DONE)
        assert jail.python("import os; print(os.major(os.stat('/dev/fuse').st_rdev))") == "10"


def test_environment(jail: JailedVenv) -> None:
    secrets = {"GITHUB_TOKEN": "t", "MY_SECRET": "s", "DATABASE_URL": "d", "PLAIN": "p"}
    default = environment(jail, **secrets)
    assert secrets.keys() & default.keys() == {"DATABASE_URL", "PLAIN"}
    text = (
        '[environment]\nwithhold = ["database_*"]\nkeep = ["GITHUB_TOKEN"]\n'
        'set = {ADDED = "a=b c", PLAIN = "other"}\n'
    )
    with configured(jail, text):
        found = environment(jail, **secrets)
        assert found["GITHUB_TOKEN"] == "t"
        assert found["ADDED"] == "a=b c"
        assert found["PLAIN"] == "other"
        assert not {"MY_SECRET", "DATABASE_URL"} & found.keys()


@pytest.mark.parametrize("allowed", [False, True])
def test_user_namespaces(jail: JailedVenv, allowed: bool) -> None:
    with configured(jail, f"[jail]\nuser_namespaces = {str(allowed).lower()}\n"):
        done = jail.run(["unshare", "--user", "--map-current-user", "true"])
        assert (done.returncode == 0) is allowed, done.stderr


def test_the_venvs_config_is_added_to_the_users_and_wins(jail: JailedVenv) -> None:
    """Lists add up; of single values the venv's own is taken."""
    home = jail.home.root
    user = '[home]\nallow = [".gitconfig"]\n[environment]\nset = {WHO = "user", U = "1"}\n'
    own = '[home]\nallow = ["docs"]\n[environment]\nset = {WHO = "venv", V = "1"}\n'
    with configured(jail, user, own):
        assert all_end(in_jail(jail, "look", [home / ".gitconfig", home / "docs"]), DONE)
        found = environment(jail)
        assert (found["WHO"], found["U"], found["V"]) == ("venv", "1", "1")
    with configured(jail, '[home]\nhide = ["docs"]\n', '[home]\nallow = ["docs"]\n'):
        assert all_end(in_jail(jail, "look", [home / "docs"]), "ENOENT")


def test_a_config_that_the_jail_writes_is_nobodys(jail: JailedVenv) -> None:
    jail.check(["sh", "-c", "printf '[home]\\nallow = [\".ssh\"]\\n' >~/.dirjailconfig || true"])
    jail.stop()
    assert not (jail.home.root / ".dirjailconfig").exists()
    assert all_end(in_jail(jail, "look", [jail.home.root / ".ssh"]), "ENOENT")
