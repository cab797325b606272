"""A jail on a kernel that lacks something: refused in one line, or with one wall less, aloud."""

from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import configured
from tests.support.namespaces import (
    FUSE_SHUT,
    NO_LANDLOCK,
    NO_MOUNT_SETATTR,
    NO_XFRM,
    in_namespaces,
)
from tests.support.refusals import refused, runs
from tests.support.world import require_isolation

LOOK = """
import os
print(os.path.exists(os.path.expanduser("~/.ssh")))
try:
    open("/var/escaped", "w")
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture(autouse=True)
def _stopped(jail: JailedVenv) -> None:
    jail.stop()


def log(jail: JailedVenv) -> str:
    return Path(jail.paths.run, "log").read_text(encoding="utf-8")


def test_without_landlock_the_other_walls_stand(jail: JailedVenv) -> None:
    assert runs(jail)
    assert "no usable Landlock" not in log(jail)
    jail.stop()
    said = jail.home.check([*in_namespaces(NO_LANDLOCK), jail.bin / "python", "-c", LOOK])
    assert said == "False\nRead-only file system\n"
    assert "the kernel has no usable Landlock: the jail has one wall less" in log(jail)
    jail.stop()


def test_a_kernel_that_is_too_old(jail: JailedVenv) -> None:
    line = refused(jail, prefix=in_namespaces(NO_MOUNT_SETATTR))
    assert line.startswith("cannot build the jail: root '/': Function not implemented")
    assert line.endswith(" (this kernel is too old; Linux 5.12 or newer is needed)")


def test_an_isolated_network_without_ipsec_policies(jail: JailedVenv) -> None:
    """No address could be shut: nothing is run rather than that all is open."""
    require_isolation()
    with configured(jail, '[network]\nmode = "isolated"\n'):
        assert runs(jail)
        line = refused(jail, prefix=in_namespaces(NO_XFRM))
    assert line.startswith("this kernel has no IPsec policies (CONFIG_XFRM_USER)")
    assert line.endswith("(nothing was run)")


def test_what_doctor_says_of_them(shared_home: FakeHome) -> None:
    require_isolation()
    done = shared_home.run([*in_namespaces(NO_XFRM), *VENVJAIL, "doctor"])
    assert done.returncode == 0, done.stdout
    assert "but the kernel has no IPsec policies" in done.stdout
    assert "remedy: sudo modprobe xfrm_user; else a kernel with CONFIG_XFRM_USER" in done.stdout
    done = shared_home.run([*in_namespaces(FUSE_SHUT), *VENVJAIL, "doctor"])
    assert done.returncode == 1
    assert "remedy: sudo chmod 666 /dev/fuse (udev's rules do so on a usual system)" in done.stdout
