"""Edits of the config files act in a running jail; what cannot is named."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import SECOND, Shell, user_config
from tests.support.waiting import eventually


@pytest.fixture
def shell(own_jail: JailedVenv) -> Iterator[Shell]:
    made = Shell(own_jail)
    yield made
    made.close()


def venvjail(jail: JailedVenv, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    command, *rest = words
    return jail.home.run([*VENVJAIL, command, jail.env, *rest])


# -- by editing ------------------------------------------------------------------------------


def test_an_edit_acts_within_a_second(own_jail: JailedVenv, shell: Shell) -> None:
    assert not shell.sees("~/docs/letter.txt")
    assert shell.sees("~/.bashrc")
    user_config(own_jail.home, '[home]\nallow = ["docs"]\nhide = [".bashrc"]\n')
    eventually(lambda: shell.sees("~/docs/letter.txt"), "the new rule", seconds=SECOND)
    eventually(lambda: not shell.sees("~/.bashrc"), "the other rule", seconds=SECOND)
    assert "docs" in shell.run("ls -A ~")
    assert "Read-only" in shell.run("echo x >~/docs/letter.txt")
    assert (own_jail.home.root / "docs/letter.txt").exists()


def test_the_venvs_own_file_too(own_jail: JailedVenv, shell: Shell) -> None:
    config = Path(own_jail.paths.config)
    text = config.read_text(encoding="utf-8")
    # In place, as some editors do: no name comes or goes.
    config.write_text(text.replace("[home]\n", '[home]\nallow = ["docs"]\n'), encoding="utf-8")
    eventually(lambda: shell.sees("~/docs"), "the new rule", seconds=SECOND)


def test_a_file_that_is_replaced_and_removed(own_jail: JailedVenv, shell: Shell) -> None:
    home = own_jail.home
    new = home.write("new-config", '[home]\nallow = ["docs"]\n')
    new.chmod(0o600)
    new.rename(home.root / ".dirjailconfig")
    eventually(lambda: shell.sees("~/docs"), "the new rule", seconds=SECOND)
    (home.root / ".dirjailconfig").unlink()
    eventually(lambda: not shell.sees("~/docs"), "the old rules", seconds=SECOND)


def test_a_file_in_a_directory_of_dotfiles(own_jail: JailedVenv, shell: Shell) -> None:
    home = own_jail.home
    target = home.write("dotfiles/jail", "")
    target.chmod(0o600)
    (home.root / ".dirjailconfig").symlink_to("dotfiles/jail")
    eventually(lambda: os.readlink(home.root / ".dirjailconfig"), "the link")
    assert not shell.sees("~/docs")
    target.write_text('[home]\nallow = ["docs"]\n', encoding="utf-8")
    eventually(lambda: shell.sees("~/docs"), "the new rule", seconds=SECOND)


def test_open_files_keep_working(own_jail: JailedVenv, shell: Shell) -> None:
    shell.run("exec 3<~/.bashrc 4<~/.bashrc")
    first = shell.run("head -n 1 <&3")
    user_config(own_jail.home, '[home]\nhide = [".bashrc"]\n')
    eventually(lambda: not shell.sees("~/.bashrc"), "the new rule", seconds=SECOND)
    assert "alias" in first
    assert shell.run("cat <&4").startswith(first)


def test_a_directory_of_mode_ro_is_hidden_though_it_is_mounted(own_jail: JailedVenv) -> None:
    home = own_jail.home
    home.write("tools/x", "x\n")
    user_config(home, '[home]\nallow = [{path = "tools", mode = "ro"}]\n')
    shell = Shell(own_jail)
    assert "tools" in shell.run("cat /proc/self/mounts")
    shell.run("exec 3<~/tools/x")
    user_config(home, "")
    eventually(lambda: not shell.sees("~/tools"), "the old rules", seconds=SECOND)
    assert shell.run("cat <&3") == "x\n"
    assert shell.run("ls ~/src/proj").split()[0] == "main.py"  # what is mounted there stays
    shell.close()


def test_a_rule_within_what_the_kernel_serves(own_jail: JailedVenv) -> None:
    home = own_jail.home
    own_jail.check(["mkdir", "-p", home.root / ".cache/own"])
    home.write(".cache/wheels/x", "x\n")
    own_jail.stop()
    shell = Shell(own_jail)
    assert ".cache" in shell.run("cat /proc/self/mounts")
    assert venvjail(own_jail, "allow", home.root / ".cache/wheels").returncode == 0
    eventually(lambda: shell.sees("~/.cache/wheels/x"), "the new rule", seconds=SECOND)
    assert shell.sees("~/.cache/own")
    shell.run("echo y >~/.cache/own/y")
    assert (own_jail.store / ".cache/own/y").read_text() == "y\n"
    shell.close()


def test_the_environment_of_the_next_command(jail: JailedVenv) -> None:
    jail.check(["true"])
    show = ["sh", "-c", "echo $MY_TOKEN"]
    assert jail.check(show, env={"MY_TOKEN": "x"}) == "\n"
    config = user_config(jail.home, '[environment]\nkeep = ["MY_TOKEN"]\n')
    try:
        assert jail.check(show, env={"MY_TOKEN": "x"}) == "x\n"  # without waiting
    finally:
        config.unlink()


def test_an_invalid_edit_changes_nothing_and_is_told(own_jail: JailedVenv, shell: Shell) -> None:
    home = own_jail.home
    config = user_config(home, '[home]\nallow = ["docs"]\n')
    eventually(lambda: shell.sees("~/docs"), "the new rule", seconds=SECOND)
    user_config(home, '[home]\nallwo = ["docs"]\n')
    done = own_jail.run(["true"])
    assert done.returncode == 0
    assert done.stderr.startswith(f'venvjail: {config}:2: unknown key "allwo" in [home]')
    assert done.stderr.endswith("(the running jail keeps its former config)\n")
    status = home.check([*VENVJAIL, "status", own_jail.env])
    assert f"  config     {config}:2: unknown key" in status
    assert shell.sees("~/docs")
    user_config(home, "")
    eventually(lambda: not shell.sees("~/docs"), "the mended file", seconds=SECOND)
    assert own_jail.run(["true"]).stderr == ""


def test_what_cannot_change_is_named(own_jail: JailedVenv, shell: Shell) -> None:
    user_config(own_jail.home, '[filesystem]\nhide = ["/etc/hostname"]\n[proc]\nallow = ["kmsg"]\n')
    done = own_jail.run(["cat", "/etc/hostname"])
    assert done.returncode == 0
    assert done.stderr == (
        "venvjail: the change of [filesystem] hide, [proc] allow acts at the jail's next start; "
        f"end it: venvjail stop {own_jail.env}\n"
    )
    own_jail.stop()
    done = own_jail.run(["cat", "/etc/hostname"])
    assert done.returncode == 1
    assert "acts at" not in done.stderr


# -- by allow and hide -----------------------------------------------------------------------


def test_allow_and_hide(own_jail: JailedVenv, shell: Shell) -> None:
    letter = own_jail.home.root / "docs/letter.txt"
    before = Path(own_jail.paths.config).read_text(encoding="utf-8")
    Path(own_jail.paths.config).chmod(0o600)
    done = venvjail(own_jail, "allow", letter, own_jail.home.root / ".gitconfig")
    assert done.returncode == 0, done
    assert f"{letter}: read-only ([home] allow in {own_jail.paths.config}:" in done.stdout
    assert done.stdout.endswith("it counts in the running jail from now on\n")
    assert "TOP-SECRET" in shell.run("cat ~/docs/letter.txt")
    assert "Alice" in shell.run("cat ~/.gitconfig")
    assert venvjail(own_jail, "hide", letter, "../../.gitconfig").returncode == 0
    assert not shell.sees("~/docs/letter.txt")
    assert not shell.sees("~/.gitconfig")
    after = Path(own_jail.paths.config).read_text(encoding="utf-8")
    assert set(before.splitlines()) <= set(after.splitlines())
    assert Path(own_jail.paths.config).stat().st_mode & 0o777 == 0o600


def test_hide_takes_a_default_back_and_allow_shows_it_again(own_jail: JailedVenv) -> None:
    bashrc = own_jail.home.root / ".bashrc"
    done = venvjail(own_jail, "hide", bashrc)
    assert "hidden ([home] hide in " in done.stdout
    assert "it counts from the next start" in done.stdout
    assert own_jail.run(["cat", bashrc]).returncode == 1
    venvjail(own_jail, "allow", bashrc)
    assert own_jail.run(["cat", bashrc]).returncode == 0


def test_nothing_to_change(own_jail: JailedVenv) -> None:
    file = Path(own_jail.paths.config)
    before = (file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes())
    done = venvjail(own_jail, "allow", own_jail.home.root / ".bashrc", "/etc/passwd")
    assert (done.returncode, done.stdout) == (0, "nothing to change: shown already\n")
    done = venvjail(own_jail, "hide", own_jail.home.root / "docs")
    assert (done.returncode, done.stdout) == (0, "nothing to change: hidden already\n")
    assert (file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes()) == before


def test_what_is_not_there_is_said_to_be(own_jail: JailedVenv) -> None:
    """Maybe it is misspelt; maybe it comes later."""
    path = own_jail.home.root / ".gitconfg"
    done = venvjail(own_jail, "allow", path)
    assert done.returncode == 0
    assert f"{path}: nothing is there now; shown as soon as it is\n" in done.stdout
    own_jail.home.write(".gitconfg", "here\n")
    assert own_jail.check(["cat", path]) == "here\n"


def test_what_no_config_can_show(own_jail: JailedVenv) -> None:
    user_config(own_jail.home, "")
    for path in (own_jail.home.root / ".dirjailconfig", own_jail.state / "state.json"):
        done = venvjail(own_jail, "allow", path)
        assert done.returncode == 2
        assert "no config can change that" in done.stderr
        assert done.stderr.count("\n") == 1
    done = venvjail(own_jail, "allow", own_jail.home.root)
    assert done.returncode in (0, 2)
    assert own_jail.run(["ls", own_jail.home.root / ".ssh"]).returncode != 0


def test_a_hide_elsewhere_is_named(own_jail: JailedVenv) -> None:
    config = user_config(own_jail.home, '[home]\nhide = ["docs"]\n')
    done = venvjail(own_jail, "allow", own_jail.home.root / "docs/letter.txt")
    assert done.returncode == 2
    assert done.stderr == (
        f"venvjail: {config}:2: [home] hide has docs, which wins over allow; "
        "take it out there first\n"
    )


def test_outside_the_home(own_jail: JailedVenv) -> None:
    own_jail.check(["true"])
    done = venvjail(own_jail, "hide", "/etc/hostname")
    assert done.returncode == 0
    assert "[filesystem] hide acts at the jail's next start" in done.stderr
    venvjail(own_jail, "allow", "/proc/kmsg")
    own_jail.stop()
    assert own_jail.run(["cat", "/etc/hostname"]).returncode == 1
    explained = venvjail(own_jail, "explain", "/proc/kmsg").stdout
    assert explained.startswith("/proc/kmsg: read-only\n")
    done = venvjail(own_jail, "allow", "/etc/hostname")
    assert "/etc/hostname: read-only" in done.stdout
    own_jail.stop()
    assert own_jail.run(["cat", "/etc/hostname"]).returncode == 0
