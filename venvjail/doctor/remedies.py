"""Command line (host): what to do about what is missing, in the words of this distribution."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass

from venvjail.networks import isolation, xfrm

_FAMILIES = {
    "debian": ("debian", "ubuntu", "linuxmint", "pop", "raspbian"),
    "fedora": ("fedora", "rhel", "centos", "rocky", "almalinux"),
    "arch": ("arch", "manjaro", "endeavouros"),
    "suse": ("suse", "opensuse", "opensuse-tumbleweed", "opensuse-leap", "sles"),
}
_INSTALL = {
    "debian": "sudo apt install",
    "fedora": "sudo dnf install",
    "arch": "sudo pacman -S",
    "suse": "sudo zypper install",
}
_LIBFUSE = {
    "debian": "libfuse3-dev fuse3 pkg-config gcc python3-dev",
    "fedora": "fuse3-devel fuse3 pkgconf-pkg-config gcc python3-devel",
    "arch": "fuse3 pkgconf gcc",
    "suse": "fuse3-devel fuse3 pkgconf-pkg-config gcc python3-devel",
}
#: What a program makes a network interface with that it serves itself.
TUN = "/dev/net/tun"
_SYSCTL = "/etc/sysctl.d/90-venvjail.conf"

#: Which lets programs run by this interpreter make user namespaces, and nothing else; as Ubuntu's
#: own profiles of browsers in /etc/apparmor.d do.
_PROFILE = """\
abi <abi/4.0>,
include <tunables/global>
profile venvjail {program} flags=(unconfined) {{
  userns,
  include if exists <local/venvjail>
}}
"""
_CONTAINER = (
    "in a container: start it with --device /dev/fuse --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined"
)


@dataclass(frozen=True)
class Distribution:
    """What /etc/os-release says: the name for people, and the family whose tools it has."""

    name: str
    family: str | None

    def install(self, packages: dict[str, str]) -> str:
        """The command that installs what ``packages`` names for the family."""
        if self.family is None:
            return f"install, as your distribution calls it: {packages['debian']}"
        return f"{_INSTALL[self.family]} {packages[self.family]}"


def this_distribution(text: str | None = None) -> Distribution:
    """That of this machine, or of an os-release(5) file's ``text``."""
    if text is None:
        text = _read("/etc/os-release") or _read("/usr/lib/os-release")
    values = dict(re.findall(r'(?m)^(\w+)="?([^"\n]*)"?$', text))
    names = [values.get("ID", ""), *values.get("ID_LIKE", "").split()]
    family = next((f for name in names for f, ids in _FAMILIES.items() if name in ids), None)
    return Distribution(values.get("PRETTY_NAME", "an unknown distribution"), family)


def same_everywhere(*names: str) -> dict[str, str]:
    """Packages that all families call alike."""
    return dict.fromkeys(_INSTALL, " ".join(names))


def for_user_namespaces() -> str:
    """Why an ordinary user cannot make user namespaces, and what root can do about it."""
    for name, wanted in (
        ("user.max_user_namespaces", "15000"),
        ("kernel.unprivileged_userns_clone", "1"),
    ):
        if _sysctl(name) == "0":
            return f"they are switched off: echo {name}={wanted} | sudo tee {_SYSCTL} && " + (
                f"sudo sysctl -p {_SYSCTL}"
            )
    if _sysctl("kernel.apparmor_restrict_unprivileged_userns") == "1":
        return for_apparmor()
    return _CONTAINER


def for_apparmor() -> str:
    """Let this interpreter make user namespaces under Ubuntu's AppArmor."""
    program = os.path.realpath(sys.executable)
    profile = _PROFILE.format(program=program)
    return (
        "AppArmor keeps ordinary users' programs from them. To let the programs that "
        f"{program} runs have them:\n"
        f"sudo tee /etc/apparmor.d/venvjail <<'EOF'\n{profile}EOF\n"
        "sudo apparmor_parser -r /etc/apparmor.d/venvjail"
    )


def for_fuse_device() -> str:
    """/dev/fuse is missing or closed."""
    if os.path.exists("/dev/fuse"):
        return "sudo chmod 666 /dev/fuse (udev's rules do so on a usual system)"
    return f"echo fuse | sudo tee /etc/modules-load.d/fuse.conf && sudo modprobe fuse; {_CONTAINER}"


def for_pasta(distribution: Distribution) -> str:
    """pasta is not installed, has no device for its interface, or cannot be kept from the host."""
    if isolation.pasta() is None:
        return distribution.install(same_everywhere("passt"))
    if os.path.exists(TUN) and not xfrm.available():
        return "sudo modprobe xfrm_user; else a kernel with CONFIG_XFRM_USER"
    return (
        f"sudo modprobe tun && sudo chmod 666 {TUN}; in a container: start it with --device {TUN}"
    )


def for_libfuse(distribution: Distribution) -> str:
    """The binding cannot be imported.

    Built anew: pip keeps the wheel that it has built, for the libfuse that is gone.
    """
    packages = distribution.install(_LIBFUSE)
    pip = "-m pip install --force-reinstall --no-cache-dir --no-deps pyfuse3"
    return f"{packages}; then: {shlex.quote(sys.executable)} {pip}"


def for_import(error: ImportError, distribution: Distribution) -> str:
    """What to say, in one line, when a module that venvjail needs cannot be imported."""
    module = (error.name or "").partition(".")[0]
    if module == "pyfuse3" or "libfuse" in str(error):
        return f"cannot import pyfuse3 ({error}): {for_libfuse(distribution)}"
    pip = "-m pip install --force-reinstall venvjail"
    return f"cannot import a module ({error}): {shlex.quote(sys.executable)} {pip}"


def for_kernel() -> str:
    """A call that newer kernels have."""
    return f"Linux 5.12 or newer is needed, this is {os.uname().release}: upgrade; {_CONTAINER}"


def for_procfs() -> str:
    """/proc is masked, which is what containers do."""
    return _CONTAINER


def for_landlock() -> str:
    """The jail starts without it, with one wall less."""
    return "boot with lsm=landlock,… as `cat /sys/kernel/security/lsm` has the others; Linux 5.19"


def _sysctl(name: str) -> str:
    return _read("/proc/sys/" + name.replace(".", "/")).strip()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
