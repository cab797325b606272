"""The seed on suid programs: real ones, on the host and in the jail."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.jail import JailedVenv
from tests.support.requirements import require

BITS = stat.S_ISUID | stat.S_ISGID


def privileged_programs() -> list[str]:
    """The programs of this machine that give their caller rights of root or of another group."""
    found = []
    for directory in ("/usr/bin", "/usr/sbin"):
        for entry in os.scandir(directory):
            if entry.is_file(follow_symlinks=False) and os.access(entry.path, os.X_OK):
                status = entry.stat(follow_symlinks=False)
                if status.st_mode & BITS and (status.st_uid, status.st_gid) != (os.getuid(),) * 2:
                    found.append(entry.path)
    return sorted(found)


def auxiliary_vector(output: str) -> dict[str, str]:
    """What the dynamic linker tells of the kernel's view of a new program; getauxval(3)."""
    rows = [line.split(":") for line in output.splitlines() if line.startswith("AT_")]
    return {row[0]: row[1].strip() for row in rows}


@pytest.mark.parametrize("program", privileged_programs())
def test_suid_bits_have_no_effect(jail: JailedVenv, program: str) -> None:
    """Suid programs cannot be executed in the jail: the bit gives nothing, whatever program has
    it."""
    # ld.so(8): the vector is printed unless the kernel started the program with new privileges
    # (AT_SECURE); then the libraries are listed, and the program itself does not run.
    variables = {"LD_SHOW_AUXV": "1", "LD_TRACE_LOADED_OBJECTS": "1"}
    host = jail.home.run([program], env=variables)
    assert auxiliary_vector(host.stdout) == {}
    inside = auxiliary_vector(
        jail.check(["env", *(f"{k}={v}" for k, v in variables.items()), program])
    )
    uid, gid = str(os.getuid()), str(os.getgid())
    names = ("AT_SECURE", "AT_UID", "AT_EUID", "AT_GID", "AT_EGID")
    assert [inside[name] for name in names] == ["0", uid, uid, gid, gid]


def test_some_program_was_tried() -> None:
    """Suid programs: this machine has the usual ones."""
    require(
        {"/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount"} <= set(privileged_programs()),
        "su, passwd and mount are not installed suid root",
    )


def test_su_stays_the_user(jail: JailedVenv) -> None:
    """Suid programs cannot be executed in the jail: su(1), which on the host becomes root to ask
    for the password."""
    with subprocess.Popen(
        ["su"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=jail.home.env,
    ) as su:
        assert su.stderr is not None
        assert su.stderr.read(9) == b"Password:"
        ids = Path(f"/proc/{su.pid}/status").read_text().partition("Uid:")[2].split()[:2]
        assert ids == [str(os.getuid()), "0"]
        su.communicate()
    done = jail.run(["su", "-c", "id -u"])
    assert done.returncode != 0
    assert done.stdout == ""


# Not require(): the set-up does without sudo where root runs it; su(1) above is always there.
@pytest.mark.skipif(not os.path.exists("/usr/bin/sudo"), reason="sudo is not installed")
def test_sudo_says_that_it_cannot(jail: JailedVenv) -> None:
    """Suid programs cannot be executed in the jail: sudo(8)."""
    assert "no new privileges" not in jail.home.run(["sudo", "-n", "true"]).stderr
    done = jail.run(["sudo", "-n", "id", "-u"])
    assert done.returncode == 1
    assert "sudo:" in done.stderr
    assert "no new privileges" in done.stderr or "effective uid is not 0" in done.stderr


def test_passwd_reads_no_shadow_file(jail: JailedVenv) -> None:
    """Suid programs cannot be executed in the jail: passwd(1), which on the host reads the shadow
    file for its caller."""
    user = pwd.getpwuid(os.getuid()).pw_name
    shown = jail.home.check(["passwd", "--status"]).split()
    assert shown[0] == user
    # The days of the shadow file: of the last change, of the next.
    require(len(shown) == 7, f"{user} is not in the shadow file")
    assert len(jail.run(["passwd", "--status"]).stdout.split()) < 7


def test_mount_mounts_nothing(jail: JailedVenv) -> None:
    """Suid programs cannot be executed in the jail: mount(8) runs, and may nothing."""
    assert "proc on /proc" in jail.check(["mount"])
    for arguments in (["-t", "tmpfs", "none", "/tmp"], ["--bind", "/", "/tmp"]):
        done = jail.run(["mount", *arguments])
        assert done.returncode != 0
    assert jail.run(["umount", "/proc/sys"]).returncode != 0


def test_every_mount_is_nosuid(jail: JailedVenv) -> None:
    """Suid programs cannot be executed in the jail: the kernel is told so twice, by the mounts and
    by no_new_privs."""
    rows = [line.split() for line in jail.check(["cat", "/proc/self/mounts"]).splitlines()]
    assert rows
    assert [row for row in rows if "nosuid" not in row[3].split(",")] == []
    assert "NoNewPrivs:\t1\n" in jail.check(["cat", "/proc/self/status"])
    assert "NoNewPrivs:\t0\n" in jail.home.check(["cat", "/proc/self/status"])
