"""ESCAPES 24 and 26: venvs and jails that share a project, in both directions."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from venvjail import record

POISON = 'for f in "$@"; do echo poison >"$f" || rm -rf "$f" || mv "$f" "$f.old"; done; mkdir "$1"'


@contextlib.contextmanager
def busy(venv: JailedVenv) -> Iterator[None]:
    """A program runs in the jail."""
    entry = subprocess.Popen(
        [venv.bin / "python", "-c", "print(flush=True); input()"],
        env=venv.home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert entry.stdout is not None
    entry.stdout.readline()
    try:
        yield
    finally:
        entry.communicate(b"\n", timeout=30)


def test_two_venvs_of_one_project_cannot_touch_each_other(home: FakeHome) -> None:
    with JailedVenv(home, "one") as one, JailedVenv(home, "two") as two:
        for attacker, victim in ((one, two), (two, one)):
            still = [victim.env / name for name in ("bin/python", "pyvenv.cfg", "lib")]
            before = [path.lstat().st_ctime_ns for path in still]
            with busy(victim):
                paths = [*still, victim.bin / "activate-new-shell", victim.state, victim.store]
                assert attacker.run(["sh", "-c", POISON, "sh", *paths]).returncode != 0
                assert attacker.run(["mv", victim.env, home.project / "moved"]).returncode != 0
                assert attacker.run(["ls", victim.state]).returncode != 0
                assert attacker.run(["ls", victim.store]).returncode != 0
            assert [path.lstat().st_ctime_ns for path in still] == before
            assert victim.python("print('well')") == "well"


def test_no_venv_is_made_where_a_program_in_a_jail_could_write(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        new = home.project / "deeper/new"
        create = [*VENVJAIL, "--without-pip", new]
        with busy(venv):
            done = home.run(create)
            assert done.returncode == 2
            assert f"programs run in the jail of {venv.env}" in done.stderr
            assert f"venvjail stop {venv.env}" in done.stderr
            assert not new.exists()
        home.check(create)
        # The idle jail was ended: the next one knows the new venv.
        assert venv.run(["touch", new / "bin/python"]).returncode != 0
        home.check(["touch", new / "bin/python"])


def test_also_where_it_may_write_beside_its_project(home: FakeHome) -> None:
    place = home.root / "shared/group"
    place.mkdir(parents=True)
    with JailedVenv(home) as venv:
        add(venv, "home", 'writable = ["shared"]')
        with busy(venv):
            done = home.run([*VENVJAIL, "--without-pip", place / "venv"])
            assert "programs run in the jail" in done.stderr


def test_a_jail_that_is_starting_is_waited_for(home: FakeHome) -> None:
    # It has looked for venvs already, and does not answer yet.
    with JailedVenv(home) as venv:
        venv.python("")
        lock = os.open(venv.paths.run + "/lock", os.O_WRONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        creator = subprocess.Popen(
            [*VENVJAIL, "--without-pip", home.project / "new"], env=home.env, cwd=home.project
        )
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                creator.wait(1.5)
            assert not (home.project / "new/bin").exists()
        finally:
            os.close(lock)
            assert creator.wait(30) == 0


def test_a_venv_deep_in_another_ones_project(home: FakeHome) -> None:
    inner = home.project / "a/b"
    inner.mkdir(parents=True)
    with JailedVenv(home) as outer, JailedVenv(home, "a/b/venv") as venv:
        venv.python("")
        for above in (inner, inner.parent):
            assert outer.run(["mv", above, f"{above}.old"]).returncode != 0
        # The control: a directory with nothing in it to guard.
        (home.project / "c/d").mkdir(parents=True)
        assert outer.run(["mv", home.project / "c", home.project / "c.old"]).returncode == 0


def test_what_is_above_a_project_in_a_writable_directory_stays(home: FakeHome) -> None:
    # `writable` may contain the project or the venv: they must stay at their paths too.
    with JailedVenv(home, "venv") as venv:
        beside = home.root / "src/group/other"
        home.check(["git", "init", "--quiet", beside])
        add(venv, "home", 'writable = ["src"]')
        assert venv.run(["touch", home.root / "src/group/new"]).returncode == 0
        for path in (home.project, beside / ".git", beside, beside.parent):
            assert venv.run(["mv", path, f"{path}.old"]).returncode != 0
        assert venv.run(["touch", beside / ".git/config"]).returncode != 0
        assert venv.run(["rm", venv.paths.pyvenv_cfg]).returncode != 0


def test_a_project_exchanged_for_a_symlink_by_another_jail(home: FakeHome) -> None:
    """The venv is elsewhere, so that the jail whose project has this one's knows nothing of it."""
    app = home.root / "src/app"
    app.mkdir()
    around = ("--without-pip", "--project", str(home.root / "src"))
    within = ("--without-pip", "--project", str(app))
    with (
        JailedVenv(home, options=around) as attacker,
        JailedVenv(home, home.root / "envs/app", options=within) as victim,
    ):
        write = "import sys; open(sys.argv[1], 'w').close()"
        victim.python(write, app / "own")
        victim.stop()
        attacker.check(["mv", app, home.root / "src/moved"])
        attacker.check(["ln", "-s", home.root / ".ssh", app])
        stolen = home.root / ".ssh/stolen"
        done = home.run([victim.bin / "python", "-c", write, stolen], cwd=home.root)
        assert done.returncode == 2
        assert f"{app} is a symlink of yours, which a jail may have made" in done.stderr
        assert not stolen.exists()
        home.check(["/usr/bin/python3", "-c", write, app / "stolen"])
        assert stolen.exists()


def test_launchers_of_other_venvs_are_guarded_too(home: FakeHome) -> None:
    # Installed from its sources, in a project that another venv's jail writes to.
    sources = home.project / "tools/src"
    sources.mkdir(parents=True)
    with JailedVenv(home, "one") as one, JailedVenv(home, "two") as two:
        assert one.run(["touch", sources / "contextlib.py"]).returncode == 0
        (sources / "contextlib.py").unlink()
        one.stop()
        changed = record.load(str(two.env))
        record.save(changed._replace(roots=(*changed.roots, str(sources))))
        assert one.run(["touch", sources / "contextlib.py"]).returncode != 0
        assert one.run(["mv", sources.parent, home.project / "old"]).returncode != 0


def add(venv: JailedVenv, section: str, line: str) -> None:
    """Put a line into a section of the venv's config, for the next jail."""
    venv.stop()
    path = Path(venv.paths.config)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f"[{section}]\n", f"[{section}]\n{line}\n"), encoding="utf-8")
