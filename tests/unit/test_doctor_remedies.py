"""What `venvjail doctor` advises, by distribution; and how its trials end."""

import errno
import os
import time

import pytest

from venvjail.doctor import remedies, trials
from venvjail.doctor.remedies import this_distribution
from venvjail.doctor.trials import Outcome, attempt

RELEASES = {
    "debian": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "ubuntu": 'PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nID_LIKE=debian\n',
    "fedora": 'PRETTY_NAME="Fedora Linux 42"\nID=fedora\n',
    "rocky": 'PRETTY_NAME="Rocky Linux 9"\nID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "arch": 'PRETTY_NAME="Arch Linux"\nID=arch\n',
    "derived": 'PRETTY_NAME="Something"\nID=something\nID_LIKE="unknown arch"\n',
    "none": "",
}


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("debian", "sudo apt install passt"),
        ("ubuntu", "sudo apt install passt"),
        ("fedora", "sudo dnf install passt"),
        ("rocky", "sudo dnf install passt"),
        ("arch", "sudo pacman -S passt"),
        ("derived", "sudo pacman -S passt"),
        ("none", "install, as your distribution calls it: passt"),
    ],
)
def test_packages(release: str, command: str) -> None:
    distribution = this_distribution(RELEASES[release])
    assert distribution.install(remedies.same_everywhere("passt")) == command


def test_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    fedora = remedies.for_libfuse(this_distribution(RELEASES["fedora"]))
    assert fedora.startswith("sudo dnf install fuse3-devel ")
    assert fedora.endswith(" --force-reinstall --no-cache-dir --no-deps pyfuse3")


@pytest.mark.parametrize(
    ("sysctls", "advice"),
    [
        ({"user.max_user_namespaces": "0"}, "echo user.max_user_namespaces=15000"),
        ({"kernel.unprivileged_userns_clone": "0"}, "echo kernel.unprivileged_userns_clone=1"),
        (
            {"kernel.apparmor_restrict_unprivileged_userns": "1"},
            "sudo tee /etc/apparmor.d/venvjail <<'EOF'",
        ),
        ({}, "in a container: "),
    ],
)
def test_user_namespaces(
    sysctls: dict[str, str], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remedies, "_sysctl", lambda name: sysctls.get(name, ""))
    assert advice in remedies.for_user_namespaces()


def test_the_profile_names_this_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/opt/python/bin/python3.12")
    text = remedies.for_apparmor()
    assert "profile venvjail /opt/python/bin/python3.12 flags=(unconfined) {\n  userns,\n" in text
    assert text.endswith("EOF\nsudo apparmor_parser -r /etc/apparmor.d/venvjail")


# -- trials ----------------------------------------------------------------------------------


def refused() -> str:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def buggy() -> str:
    raise ValueError("that was not expected")


def crash() -> str:
    os._exit(3)


def hang() -> str:
    time.sleep(3600)
    return "never"


def test_how_trials_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempt(lambda: "found") == Outcome(True, "found")
    assert attempt(refused) == Outcome(False, "Operation not permitted", errno.EPERM)
    assert attempt(buggy) == Outcome(False, "ValueError: that was not expected")
    assert attempt(crash) == Outcome(False, "the trial crashed")
    monkeypatch.setattr(trials, "_SECONDS", 0.1)
    assert attempt(hang) == Outcome(False, "nothing within 0 seconds")


def test_a_trial_changes_nothing_here() -> None:
    before = os.readlink("/proc/self/ns/user")
    attempt(trials.user_namespaces)
    assert os.readlink("/proc/self/ns/user") == before
