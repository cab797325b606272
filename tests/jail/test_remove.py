"""``venvjail remove``: all of a venv goes, and nothing else."""

import os
import shutil
from pathlib import Path

import pexpect
import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

HOSTILE = """
import os, sys
home, outside = os.path.expanduser("~"), sys.argv[1]
for place in (home, "/tmp", sys.prefix + "/lib", sys.prefix + "/bin"):
    os.makedirs(place + "/shut/inner")
    open(place + "/shut/inner/file", "w").close()
    os.symlink(outside, place + "/shut/out")
    os.symlink(outside, place + "/out")
    os.chmod(place + "/shut/inner", 0)
    os.chmod(place + "/shut", 0o500)
"""


def remove(home: FakeHome, env: Path, status: int = 0) -> str:
    done = home.run([*VENVJAIL, "remove", "--yes", env])
    assert done.returncode == status, done
    assert (done.stdout + done.stderr).count("\n") == 1
    return done.stdout + done.stderr


def test_venv_and_tmp_go_and_the_rest_stays(home: FakeHome) -> None:
    outside = home.write("docs/kept.txt", "kept")
    before = home.snapshot()
    with JailedVenv(home) as venv:
        venv.python(HOSTILE, outside.parent)
        tmp = venv.tmp
        assert (tmp / "shut").is_dir()
        assert remove(home, venv.env) == f"removed: {venv.env}\n"
        assert venv.status is None
    assert not tmp.exists()
    after = home.snapshot()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"src/proj/.git"}


def test_a_moved_venv(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        venv.check(["true"])
        tmp, moved = venv.tmp, home.project / "moved"
        venv.env.rename(moved)
        remove(home, moved)
        assert not moved.exists()
        assert not tmp.exists()


def test_a_copy_goes_without_the_tmp_of_its_original(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        venv.check(["touch", "/tmp/kept"])
        venv.stop()
        copy = home.project / "copy"
        shutil.copytree(venv.env, copy, symlinks=True, ignore=shutil.ignore_patterns("control"))
        remove(home, copy)
        assert not copy.exists()
        assert (venv.tmp / "kept").exists()
        venv.check(["true"])


@pytest.mark.parametrize("record", [b"{", None])
def test_a_venv_whose_record_is_damaged(home: FakeHome, record: bytes | None) -> None:
    with JailedVenv(home) as venv:
        venv.check(["true"])
        tmp = venv.tmp
        path = Path(venv.paths.record)
        path.unlink()
        if record is not None:
            path.write_bytes(record)
        remove(home, venv.env)
        assert not venv.env.exists()
        assert not tmp.exists()


def test_a_tmp_that_is_not_the_venvs_stays(home: FakeHome, tmp_path: Path) -> None:
    with JailedVenv(home) as venv:
        Path(venv.paths.tmp_link).symlink_to(tmp_path / "home/docs")
        remove(home, venv.env)
    assert (home.root / "docs/letter.txt").exists()


def test_what_is_no_venv_stays(home: FakeHome) -> None:
    assert "is not a venvjail environment" in remove(home, home.project, status=2)
    assert (home.project / "main.py").exists()


def test_the_home_itself_stays(home: FakeHome) -> None:
    (home.root / ".venvjail").mkdir(mode=0o700)
    assert "contains your home" in remove(home, home.root, status=2)
    assert (home.root / ".gitconfig").exists()


def test_a_terminal_is_asked(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        words = [str(word) for word in (*VENVJAIL, "remove", venv.env)]
        for answer, stays in (("n", True), ("y", False)):
            terminal = pexpect.spawn(words[0], words[1:], env=home.env, timeout=20)
            terminal.expect("and all that its programs made")
            terminal.sendline(answer)
            terminal.expect(pexpect.EOF)
            terminal.close()
            assert os.path.lexists(venv.env) is stays


def test_clear_gets_past_what_a_jail_has_made_too(home: FakeHome) -> None:
    outside = home.write("docs/kept.txt", "kept")
    with JailedVenv(home) as venv:
        venv.python(HOSTILE, outside.parent)
        home.check([*VENVJAIL, "--clear", "--without-pip", venv.env])
        assert not (venv.env / "lib/shut").exists()
        assert venv.python("print(1)") == "1"
    assert outside.read_text() == "kept"
