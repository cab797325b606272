"""What the search of a project finds to guard, on directories made for it."""

import os
import time
from pathlib import Path

import pytest

from tests.support.guarding import config, found, make
from venvjail.config import file as configfile
from venvjail.errors import JailError
from venvjail.planning import guards, search


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


def test_names_at_any_depth_and_paths_at_their_place(top: Path) -> None:
    make(top, "a/b/.git/", "a/.envrc", ".hg/", "deploy/key", "a/deploy/key", "venv/x/.git/")
    assert found(top, "deploy/key") == {"a/b/.git", "a/.envrc", ".hg", "deploy/key"}


def test_names_in_any_case(top: Path) -> None:
    """On a file system, or in a directory, that makes no difference, git finds them."""
    make(top, "a/.GIT/", "a/.Envrc", "b/.Deploy", "c/.gitx")
    assert found(top, ".DEPLOY") == {"a/.GIT", "a/.Envrc", "b/.Deploy"}


def test_names_that_some_file_systems_take_for_others(top: Path) -> None:
    """CVE-2014-9390; ``casefold`` of ext4 and tmpfs knows the long s and the sign of the kelvin."""
    make(top, "a/.g\u200cit/", "b/.v\u017fcode/", "c/.toKen", "d/.gi\u00e9t/", "e/.git\u00e9x/")
    (top / "c/.toKen").rename(top / "c/.to\u212aen")
    assert found(top, ".token") == {
        *("a/.g\u200cit", "b/.v\u017fcode", "c/.to\u212aen"),
        "d/.gi\u00e9t",  # not so, but no harm
    }


def test_what_is_opened_again(top: Path) -> None:
    make(top, ".claude/", "a/.claude/", ".cursor/", "deploy/key")
    both = config(top, "deploy/key")
    user = Path(top.parent / f"{top.name}.toml")
    assert found(top, "deploy/key") == {".claude", "a/.claude", ".cursor", "deploy/key"}
    user.write_text(user.read_text() + 'unprotect = [".Claude", "deploy/key"]\n')
    assert guards.names(both) - guards.names(configfile.load("/nonexistent", str(user))) == {
        ".claude"
    }
    result = guards.find([str(top)], f"{top}/venv", configfile.load("/nonexistent", str(user)))
    assert result.read_only == {f"{top}/.cursor"}


def test_links_are_guarded_themselves(top: Path) -> None:
    make(top, "real/", "py/pyvenv.cfg")
    (top / ".git").symlink_to("real")
    (top / ".envrc").symlink_to("missing")
    (top / "linked").symlink_to("py")
    (top / "other").symlink_to("real")
    (top / "up").symlink_to("..")
    assert found(top) == {".git", ".envrc", "linked", "py"}


def test_a_path_through_a_link_is_guarded_where_it_leads(top: Path) -> None:
    make(top, "real/key")
    (top / "deploy").symlink_to("real")
    (top / "out").symlink_to("/etc")
    assert found(top, "deploy/key", "out/passwd", "deploy/missing") == {"real/key"}


@pytest.mark.parametrize(
    ("names", "is_guarded"),
    [
        (("HEAD", "objects/", "refs/"), True),
        (("HEAD", "commondir"), True),
        (("HEAD", "objects/"), False),
        (("HEAD/", "objects/", "refs/"), False),
        (("objects/", "refs/"), False),
    ],
)
def test_bare_repositories(top: Path, names: tuple[str, ...], is_guarded: bool) -> None:
    make(top, *(f"x/{name}" for name in names))
    assert found(top) == ({"x"} if is_guarded else set())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (".husky/_", ".husky"),
        ("tools/hooks", "tools/hooks"),
        ('"tools/hooks"  # ours', "tools/hooks"),
        ("../outside", "../outside"),
        ("../..", None),
        ("../venv/lib", None),
        ("../venv/..", None),
        (".", None),
        ("/etc", None),
        ("missing", None),
    ],
)
def test_hooks_in_the_worktree(top: Path, value: str, expected: str | None) -> None:
    make(top, "x/.git/", "x/.husky/_/pre-commit", "x/tools/hooks/pre-commit", "outside/")
    make(top, "venv/lib/")
    (top / "x/.git/config").write_text(f"[core]\n\tbare = false\n\tHooksPath = {value}\n")
    assert found(top) == {"x/.git", *([os.path.normpath(f"x/{expected}")] if expected else [])}


def test_a_config_that_is_no_file_does_not_hold_the_start(top: Path) -> None:
    make(top, "x/.git/")
    os.mkfifo(top / "x/.git/config")
    assert found(top) == {"x/.git"}


def test_directories_that_cannot_be_looked_into(top: Path) -> None:
    make(top, "a/.git/", "b/.git/", "c/.git/", "d/.git/")
    modes = {"a": 0o000, "b": 0o444, "c": 0o111, "d": 0o555}
    for name, mode in modes.items():
        (top / name).chmod(mode)
    try:
        result = guards.find([str(top)], f"{top}/venv", config(top))
        assert result.closed == {f"{top}/{name}" for name in "abc"}
        assert result.closed < result.all()
        assert result.read_only == {f"{top}/d/.git"}
        top.chmod(0o333)
        with pytest.raises(JailError, match="cannot be searched"):
            guards.find([str(top)], f"{top}/venv", config(top))
    finally:
        for path in (top, *(top / name for name in modes)):
            path.chmod(0o755)


def test_a_project_that_is_a_venv_itself(top: Path) -> None:
    make(top, "pyvenv.cfg", "bin/python", "lib/", "lib64/", "src/x.py")
    assert found(top) == {"pyvenv.cfg", "bin", "lib", "lib64"}


def test_too_large_to_be_searched(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LIMIT", 10)
    make(top, *(f"d{number}/" for number in range(9)))
    assert found(top) == set()
    make(top, "one-more/")
    with pytest.raises(JailError, match="more than 10 directories, too many to search"):
        found(top)


def test_too_much_to_be_guarded(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "_GUARD_LIMIT", 3)
    make(top, *(f"d{number}/.envrc" for number in range(3)))
    assert len(found(top)) == 3
    (top / "link").symlink_to("d0")
    with pytest.raises(JailError, match="more than 3 repositories"):
        found(top)
    (top / "link").unlink()
    make(top, "d3/.envrc")
    with pytest.raises(JailError, match="more than 3 repositories"):
        found(top)


def test_other_venvs_are_hidden_where_they_keep_their_state(top: Path) -> None:
    make(top, "one/pyvenv.cfg", "one/.venvjail/", "one/home/", "two/.venvjail/", "plain/pyvenv.cfg")
    make(top, "plain/home/")  # of some other meaning
    result = guards.find([str(top)], f"{top}/venv", config(top))
    assert result.read_only == {f"{top}/{name}" for name in ("one", "two", "plain")}
    expected = ("one/.venvjail", "one/home", "two/.venvjail")
    assert result.hidden == {f"{top}/{name}" for name in expected}


def test_what_a_repositorys_config_names(top: Path) -> None:
    make(top, "sub/.git/", "sub/hooks/", "sub/one", "sub/deep/two", "sub/deep/three", "outside")
    text = "[core]\n hooksPath = hooks # x\n[include]\n path = ../one\n path = ../../outside\n"
    (top / "sub/.git/config").write_text(text + ' path = "../missing"\n')
    (top / "sub/one").write_text('[includeIf "x"]\n\tPATH = deep/two\n[include]path=deep/three\n')
    named = {"sub/hooks", "sub/one", "sub/deep/two", "sub/deep/three", "outside"}
    assert found(top) == {"sub/.git", *named}


@pytest.mark.parametrize("also", [("HEAD", "objects/", "refs/"), ("pyvenv.cfg", ".git/")])
def test_what_the_config_of_a_guarded_repository_names(top: Path, also: tuple[str, ...]) -> None:
    """Its hooks are elsewhere: in a bare one, or where a venv is a worktree."""
    make(top, *(f"x/{name}" for name in also), "hooks/", "included")
    config = top / "x/.git/config" if ".git/" in also else top / "x/config"
    prefix = ".." if ".git/" in also else "."
    config.write_text(f"[core]\nhooksPath = ../hooks\n[include]\npath = {prefix}/../included\n")
    assert found(top) == {"x", "hooks", "included"}


def test_a_repository_around_the_project(top: Path) -> None:
    make(top, ".git/", "app/.husky/_/", "app/included", "app/deep/local", "other/hooks/", "beside")
    text = "[core]\nhooksPath = app/.husky/_\n[include]\npath = ../app/included\npath=../beside\n"
    (top / ".git/config").write_text(text)
    (top / ".git/config.worktree").write_text("[include]\npath = ../app/deep/local\n")
    assert found(top / "app") == {".husky", "included", "deep/local"}
    assert found(top / "other") == set()


def test_symlinks_that_lead_to_what_is_guarded(top: Path) -> None:
    make(top, "real/tools/hooks/", "real/.git/", "envs/dev/pyvenv.cfg", "src/code", "hidden/venv/")
    (top / "real/.git/config").write_text("[core]\nhooksPath = ../tools/hooks\n")
    (top / "tools").symlink_to("real/tools")
    (top / "real/twice").symlink_to("../tools")
    (top / "environments").symlink_to("envs")
    (top / "src/top").symlink_to("..")
    for name, target in (("up", ".."), ("code", "src"), ("gone", "missing"), ("etc", "/etc")):
        (top / name).symlink_to(target)
    (top / "secret").symlink_to("hidden")
    result = guards.find([str(top)], f"{top}/hidden/venv", config(top))
    links = {os.path.relpath(path, top) for path in result.links}
    assert links == {"tools", "real/twice", "environments", "src/top", "secret"}
    assert not result.links & result.read_only
    assert result.links <= result.all()


def test_a_linked_worktree_has_the_config_of_its_main_one(top: Path) -> None:
    make(top, "main/.git/worktrees/w/", "linked/hooks/", "linked/.git")
    (top / "main/.git/config").write_text("[core]\n\thookspath = hooks\n")
    (top / "main/.git/worktrees/w/commondir").write_text("../..\n")
    (top / "linked/.git").write_text(f"gitdir: {top}/main/.git/worktrees/w\n")
    assert found(top) == {"main/.git", "linked/.git", "linked/hooks"}


def test_hostile_configs(top: Path) -> None:
    make(top, "directory/.git/config/", "fifo/.git/", "nul/.git/", "pointer/.git", "loop/.git/")
    os.mkfifo(top / "fifo/.git/config")
    (top / "nul/.git/config").write_bytes(b"hookspath = a\0b\npath = \0\npath = \xff/x\n")
    (top / "pointer/.git").write_bytes(b"gitdir: a\0b\n")
    (top / "loop/.git/config").write_text("".join(f"path = ../{n}\n" for n in range(100)))
    for number in range(100):
        (top / f"loop/{number}").write_text(f"path = {number}\npath = {(number + 1) % 100}\n")
    every = {f"{name}/.git" for name in ("directory", "fifo", "nul", "pointer", "loop")}
    assert every <= found(top) <= every | {f"loop/{number}" for number in range(100)}


@pytest.mark.parametrize("text", [" " * 10**6, "[" + "] " * 500_000, "path" + " " * 10**6])
def test_a_config_made_to_take_long(top: Path, text: str) -> None:
    """Where blanks can be divided in two ways this takes hours, and no jail starts meanwhile."""
    make(top, "x/.git/", "x/hooks/")
    (top / "x/.git/config").write_text(text)
    began = time.process_time()
    assert found(top) == {"x/.git"}
    assert time.process_time() - began < 5


def test_second_names_of_guarded_files(top: Path) -> None:
    make(
        top, "a/.claude/deep/settings.json", ".git/HEAD", ".git/hooks/pre-commit", ".envrc", "free"
    )
    make(top, ".git/objects/ab", "plain/pyvenv.cfg", "plain/lib/x.py", "node_modules/x/", "venv/")
    for file, name in (
        ("a/.claude/deep/settings.json", "a/one"),
        (".git/hooks/pre-commit", "node_modules/x/two"),
        (".envrc", "three"),
        (".git/objects/ab", "object"),
        ("plain/lib/x.py", "module.py"),
        ("free", "twice"),
    ):
        os.link(top / file, top / name)
    names = {"a/one", "node_modules/x/two", "three"}
    assert found(top) == {"a/.claude", ".git", ".envrc", "plain", *names}
