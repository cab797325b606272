"""ESCAPES 24 and 26: guards cannot be taken away from another mount namespace.

The kernel lets rename(2) and unlink(2) through where the name is a mount point in some other mount
namespace only, and detaches the mounts there.
"""

import subprocess
import sys
from pathlib import Path

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv

#: In a namespace of its own without the guards, by a descriptor of the project with them.
DETACH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
project = os.open(sys.argv[1], os.O_RDONLY)
uid, gid = os.getuid(), os.getgid()
check(libc.unshare(0x10000000))
for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"),
                   ("gid_map", f"{gid} {gid} 1")):
    with open("/proc/self/" + name, "w") as file:
        file.write(text)
print("user namespace", flush=True)
check(libc.unshare(0x00020000))
print("mount namespace", flush=True)
check(libc.mount(b"none", b"/", b"none", 0x4000 | 1 << 18, None))
check(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
os.chdir("/tmp")
os.mkdir("old")
check(libc.syscall(155 if os.uname().machine == "x86_64" else 41, b".", b"old"))
os.chdir("/")
check(libc.umount2(b"/old", 2))
os.rename(".git", "stolen", src_dir_fd=project, dst_dir_fd=project)
print("renamed", flush=True)
"""


def test_a_jail_makes_no_mount_namespace(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        config = Path(venv.paths.config)
        text = config.read_text(encoding="utf-8")
        attack = [venv.bin / "python", "-c", DETACH, home.project]
        assert venv.run(attack).stdout == ""
        venv.stop()
        config.write_text(text.replace("#user_namespaces", "user_namespaces"), encoding="utf-8")
        done = venv.run(attack)
        assert done.stdout == "user namespace\n"
        assert "No space left on device" in done.stderr
        assert (home.project / ".git/config").is_file()


def test_elsewhere_it_works(home: FakeHome) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DETACH, home.project], env=home.env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ["renamed"], done.stderr
    assert (home.project / "stolen/config").is_file()
