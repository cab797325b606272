"""Grafts: where the kernel serves the home in the view's place, and nothing else is different."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import SECOND, Shell, user_config
from tests.support.waiting import eventually

IS_GRAFT = """
import os, sys
home = os.path.expanduser("~")
print(*(os.stat(f"{home}/{name}").st_dev != os.stat(home).st_dev for name in sys.argv[1:]))
"""


def are_grafts(jail: JailedVenv, *names: str) -> list[bool]:
    return [word == "True" for word in jail.python(IS_GRAFT, *names).split()]


@pytest.fixture
def cached(own_jail: JailedVenv) -> Iterator[JailedVenv]:
    """A jail that has found a cache in its store when it started."""
    (own_jail.store / ".cache/tool").mkdir(parents=True)
    (own_jail.store / ".cache/tool/file").write_text("cached\n", encoding="utf-8")
    yield own_jail


def test_a_cache_is_a_graft_from_the_next_start_on(own_jail: JailedVenv) -> None:
    own_jail.check(["sh", "-c", "mkdir -p ~/.cache/tool ~/.config/tool; echo x >~/.cache/tool/a"])
    assert are_grafts(own_jail, ".cache", ".config") == [False, False]
    own_jail.stop()
    assert are_grafts(own_jail, ".cache", ".config") == [True, False]
    assert own_jail.check(["sh", "-c", "cat ~/.cache/tool/a"]) == "x\n"


def test_the_view_shows_the_same_from_outside(cached: JailedVenv) -> None:
    cached.check(["sh", "-c", "echo new >~/.cache/tool/new; chmod 640 ~/.cache/tool/new"])
    inside = cached.check(["sh", "-c", "cd ~/.cache && ls -lR && cat tool/*"])
    assert are_grafts(cached, ".cache") == [True]
    view = subprocess.Popen(
        [*VENVJAIL, "mount-debug", cached.env],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=cached.home.env,
    )
    try:
        assert view.stdout is not None
        root = view.stdout.readline().removeprefix("the view is at ").partition(";")[0]
        directory = Path(root, "home/.cache")
        outside = cached.home.check(["sh", "-c", "ls -lR && cat tool/*"], cwd=directory)
    finally:
        view.send_signal(signal.SIGINT)
        view.communicate(timeout=20)
    assert outside == inside


def test_what_a_program_does_in_a_graft_is_in_the_store(cached: JailedVenv) -> None:
    script = """
cd ~/.cache && mkdir -p a/b && echo 1 >a/b/one && mv a/b/one a/two && ln a/two a/three &&
ln -s two a/link && rmdir a/b && rm a/three && mv a moved && rm -r tool && ls -A moved
"""
    assert cached.check(["sh", "-c", script]) == "link\ntwo\n"
    assert sorted(os.listdir(cached.store / ".cache")) == ["moved"]
    assert (cached.store / ".cache/moved/link").read_text(encoding="utf-8") == "1\n"
    assert not (cached.home.root / ".cache").exists()


def test_moving_across_the_border_is_copying(cached: JailedVenv) -> None:
    code = """
import errno, os, shutil
os.chdir(os.path.expanduser("~"))
open("file", "w").close()
for call in (os.rename, os.link):
    try:
        call("file", ".cache/file")
    except OSError as error:
        print(errno.errorcode[error.errno])
shutil.move("file", ".cache/file")
print(os.path.exists(".cache/file"), os.path.exists("file"))
"""
    assert cached.python(code) == "EXDEV\nEXDEV\nTrue False"


def test_removing_a_cache_leaves_an_empty_directory(cached: JailedVenv) -> None:
    done = cached.run(["sh", "-c", "rm -rf ~/.cache; ls -A ~/.cache | wc -l; mv ~/.cache ~/old"])
    assert done.stdout == "0\n"
    assert done.stderr.lower().count("busy") == 2
    assert (cached.store / ".cache").is_dir()
    cached.check(["sh", "-c", "mkdir -p ~/.cache/tool && echo again >~/.cache/tool/file"])


def test_a_rule_below_a_cache_keeps_it_in_the_view(cached: JailedVenv) -> None:
    cached.home.write(".cache/shared/data", "the host's\n")
    user_config(cached.home, '[home]\nallow = [".cache/shared"]\n')
    script = ["sh", "-c", "cat ~/.cache/shared/data ~/.cache/tool/file; ls ~/.cache"]
    assert cached.check(script) == "the host's\ncached\nshared\ntool\n"
    assert are_grafts(cached, ".cache") == [False]


def test_a_symlink_in_the_place_of_a_cache_is_not_followed(cached: JailedVenv) -> None:
    cached.check(["sh", "-c", "mkdir -p ~/.local && ln -s ~/.cache ~/.npm"])
    (cached.store / ".local/share").symlink_to(cached.home.root / "docs")
    (cached.store / ".m2").mkdir()
    cached.stop()
    assert are_grafts(cached, ".cache", ".m2") == [True, True]
    mounts = cached.check(["cat", "/proc/self/mountinfo"])
    assert "/.m2 " in mounts
    assert "/.npm " not in mounts
    assert "/.local/share " not in mounts
    assert "letter" not in cached.run(["sh", "-c", "ls ~/.local/share/"]).stdout


def test_an_allowed_directory_of_mode_ro_is_a_graft(home: FakeHome) -> None:
    home.write(".pyenv/bin/tool", "a tool\n")
    home.write(".nvm/bin/tool", "a tool\n")
    home.write(".nvm/secret", "hidden\n")
    allow = '{path = ".pyenv", mode = "ro"}, {path = ".nvm", mode = "ro"}'
    user_config(home, f'[home]\nallow = [{allow}]\nhide = [".nvm/secret"]\n')
    with JailedVenv(home) as jail:
        assert are_grafts(jail, ".pyenv", ".nvm") == [True, False]
        assert jail.check(["sh", "-c", "cat ~/.pyenv/bin/tool"]) == "a tool\n"
        assert jail.check(["sh", "-c", "ls -A ~/.nvm"]) == "bin\n"
        for name in (".pyenv", ".nvm"):
            done = jail.run(["sh", "-c", f"echo x >~/{name}/bin/tool; echo x >~/{name}/new"])
            assert done.stderr.lower().count("read-only file system") == 2, done.stderr
        home.write(".pyenv/bin/later", "")
        assert jail.check(["sh", "-c", "ls ~/.pyenv/bin"]) == "later\ntool\n"


def test_new_rules_for_a_graft_act_at_once(home: FakeHome) -> None:
    home.write(".pyenv/bin/tool", "a tool\n")
    home.write(".pyenv/secret", "not to be seen any more\n")
    home.write(".local/share/shared/data", "the host's\n")
    allow = '{path = ".pyenv", mode = "ro"}'
    user_config(home, f"[home]\nallow = [{allow}]\n")
    with JailedVenv(home) as jail:
        (jail.store / ".local/share/tool").mkdir(parents=True)
        assert are_grafts(jail, ".pyenv", ".local/share") == [True, True]
        shell = Shell(jail)
        try:
            assert shell.sees("~/.pyenv/secret")
            allow += ', ".local/share/shared"'
            user_config(home, f'[home]\nallow = [{allow}]\nhide = [".pyenv/secret"]\n')
            assert jail.run(["true"]).stderr == ""
            hidden, shown = "~/.pyenv/secret", "~/.local/share/shared/data"
            eventually(lambda: not shell.sees(hidden), "the new hide rule", seconds=SECOND)
            eventually(lambda: shell.sees(shown), "the new allow rule", seconds=SECOND)
            assert shell.run("ls ~/.pyenv; ls ~/.local/share") == "bin\nshared\ntool\n"
        finally:
            shell.close()
