"""Venvs in all kinds of places: what is writable, what is hidden, and that the paths hold."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.attempts import DONE, all_end, in_jail, on_host
from tests.support.home import FakeHome
from tests.support.interpreters import copy_interpreter, our_modules
from tests.support.jail import VENVJAIL, JailedVenv
from venvjail.layout import VenvPaths


@pytest.fixture(params=["/var/tmp", "/tmp"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory of the user's in a place that jails replace by their own."""
    directory = Path(tempfile.mkdtemp(prefix="venvjail-test-", dir=request.param))
    yield directory
    subprocess.run(["chmod", "-R", "u+rwx", directory], check=True)
    shutil.rmtree(directory)


def works(venv: JailedVenv) -> bool:
    """The venv is its programs' prefix, the home is hidden, and both ways to start agree."""
    program = "import os, sys; print(os.fsencode(sys.prefix).hex())"
    prefix = bytes.fromhex(venv.python(program))
    hidden = all_end(in_jail(venv, "look", [venv.home.root / ".ssh/id_rsa"]), "ENOENT")
    shell = venv.check(["sh", "-c", 'command -v python; printf %s "$VIRTUAL_ENV"'])
    return (
        prefix == os.fsencode(venv.env)
        and hidden
        and shell == f"{venv.bin / 'python'}\n{venv.env}"
        and all_end(on_host(venv.home, "look", [venv.home.root / ".ssh/id_rsa"]), DONE)
    )


def project_of(venv: JailedVenv) -> str | None:
    status = venv.status
    assert status is not None
    return status.project


def test_in_the_home_itself(home: FakeHome) -> None:
    """The project is the venv alone: the home is not given away."""
    with JailedVenv(home, home.root / "venv") as venv:
        assert works(venv)
        assert project_of(venv) is None
        venv.python("open('/'.join([__import__('sys').prefix, 'x']), 'w').write('x')")
        assert (venv.env / "x").read_text() == "x"
        venv.check(["sh", "-c", "echo new >~/created"])
        assert (venv.store / "created").read_text() == "new\n"
        assert not (home.root / "created").exists()
        assert all_end(in_jail(venv, "look", [home.project / "main.py"]), "ENOENT")


def test_outside_of_the_home(home: FakeHome, elsewhere: Path) -> None:
    project = elsewhere / "proj"
    project.mkdir()
    (elsewhere / "beside").write_text("")
    with JailedVenv(home, project / "venv") as venv:
        assert works(venv)
        assert project_of(venv) == str(project)
        venv.check(["touch", project / "made"])
        assert (project / "made").exists()
        assert all_end(in_jail(venv, "look", [elsewhere / "beside", home.project]), "ENOENT")
        # The jail's own /tmp is around it, and stays a /tmp.
        venv.check(["touch", "/tmp/in-tmp"])
        assert (venv.tmp / "in-tmp").exists()


def test_right_in_tmp(home: FakeHome) -> None:
    """/tmp is everybody's: it is no project."""
    env = Path(tempfile.mkdtemp(prefix="venvjail-test-", dir="/tmp"))
    env.rmdir()
    with JailedVenv(home, env) as venv:
        assert works(venv)
        assert project_of(venv) is None
        home.check([*VENVJAIL, "remove", "--yes", env])
    assert not env.exists()


def test_a_home_spelled_through_a_symlink(home: FakeHome, tmp_path: Path) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(home.root)
    home.env["HOME"] = str(alias)
    with JailedVenv(home) as venv:
        assert works(venv)
        paths = [path / ".ssh/id_rsa" for path in (home.root, alias)]
        assert all_end(in_jail(venv, "look", paths), "ENOENT")
        assert all_end(on_host(home, "look", paths), DONE)
        assert venv.python("import os; print(sorted(os.listdir(os.path.expanduser('~'))))") == (
            "['.bashrc', '.inputrc', '.profile', 'src']"
        )
        venv.check(["sh", "-c", "echo new >~/created"])
        assert (venv.store / "created").read_text() == "new\n"
        home.env["HOME"] = str(home.root)
        assert venv.check(["cat", home.root / "created"]) == "new\n"


def test_a_symlink_in_the_home_that_leads_to_the_project(home: FakeHome) -> None:
    """The venv is at its real path; the link itself is of the home, and hidden."""
    (home.root / "link").symlink_to(home.project)
    with JailedVenv(home) as venv:
        linked = home.root / "link"
        assert home.check([linked / "venv/bin/python", "-c", "print(1)"], cwd=linked) == "1\n"
        assert all_end(in_jail(venv, "look", [linked]), "ENOENT")


def test_created_through_a_symlink(home: FakeHome) -> None:
    (home.root / "link").symlink_to(home.project)
    home.check([*VENVJAIL, "--without-pip", "venv"], cwd=home.root / "link")
    assert VenvPaths(str(home.project / "venv")).env in home.check(
        [home.root / "link/venv/bin/python", "-c", "import sys; print(sys.prefix)"]
    )


def test_home_and_the_accounts_home_are_both_hidden(jail: JailedVenv) -> None:
    account = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert account != jail.home.root
    names = [name for name in os.listdir(account) if name not in (".bashrc", ".profile")]
    assert jail.check(["ls", "-A", account]) == ""
    paths = [account / name for name in names] or [account / ".bashrc"]
    assert all_end(in_jail(jail, "look", paths), "ENOENT")
    assert all_end(in_jail(jail, "look", [jail.home.root / ".ssh"]), "ENOENT")
    assert all_end(in_jail(jail, "create", [account / "made"]), "EROFS", "EACCES")


@pytest.mark.parametrize(
    "name",
    [
        "with blanks  in it",
        "ünïcode-家",
        "bytes-\udcff\udcfe",
        "quotes'\"`$(touch owned)\\",
        "-dash",
        "#hash;semi&amp|pipe*glob?[x]{y}~!%",
        " blanks around ",
    ],
)
def test_unusual_names(home: FakeHome, name: str) -> None:
    project = home.root / name / "proj"
    project.mkdir(parents=True)
    with JailedVenv(home, project / name) as venv:
        assert works(venv)
        venv.check(["touch", project / "made"])
        assert (project / "made").exists()
        assert venv.status is not None
        assert venv.status.venv == str(venv.env)
        shown = home.check([*VENVJAIL, "ps", venv.env]) + home.check([*VENVJAIL, "status"])
        assert shown.isprintable() is False  # newlines only:
        assert all(line.isprintable() for line in shown.split("\n"))
        activated = home.run([venv.bin / "activate-new-shell"], stdin='printf %s "$VIRTUAL_ENV"\n')
        assert (activated.returncode, activated.stdout) == (0, str(venv.env)), activated
        venv.stop()
        assert not (project / "owned").exists()
        home.check([*VENVJAIL, "remove", "--yes", venv.env])
        assert not venv.env.exists()


def test_a_long_path(home: FakeHome) -> None:
    """Longer than the 107 bytes of a socket's address, and than a ``#!`` line."""
    deep = home.root / ("d" * 150) / ("e" * 100)
    deep.mkdir(parents=True)
    with JailedVenv(home, deep / "venv") as venv:
        assert len(os.fsencode(venv.paths.run)) > 300
        assert works(venv)
        assert str(venv.env) in home.check([*VENVJAIL, "status"]).splitlines()


def test_a_path_that_is_too_long(home: FakeHome) -> None:
    env = home.root.joinpath(*("d" * 200 for _ in range(3)), "venv")
    done = home.run([*VENVJAIL, env])
    assert done.returncode == 2
    assert done.stderr.startswith(f"venvjail: {env}: longer than 450 bytes")
    assert not env.parent.exists()


def test_a_base_interpreter_in_the_home(home: FakeHome) -> None:
    """It is seen, read-only, and nothing beside it."""
    prefix = home.root / "opt/python"
    python = copy_interpreter(prefix)
    (home.root / "opt/secret").write_text("")
    home.env["PYTHONPATH"] = our_modules()
    with JailedVenv(home, python=python) as venv:
        assert works(venv)
        assert venv.python("import sys; print(sys.base_prefix)") == str(prefix)
        assert venv.python("import json, ssl, ctypes; print(json.__file__)").startswith(str(prefix))
        assert all_end(in_jail(venv, "look", [home.root / "opt/secret"]), "ENOENT")
        new = prefix / "planted"
        assert all_end(on_host(home, "create", [new]), DONE)
        assert all_end(in_jail(venv, "create", [new]), "EROFS")
        assert all_end(
            in_jail(venv, "write", [Path(venv.python("print(__import__('os').__file__)"))]), "EROFS"
        )


def test_a_project_elsewhere(home: FakeHome) -> None:
    other = home.root / "other"
    other.mkdir()
    with JailedVenv(home, options=["--without-pip", "--project", str(other)]) as venv:
        assert works(venv)
        assert project_of(venv) == str(other)
        venv.check(["touch", other / "made"])
        assert (other / "made").exists()
        assert all_end(in_jail(venv, "look", [home.project / "main.py"]), "ENOENT")
        assert all_end(in_jail(venv, "create", [venv.env / "in-the-venv"]), DONE)


def test_no_project(home: FakeHome) -> None:
    with JailedVenv(home, options=["--without-pip", "--no-project"]) as venv:
        assert works(venv)
        assert project_of(venv) is None
        main = home.project / "main.py"
        assert all_end(on_host(home, "look", [main]), DONE)
        assert all_end(in_jail(venv, "look", [main]), "ENOENT")
        assert all_end(in_jail(venv, "create", [venv.env / "in-the-venv"]), DONE)


@pytest.mark.parametrize("project", ["/", "/tmp", "/home", "~", "missing"])
def test_what_cannot_be_a_project(home: FakeHome, project: str) -> None:
    directory = str(home.root) if project == "~" else project
    done = home.run([*VENVJAIL, "--project", directory, "--without-pip", "venv"])
    assert done.returncode == 2
    assert done.stderr.startswith(f"venvjail: --project {directory}: ")
    assert done.stderr.count("\n") == 1
    assert not (home.project / "venv").exists()


def test_deeper_in_the_project(home: FakeHome) -> None:
    options = ["--without-pip", "--project", str(home.project)]
    with JailedVenv(home, "envs/venv", options=options) as venv:
        assert works(venv)
        assert project_of(venv) == str(home.project)
        venv.check(["touch", home.project / "made", home.project / "envs/made"])
        assert (home.project / "envs/made").exists()
        above = [home.project / "envs", venv.env]
        assert all_end(in_jail(venv, "rename", above), "EBUSY")
        assert all_end(in_jail(venv, "look", [venv.state / "state.json"]), "EACCES")


def test_two_venvs_of_one_project(home: FakeHome) -> None:
    """Each is read-only to the other, its state and its home hidden."""
    with JailedVenv(home, "one") as one, JailedVenv(home, "two") as two:
        for own, other in ((one, two), (two, one)):
            assert works(own)
            other.check(["sh", "-c", "echo secret >~/mine"])
            own.stop()
            hidden = [other.state / "state.json", other.store / "mine"]
            assert all_end(on_host(home, "look", hidden), DONE)
            assert all_end(in_jail(own, "look", hidden), "EACCES")
            kept = [other.bin / "python", other.env / "pyvenv.cfg"]
            assert all_end(in_jail(own, "write", kept), "EROFS")
            made = [other.bin / "planted", other.env / "planted"]
            assert all_end(on_host(home, "create", made), DONE)
            assert all_end(in_jail(own, "create", made), "EROFS")
            other.check(["touch", f"/tmp/of-{other.env.name}"])
            assert all_end(in_jail(own, "look", [f"/tmp/of-{other.env.name}"]), "ENOENT")
        assert one.tmp != two.tmp
