"""A venv whose venvjail or whose Python is another one by now: known, explained, mended."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.interpreters import VERSION, copy_interpreter, our_modules
from tests.support.jail import VENVJAIL, JailedVenv
from venvjail import record

PRINT = ["-c", "print('ran')"]


@pytest.fixture
def venv(home: FakeHome) -> JailedVenv:
    """A venv that has something to lose; no jail of it runs."""
    made = JailedVenv(home)
    (made.store / "notes.txt").write_text("precious", encoding="utf-8")
    (made.env / f"lib/python{VERSION}/site-packages/mine.py").write_text("", encoding="utf-8")
    config = Path(made.paths.config)
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[environment]\n", '[environment]\nset = {MINE = "1"}\n'))
    return made


def change_record(venv: JailedVenv, **values: object) -> None:
    path = Path(venv.paths.record)
    changed = {**json.loads(path.read_bytes()), **values}
    path.write_text(json.dumps({k: v for k, v in changed.items() if v is not None}))


def refused(venv: JailedVenv) -> str:
    """The one line with which each way to run something ends; it is the same for all."""
    lines = set()
    for command in (
        [venv.bin / "python", *PRINT],
        [venv.bin / "activate-new-shell"],
        [*VENVJAIL, "run", venv.env, "python", *PRINT],
    ):
        done = venv.home.run(command, stdin="echo ran\n")
        assert done.returncode in (2, 125)
        assert done.stdout == ""
        assert done.stderr.startswith("venvjail: ")
        assert done.stderr.count("\n") == 1
        lines.add(done.stderr)
    assert len(lines) == 1
    return lines.pop()


def upgrade(venv: JailedVenv) -> str:
    told = venv.home.check([*VENVJAIL, "--upgrade", "--without-pip", "venv"])
    assert venv.python("import mine, os; print(os.environ['MINE'])") == "1"
    assert (venv.store / "notes.txt").read_text(encoding="utf-8") == "precious"
    return told


def test_made_by_an_older_venvjail(venv: JailedVenv) -> None:
    assert venv.python("print('ran')") == "ran"  # the control
    venv.stop()
    change_record(venv, version=1, made_by=None, base_link=None)
    line = refused(venv)
    assert "was made by an older venvjail (layout 1; this is " in line
    assert line.endswith(f": venvjail --upgrade {venv.env}\n")
    with venv:
        assert upgrade(venv).startswith(f"upgrading {venv.env}\nupgraded venv; ")


def test_made_by_a_newer_venvjail(venv: JailedVenv) -> None:
    change_record(venv, version=record.VERSION + 1, made_by="9.0")
    before = Path(venv.paths.record).read_bytes()
    assert "was made by a newer venvjail (venvjail 9.0; this is " in refused(venv)
    for option in ("--upgrade", "--without-pip"):
        done = venv.home.run([*VENVJAIL, option, "venv"])
        assert done.returncode == 2
        assert done.stderr.endswith("; upgrade venvjail: pip install --upgrade venvjail\n")
    assert Path(venv.paths.record).read_bytes() == before
    venv.home.check([*VENVJAIL, "--clear", "--without-pip", "venv"])
    with venv:
        assert venv.python("print('ran')") == "ran"


def test_python_that_was_upgraded_in_its_place(venv: JailedVenv, tmp_path: Path) -> None:
    """``/usr/bin/python3`` is 3.13 now, and ``/usr/bin/python3.11`` is still there."""
    newer = tmp_path / "python3.99"
    newer.touch(0o755)
    (tmp_path / "python3").symlink_to(newer)
    change_record(venv, base_link=str(tmp_path / "python3"))
    line = refused(venv)
    assert f"was made of python{VERSION}, and {tmp_path}/python3 is python3.99 now; " in line
    assert line.endswith(f": venvjail --upgrade {venv.env}\n")
    with venv:
        upgrade(venv)


def test_python_that_is_gone(home: FakeHome, tmp_path: Path) -> None:
    python = copy_interpreter(home.root / "opt/python")
    home.env["PYTHONPATH"] = our_modules()
    with JailedVenv(home, python=python) as venv:
        assert venv.python("import sys; print(sys.base_prefix)") == f"{home.root}/opt/python"
        venv.stop()
        shutil.rmtree(home.root / "opt/python")
        remedy = "venvjail --upgrade"
        for command in (
            [venv.bin / "activate-new-shell"],
            [*VENVJAIL, "run", venv.env, "true"],
        ):
            done = home.run(command, stdin="echo ran\n")
            assert (done.returncode, done.stdout) == (125, "")
            assert str(python) in done.stderr
            assert remedy in done.stderr
            assert done.stderr.count("\n") == 1
        # The entries themselves: it is the kernel that does not start them, as in every venv.
        assert home.run(["sh", "-c", "venv/bin/python -c 'print(1)'"]).returncode in (126, 127)
        home.check([*VENVJAIL, "--upgrade", "--without-pip", "venv"])
        assert venv.python("import sys; print(sys.base_prefix)") == sys.base_prefix


def test_packages_of_another_python_are_told_of(venv: JailedVenv) -> None:
    other = venv.env / "lib/python3.9/site-packages"
    (other / "flask").mkdir(parents=True)
    (venv.env / "lib/python3.8/site-packages/pip").mkdir(parents=True)
    with venv:
        told = upgrade(venv)
    assert f"  packages    those for Python 3.9 stay, but Python {VERSION} does not see " in told
    assert "3.8" not in told


@pytest.mark.parametrize(("options", "kept"), [([], True), (["--clear-home"], False)])
def test_clear(venv: JailedVenv, options: list[str], kept: bool) -> None:
    told = venv.home.check([*VENVJAIL, "--clear", *options, "--without-pip", "venv"])
    assert (venv.store / "notes.txt").exists() is kept
    assert os.listdir(venv.store) == (["notes.txt"] if kept else [])
    word = "kept; --clear-home deletes it" if kept else "cleared"
    assert f"  home        venv/home ({word})\n" in told


def test_clear_home_goes_with_clear(venv: JailedVenv) -> None:
    done = venv.home.run([*VENVJAIL, "--clear-home", "venv"])
    assert done.returncode == 2
    assert done.stderr.startswith("venvjail: --clear-home goes with --clear: ")
    assert (venv.store / "notes.txt").exists()


def test_a_project_that_was_moved(home: FakeHome) -> None:
    """Its config names the directory that the venv was in: that of the new place is meant."""
    venv = JailedVenv(home)
    new = home.project.with_name("renamed")
    home.project.rename(new)
    moved = [*VENVJAIL, "--without-pip", new / "venv"]
    for options in ([], ["--upgrade"]):
        refused = home.run([*moved, *options], cwd=new)
        assert refused.returncode == 2
        assert refused.stderr == (
            f"venvjail: {new}/venv: was moved here from {venv.env}, the path its programs name; "
            f"move it back or make it anew: venvjail --clear {new}/venv\n"
        )
    told = home.check([*moved, "--clear"], cwd=new)
    assert f"  writable    {new} (the directory that holds the venv)\n" in told
    home.check([new / "venv/bin/python", "-c", "open('made', 'w')"], cwd=new)
    assert (new / "made").exists()
    home.check([*VENVJAIL, "remove", "--yes", new / "venv"], cwd=new)


def test_a_project_that_is_gone_stops_clear_before_it_deletes(home: FakeHome) -> None:
    other = home.project / "other"
    other.mkdir()
    venv = JailedVenv(home, options=("--without-pip", "--project", str(other)))
    other.rmdir()
    refused = home.run([*VENVJAIL, "--clear", "venv"])
    assert refused.returncode == 2
    assert refused.stderr.endswith(f"the project {other} is not a directory; mend the path\n")
    assert (venv.bin / "python").exists()
