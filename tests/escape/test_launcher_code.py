"""ESCAPES 25: the code that starts a jail is not in what the jail can write to."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.home import TREE, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from venvjail import record


def copy_sources(to: Path) -> None:
    """venvjail's own sources, as a checkout."""
    for name in ("venvjail", "fusefs"):
        shutil.copytree(TREE / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))


def from_sources(sources: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(sources), "PYTHONSAFEPATH": "1"}


@pytest.mark.parametrize("options", [(), ("--project", "{project}")])
def test_a_checkout_as_the_project_is_refused(home: FakeHome, options: tuple[str, ...]) -> None:
    copy_sources(home.project)
    words = [word.format(project=home.project) for word in options]
    command = [*VENVJAIL, "--without-pip", *words, home.project / "venv"]
    done = home.run(command, env=from_sources(home.project), cwd=home.root)
    assert done.returncode == 2
    assert f"venvjail itself runs from {home.project}:" in done.stderr
    assert "--no-project" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (home.project / "venv").exists()
    alone = [*VENVJAIL, "--without-pip", "--no-project", home.root / "venvs/own"]
    home.check(alone, env=from_sources(home.project), cwd=home.root)
    assert home.check([home.root / "venvs/own/bin/python", "-c", "print('runs')"]) == "runs\n"
    home.check([*VENVJAIL, "stop", home.root / "venvs/own"])


def test_a_project_in_a_directory_of_code_is_refused(home: FakeHome) -> None:
    # It would be the package of that name: `src/json/__init__.py` before the standard one.
    copy_sources(home.root / "src")
    project = home.root / "src/json"
    project.mkdir()
    command = [*VENVJAIL, "--without-pip", project / "venv"]
    done = home.run(command, env=from_sources(home.root / "src"), cwd=home.root)
    assert done.returncode == 2
    assert f"venvjail itself runs from {home.root / 'src'}:" in done.stderr


def test_sources_below_the_project_are_read_only(home: FakeHome) -> None:
    sources = home.project / "vendor/venvjail"
    copy_sources(sources)
    home.env.update(from_sources(sources))
    with JailedVenv(home) as venv:
        attacks = (
            ["touch", sources / "contextlib.py"],
            ["sh", "-c", 'echo >>"$1"', "sh", sources / "venvjail/entry.py"],
            ["mv", sources, home.project / "old"],
            ["mv", sources.parent, home.project / "old"],
            ["rm", "-r", sources / "fusefs"],
        )
        for attack in attacks:
            assert venv.run(attack).returncode != 0
        venv.stop()
        # The control: each works on the host, `touch` makes the next start run what was planted.
        proof = home.root / "proof"
        venv.python("")
        venv.stop()
        assert not proof.exists()
        planted = f"open({str(proof)!r}, 'w').close()\nraise SystemExit(1)\n"
        (sources / "contextlib.py").write_text(planted)
        assert home.run([venv.bin / "python", "-c", ""]).returncode != 0
        assert proof.exists()
        (sources / "contextlib.py").unlink()
        home.check(["mv", sources, home.project / "taken"])


def test_its_interpreter_and_the_links_to_it(home: FakeHome) -> None:
    # A plain venv in the project, run through a symlink of the project's.
    tools = home.project / "tools"
    home.check([sys.executable, "-m", "venv", "--without-pip", tools / "plain-3"])
    (tools / "current").symlink_to("plain-3")
    with JailedVenv(home) as venv:
        change(venv, python=f"{tools}/current/bin/python")
        for attack in (
            ["rm", tools / "current"],
            ["ln", "-sfn", "/tmp", tools / "current"],
            ["mv", tools / "plain-3", tools / "old"],
            ["touch", tools / "plain-3/bin/python"],
            ["rm", tools / "plain-3/pyvenv.cfg"],
            ["mv", tools, home.project / "old"],
        ):
            assert venv.run(attack).returncode != 0
        venv.stop()
        home.check(["rm", tools / "current"])


def test_a_base_interpreter_in_the_project(home: FakeHome) -> None:
    prefix = home.project / "tools/python"
    for directory in ("bin", "lib/python3"):
        (prefix / directory).mkdir(parents=True)
    with JailedVenv(home) as venv:
        change(venv, base_prefix=str(prefix))
        for attack in (
            ["touch", prefix / "lib/python3/os.py"],
            ["touch", prefix / "pyvenv.cfg"],
            ["mv", prefix, f"{prefix}.old"],
            ["mv", prefix.parent, home.project / "old"],
        ):
            done = venv.run(attack)
            assert done.returncode == 1, done.stderr
        venv.stop()
        home.check(["touch", prefix / "pyvenv.cfg"])


@pytest.mark.parametrize("where", ["bin/python", "python"])
def test_an_interpreter_at_the_projects_top_is_refused(home: FakeHome, where: str) -> None:
    # `pyvenv.cfg` beside it, or above it, says where the standard library is.
    with JailedVenv(home) as venv:
        program = home.project / where
        program.parent.mkdir(exist_ok=True)
        program.symlink_to("/usr/bin/python3")
        change(venv, python=str(program))
        done = venv.run(["true"])
        assert done.returncode == 125
        assert f"venvjail itself runs from {home.project}" in done.stderr
        change(venv, python=sys.executable)
        venv.check(["true"])


def test_venvjail_in_the_venv_itself_is_refused(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        own = venv.env / "lib/own"
        copy_sources(own)
        change(venv, roots=(str(own), *record.load(str(venv.env)).roots[1:]))
        done = venv.run(["true"])
        assert done.returncode == 125
        assert f"venvjail itself runs from {own}" in done.stderr


def change(venv: JailedVenv, **values: object) -> None:
    """Change what the venv's record says it is run by."""
    venv.stop()
    record.save(record.load(str(venv.env))._replace(**values))  # type: ignore[arg-type]  # by name
