"""Where no jail can be: one line that says what to do, and the command is not run at all."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.namespaces import (
    AS_ROOT,
    FUSE_MISSING,
    FUSE_SHUT,
    NO_USER_NAMESPACES,
    in_namespaces,
)
from tests.support.refusals import refused, replaced, run_marked, runs

# -- the machine ---------------------------------------------------------------------------


def test_it_runs_in_namespaces_where_nothing_is_changed(jail: JailedVenv) -> None:
    """The control for all of this section."""
    assert runs(jail)
    assert runs(jail, in_namespaces())
    jail.stop()


def test_a_missing_fuse_device(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(FUSE_MISSING))
    assert line == "/dev/fuse is missing; as root: modprobe fuse"


def test_a_fuse_device_that_cannot_be_opened(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(FUSE_SHUT))
    assert line == "/dev/fuse cannot be opened; as root: chmod 666 /dev/fuse"


def test_user_namespaces_switched_off(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(NO_USER_NAMESPACES))
    assert line == (
        "user namespaces are switched off on this machine (user.max_user_namespaces is 0 or "
        "used up); as root: sysctl user.max_user_namespaces=15000"
    )


def test_root(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(AS_ROOT))
    assert line.startswith("refusing to run as root: ")
    assert line.endswith("run it as an ordinary user (nothing was run)")


def test_creation_where_no_jail_can_be(home: FakeHome) -> None:
    """pip is installed in the jail, and never without one."""
    env = home.project / "other"
    done = home.run([*in_namespaces(FUSE_MISSING), *VENVJAIL, env])
    assert done.returncode == 125
    assert done.stderr.startswith("venvjail: /dev/fuse is missing; as root: modprobe fuse")
    assert done.stderr.count("\n") == 1
    assert not list(env.glob("lib/python*/site-packages/pip"))


# -- the venv ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["moved", "renamed", "copied"])
def test_a_venv_that_is_elsewhere_now(own_jail: JailedVenv, how: str) -> None:
    assert runs(own_jail)
    own_jail.stop()
    place = own_jail.home.project / "other/venv"
    place.parent.mkdir()
    if how == "copied":
        subprocess.run(["cp", "-a", own_jail.env, place], check=True)
    else:
        place = place if how == "moved" else own_jail.env.with_name("renamed")
        own_jail.env.rename(place)
    commands = [([place / "bin/python"], 125), ([*VENVJAIL, "run", place, "python"], 2)]
    if how != "copied":  # that of a copy starts a shell in the original's jail
        commands.append(([place / "bin/activate-new-shell"], 125))
    for command, status in commands:
        done, ran = run_marked(own_jail.home, command)
        assert not ran
        assert done.returncode == status, done
        assert done.stderr.startswith("venvjail: "), done.stderr
        assert done.stderr.count("\n") == 1
        assert "move it back" in done.stderr
        assert str(own_jail.env) in done.stderr
    own_jail.home.check([*VENVJAIL, "--clear", "--without-pip", place])
    assert own_jail.home.check([place / "bin/python", "-c", "print('again')"]) == "again\n"
    own_jail.home.check([*VENVJAIL, "remove", "--yes", place])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "is damaged; run: venvjail --upgrade "),
        (b"{", "is damaged; run: venvjail --upgrade "),
        (b"[]", "is damaged; run: venvjail --upgrade "),
        (b'{"version": 2}', "is damaged; run: venvjail --upgrade "),
        (b"\xff\xfe", "is damaged; run: venvjail --upgrade "),
        (b"[" * 100_000, "is damaged; run: venvjail --upgrade "),
        (b'{"version": 99}', "was made by a newer venvjail (layout 99; this is "),
    ],
)
def test_a_damaged_record(jail: JailedVenv, content: bytes, line: str) -> None:
    with replaced(jail.paths.record, content):
        assert line in refused(jail, status=2)
    assert runs(jail)


def test_a_record_that_others_can_write_to(jail: JailedVenv) -> None:
    record = Path(jail.paths.record)
    with replaced(record, record.read_bytes(), 0o666):
        line = refused(jail, status=2)
    assert line == f"{record}: others can write to it; run: chmod go-w {record}"


def test_a_venv_without_its_record(jail: JailedVenv) -> None:
    record, aside = Path(jail.paths.record), Path(jail.paths.record + ".aside")
    record.rename(aside)
    try:
        line = refused(jail, status=2)
    finally:
        aside.rename(record)
    assert line == (f"{jail.env}: was not created completely; run: venvjail --clear {jail.env}")


def test_an_upgrade_mends_a_damaged_record(own_jail: JailedVenv) -> None:
    Path(own_jail.paths.record).write_bytes(b"{")
    own_jail.home.check([*VENVJAIL, "--upgrade", "--without-pip", own_jail.env])
    assert runs(own_jail)


def test_an_interpreter_that_is_gone(jail: JailedVenv) -> None:
    """The one that has venvjail's dependencies: a venv that was deleted, perhaps."""
    record = json.loads(Path(jail.paths.record).read_bytes())
    record["python"] = "/nowhere/bin/python"
    with replaced(jail.paths.record, json.dumps(record).encode()):
        line = refused(jail)
    assert line.startswith("cannot start /nowhere/bin/python: No such file or directory; ")
    assert line.endswith(f"venvjail --upgrade {jail.env}")


# -- the config ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[home\n", ":1: "),
        ("\n[hom]\n", ":2: "),
        ("[home]\nalow = []\n", ":2: "),
        ('[home]\nallow = ".gitconfig"\n', ":2: "),
        ('[home]\nallow = [\n  ".gitconfig",\n  1,\n]\n', ":4: "),
        ('[home]\nallow = ["../other"]\n', ":2: "),
        ('[home]\nallow = ["."]\n', ":2: "),
        ('[filesystem]\nwritable = ["/"]\n', ":2: "),
        ('[filesystem]\nhide = ["relative"]\n', ":2: "),
        ('[run]\nallow = ["/etc"]\n', ":2: "),
        ('[dev]\nallow = ["/etc/*"]\n', ":2: "),
        ('[network]\nmode = "some"\n', ":2: "),
        ("[jail]\nlinger = -1\n", ":2: "),
        ('[jail]\nuser_namespaces = "yes"\n', ":2: "),
        ("[environment]\nset = {A = 1}\n", ":2: "),
        ('[home]\nwritable = ["missing"]\n', ":2: "),
        ('[filesystem]\nwritable = ["/missing"]\n', ":2: "),
    ],
)
def test_a_config_that_cannot_be_used(jail: JailedVenv, text: str, where: str) -> None:
    config = jail.home.write(".dirjailconfig", text)
    try:
        line = refused(jail, status=2)
    finally:
        config.unlink()
    assert line.startswith(str(config) + where)


def test_a_config_that_is_no_text(jail: JailedVenv) -> None:
    with replaced(jail.paths.config, b"\xff\xfe[home]"):
        assert refused(jail, status=2).startswith(jail.paths.config)


def test_a_config_that_cannot_be_read(jail: JailedVenv) -> None:
    path = Path(jail.paths.config)
    with replaced(path, path.read_bytes(), 0):
        assert refused(jail, status=2).startswith(f"{path}: ")
    assert runs(jail)


def test_a_config_that_is_a_directory(jail: JailedVenv) -> None:
    path = jail.home.root / ".dirjailconfig"
    path.mkdir()
    try:
        assert refused(jail, status=2).startswith(f"{path}: ")
    finally:
        path.rmdir()


def test_a_project_that_is_gone(own_jail: JailedVenv) -> None:
    config = Path(own_jail.paths.config)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(str(own_jail.home.project), "/nowhere"), encoding="utf-8")
    line = refused(own_jail, status=2)
    assert line.startswith(f"{config}:")
    assert "/nowhere is not a directory" in line
