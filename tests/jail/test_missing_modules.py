"""What venvjail imports is missing, or has lost its libfuse: one line that says what to install."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.home import TREE, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv

#: As the dynamic linker says it when a distribution's upgrade has taken the library away.
LOST = "libfuse3.so.3: cannot open shared object file: No such file or directory"


@pytest.fixture
def without_libfuse(home: FakeHome, tmp_path: Path) -> Path:
    """A directory for ``sys.path`` with a pyfuse3 that cannot be imported."""
    directory = tmp_path / "lost"
    directory.mkdir()
    (directory / "pyfuse3.py").write_text(f"raise ImportError({LOST!r})\n", encoding="utf-8")
    before = home.env.get("PYTHONPATH")
    home.env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(directory), before]))
    return directory


def is_one_line(text: str) -> bool:
    return text.startswith("venvjail: ") and text.count("\n") == 1 and text.endswith("\n")


@pytest.mark.usefixtures("without_libfuse")
def test_doctor(home: FakeHome, tmp_path: Path) -> None:
    # Elsewhere than in /tmp: another test looks there for what doctor leaves behind.
    done = home.run([*VENVJAIL, "doctor"], env={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (1, "")
    assert f"MISSING  libfuse               ImportError: {LOST}\n" in done.stdout
    assert "--force-reinstall --no-cache-dir --no-deps pyfuse3\n" in done.stdout
    assert f"MISSING  a jail                cannot import pyfuse3 ({LOST}): " in done.stdout


@pytest.mark.usefixtures("without_libfuse")
def test_version(home: FakeHome) -> None:
    done = home.run([*VENVJAIL, "--version"])
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\npyfuse3 cannot be imported ({LOST}); see: venvjail doctor\n" in done.stdout


@pytest.mark.usefixtures("without_libfuse")
def test_the_first_command_and_mount_debug(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        for command in ([venv.bin / "python", "-c", ""], [*VENVJAIL, "mount-debug", "venv"]):
            done = home.run(command)
            assert (done.returncode, done.stdout) == (125, "")
            assert done.stderr.startswith(f"venvjail: cannot import pyfuse3 ({LOST}): ")
            assert is_one_line(done.stderr)


def test_a_library_that_is_lost_later(home: FakeHome, without_libfuse: Path) -> None:
    """The same at the first start after the upgrade of a distribution, and mended since."""
    del home.env["PYTHONPATH"]
    if "PYTHONPATH" in os.environ:
        home.env["PYTHONPATH"] = os.environ["PYTHONPATH"]
    with JailedVenv(home) as venv:
        assert venv.python("print('ran')") == "ran"
        venv.stop()
        path = Path(venv.paths.record)
        record = json.loads(path.read_bytes())
        lost = {**record, "roots": [str(without_libfuse), *record["roots"]]}
        path.write_text(json.dumps(lost), encoding="utf-8")
        done = home.run([venv.bin / "python", "-c", "print('ran')"])
        assert (done.returncode, done.stdout) == (125, "")
        assert is_one_line(done.stderr)
        path.write_text(json.dumps(record), encoding="utf-8")
        assert venv.python("print('ran')") == "ran"


def test_nothing_is_installed_beside_it(home: FakeHome) -> None:
    home.env["PYTHONPATH"] = str(TREE)
    done = home.run([sys.executable, "-S", "-m", "venvjail", "venv"])
    assert (done.returncode, done.stdout) == (125, "")
    assert is_one_line(done.stderr)
    assert done.stderr.startswith("venvjail: cannot import a module (No module named 'click'): ")
    assert done.stderr.endswith("-m pip install --force-reinstall venvjail\n")
