"""ESCAPES 10: what an earlier jail has left leads no mount of the next one astray."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from venvjail.creation.create import CreateOptions, create
from venvjail.creation.progress import ConsoleProgress
from venvjail.errors import UserError
from venvjail.layout import VenvPaths


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


@pytest.mark.parametrize("plants", [False, True])
def test_a_symlink_planted_while_a_venv_is_upgraded(
    own_jail: JailedVenv, monkeypatch: pytest.MonkeyPatch, plants: bool
) -> None:
    """Its jail runs until what can be refused has been looked at, and may act as it is ended."""
    hidden = own_jail.home.root / "hidden"
    hidden.mkdir()
    library = own_jail.env / "lib"

    def stop(_paths: VenvPaths) -> None:
        if plants:
            shutil.rmtree(library)
            library.symlink_to(hidden)

    monkeypatch.setenv("HOME", str(own_jail.home.root))
    options = CreateOptions(upgrade=True, with_pip=False)
    refused = pytest.raises(UserError, match="lib: is a symlink") if plants else nullcontext()
    with refused:
        create(str(own_jail.env), options, ConsoleProgress(), stop)
    assert os.listdir(hidden) == []
