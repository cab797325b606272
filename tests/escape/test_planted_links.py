"""ESCAPES 10: what an earlier jail has left leads no mount of the next one astray."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv


@pytest.fixture
def venv(home: FakeHome) -> Iterator[JailedVenv]:
    """One below /tmp, whose mount points have to be made in the private /tmp."""
    top = Path(tempfile.mkdtemp(dir="/tmp"))
    (top / "proj").mkdir()
    with JailedVenv(home, top / "proj/venv") as made:
        yield made
    shutil.rmtree(top)


def test_a_symlink_on_the_way_to_a_mount_point_is_refused(venv: JailedVenv) -> None:
    ran = [venv.bin / "python", "-c", "print('ran')"]
    assert venv.home.check(ran) == "ran\n"  # the control: without the link it is mounted there
    venv.stop()
    way = venv.tmp / venv.env.parent.parent.name
    assert (way / "proj").is_dir()
    elsewhere = venv.tmp / "elsewhere"
    way.rename(elsewhere)
    way.symlink_to("elsewhere")
    done = venv.home.run(ran)
    assert (done.returncode, done.stdout) == (125, "")
    assert "a symlink lies on the way; remove it" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert os.listdir(elsewhere / "proj") == []
    way.unlink()
    assert venv.home.check(ran) == "ran\n"
