"""The seed on what a jailed program can write to, a sentence a test."""

import os
from pathlib import Path

from tests.support.attempts import DONE, all_end, in_jail, on_host
from tests.support.jail import VENVJAIL, JailedVenv


def test_writes_in_the_project(jail: JailedVenv) -> None:
    """The processes can write only to files in the directory subtree in which the `venvjail` was
    created."""
    project = jail.home.project
    (project / "deep/er").mkdir(parents=True)
    (project / "deep/er/old").write_text("old", encoding="utf-8")
    jail.check(["sh", "-c", "echo new >deep/er/new; echo more >>deep/er/old; rm main.py"])
    assert (project / "deep/er/new").read_text() == "new\n"
    assert (project / "deep/er/old").read_text() == "oldmore\n"
    assert not (project / "main.py").exists()


def test_writes_to_nothing_else(jail: JailedVenv, outside: Path) -> None:
    """The processes can write **only** to files in that subtree: not where the user can."""
    home = jail.home
    mine = outside / "mine"
    mine.write_text("x", encoding="utf-8")
    for operation, path in (
        ("write", mine),
        ("chmod", mine),
        ("rename", mine),
        ("create", outside / "new"),
    ):
        assert all_end(on_host(home, operation, [path]), DONE)
        assert all_end(in_jail(jail, operation, [path]), "EROFS")
    assert os.listdir(outside) == ["mine"]


def test_writes_to_no_world_writable_directory(jail: JailedVenv) -> None:
    """The processes can write **only** to files in that subtree: not where everybody can."""
    candidates = [Path("/dev/mqueue"), Path("/dev/shm"), Path("/run/lock"), Path("/run/screen")]
    places = [place / "of-a-venvjail-test" for place in candidates if os.access(place, os.W_OK)]
    names = [str(place) for place in places]
    assert all_end(on_host(jail.home, "create", names), DONE)
    for name in names:
        jail.run(["touch", name])
        assert not os.path.lexists(name)


def test_neighbours_of_the_project_are_out_of_reach(jail: JailedVenv) -> None:
    """The processes can write **only** to files in that subtree: what is made beside it is not
    there for the host."""
    sibling = jail.home.root / "src/sibling"
    assert all_end(on_host(jail.home, "create", [sibling]), DONE)
    jail.check(["sh", "-c", 'echo x >"$1"', "sh", sibling])
    assert not os.path.lexists(sibling)
    assert (jail.store / "src/sibling").read_text() == "x\n"


def test_activation_files_are_not_accessible(jail: JailedVenv) -> None:
    """The exception are the `venvjail` activation and configuration files, which are not
    accessible in the jail: activation."""
    assert jail.python("") == ""
    entry = (jail.bin / "python").read_bytes()
    assert all_end(on_host(jail.home, "read", [jail.bin / "activate-new-shell"]), DONE)
    assert all_end(in_jail(jail, "read", [jail.bin / "activate-new-shell"]), "ENOENT")
    # What a jail makes of these names is in its own bin, and the host goes on without it.
    program = f"""
import os, pathlib
for name in ("activate-new-shell", "python"):
    pathlib.Path({str(jail.bin)!r}, name).unlink(missing_ok=True)
    pathlib.Path({str(jail.bin)!r}, name).write_text("#!/bin/sh\\necho evil")
    os.chmod(pathlib.Path({str(jail.bin)!r}, name), 0o755)
"""
    python = os.readlink(jail.state / "bin/python")
    jail.python(program)
    assert (jail.bin / "python").read_bytes() == entry
    assert b"evil" not in (jail.bin / "activate-new-shell").read_bytes()
    jail.check(
        [
            "sh",
            "-c",
            'rm "$1"/activate-new-shell && ln -sf "$2" "$1"/python',
            "sh",
            jail.bin,
            python,
        ]
    )


def test_configuration_files_are_not_accessible(jail: JailedVenv) -> None:
    """The exception are the `venvjail` activation and configuration files, which are not
    accessible in the jail: configuration."""
    config = jail.home.root / ".dirjailconfig"
    config.write_text("[home]\nallow = ['.gitconfig']\n", encoding="utf-8")
    try:
        jail.stop()
        inside = [jail.paths.config, jail.paths.record, jail.state / "activate-new-shell"]
        assert all_end(on_host(jail.home, "read", [config, *inside]), DONE)
        assert all_end(in_jail(jail, "read", [config]), "ENOENT")
        assert all_end(in_jail(jail, "look", inside), "EACCES")
        assert all_end(in_jail(jail, "enlist", [jail.state]), "EACCES")
        assert ".dirjailconfig" not in jail.check(["ls", "-A", jail.home.root]).split()
        for name in (jail.state, jail.env, jail.paths.pyvenv_cfg):
            assert in_jail(jail, "rename", [name])[str(name)] in ("EBUSY", "EXDEV", "EROFS")
        assert all_end(in_jail(jail, "read", [jail.paths.pyvenv_cfg]), DONE)
        assert all_end(in_jail(jail, "write", [jail.paths.pyvenv_cfg]), "EROFS")
        assert all_end(on_host(jail.home, "write", [jail.paths.pyvenv_cfg]), DONE)
    finally:
        config.unlink()


def test_a_config_made_in_the_jail_is_not_read(own_jail: JailedVenv) -> None:
    """The exception are the configuration files: one that a jailed program makes in its home is
    a file like any other."""
    home = own_jail.home
    allow = "[home]\nallow = ['.ssh']\n"
    config = home.root / ".dirjailconfig"
    key = home.root / ".ssh/id_rsa"
    own_jail.check(["sh", "-c", 'printf "$1" >"$2"', "sh", allow, config])
    own_jail.stop()
    assert (own_jail.store / ".dirjailconfig").read_text() == allow
    assert ".ssh" not in home.check([*VENVJAIL, "config", own_jail.env])
    assert all_end(in_jail(own_jail, "read", [key]), "ENOENT")
    # The control: the user's own is read, and can allow that.
    config.write_text(allow, encoding="utf-8")
    own_jail.stop()
    assert ".ssh" in home.check([*VENVJAIL, "config", own_jail.env])
    assert all_end(in_jail(own_jail, "read", [key]), DONE)
