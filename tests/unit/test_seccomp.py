"""The seccomp filter does what its policy says, on both architectures."""

import errno
import os
import re
import shutil
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bpf import ALLOW, ERRNO, run_filter
from tests.support.requirements import require
from venvjail.walls import seccomp, syscall_numbers
from venvjail.walls.seccomp_policy import AnyBit, NoneOf, OneOf, Test, rules
from venvjail.walls.syscall_numbers import LAST_KNOWN, Machine, number

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386, ARM, RISCV64 = 0x40000003, 0x40000028, 0xC00000F3
MACHINES: tuple[Machine, ...] = ("x86_64", "aarch64")
NAMES = sorted(syscall_numbers._NUMBERS)
HIGH = 1 << 32

FILTERS = {
    (machine, namespaces): seccomp.compile_filter(rules(user_namespaces=namespaces), machine)
    for machine in MACHINES
    for namespaces in (False, True)
}

TIOCSTI, TIOCLINUX, TIOCSETD, TCGETS, TIOCGWINSZ = 0x5412, 0x541C, 0x5423, 0x5401, 0x5413
CREAT, TMPFILE = os.O_CREAT, 0o20200000
NEWUSER, NEWNS, SIGCHLD = 0x10000000, 0x20000, 17
UNIX, INET, INET6, NETLINK, PACKET, BLUETOOTH, ALG, VSOCK = 1, 2, 10, 16, 17, 31, 38, 40

EPERM, ENOSYS = errno.EPERM, errno.ENOSYS
F_SETLK, F_SETLEASE = 6, 1024
EAFNOSUPPORT, EPROTONOSUPPORT = errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT
ENOPROTOOPT = errno.ENOPROTOOPT

#: A call, its arguments, and the errno (0: allowed) without user namespaces of one's own.
CALLS = [
    ("ioctl", (0, TIOCSTI), EPERM),
    ("ioctl", (0, TIOCSTI + HIGH), EPERM),
    ("ioctl", (HIGH, TIOCSTI | 0xFFFFFFFF << 32), EPERM),
    ("ioctl", (0, TIOCLINUX), EPERM),
    ("ioctl", (0, TIOCSETD), EPERM),
    ("ioctl", (0, TCGETS), 0),
    ("ioctl", (0, TIOCGWINSZ), 0),
    ("ioctl", (TIOCSTI, TCGETS), 0),
    ("fcntl", (0, F_SETLEASE), errno.EINVAL),
    ("fcntl", (0, F_SETLEASE + HIGH), errno.EINVAL),
    ("fcntl", (0, F_SETLK), 0),
    ("fcntl", (F_SETLEASE, F_SETLK), 0),
    ("chmod", (0, 0o755), 0),
    ("chmod", (0, 0o1777), 0),
    ("chmod", (0, 0o4755), EPERM),
    ("chmod", (0, 0o2755), EPERM),
    ("chmod", (0o6000, 0o755), 0),
    ("fchmod", (3, 0o4755), EPERM),
    ("fchmod", (3, 0o4755 + HIGH), EPERM),
    ("fchmod", (3, 0o755), 0),
    ("fchmodat", (3, 0, 0o6755), EPERM),
    ("fchmodat", (3, 0, 0o755), 0),
    ("fchmodat2", (3, 0, 0o4755), EPERM),
    ("fchmodat2", (3, 0, 0o755, 0o6000), 0),
    ("creat", (0, 0o4755), EPERM),
    ("creat", (0, 0o644), 0),
    ("mkdir", (0, 0o2755), EPERM),
    ("mkdir", (0, 0o1777), 0),
    ("mkdirat", (3, 0, 0o2755), EPERM),
    ("mknod", (0, 0o104755), EPERM),
    ("mknod", (0, 0o10644), 0),
    ("mknodat", (3, 0, 0o102755), EPERM),
    ("mknodat", (3, 0, 0o140755), 0),
    ("open", (0, CREAT, 0o4755), EPERM),
    ("open", (0, CREAT, 0o755), 0),
    ("open", (0, TMPFILE, 0o4755), EPERM),
    ("open", (0, os.O_RDWR, 0o4755), 0),
    ("openat", (3, 0, CREAT | os.O_RDWR, 0o2644), EPERM),
    ("openat", (3, 0, TMPFILE | os.O_RDWR, 0o4600), EPERM),
    ("openat", (3, 0, os.O_DIRECTORY, 0o4600), 0),
    ("openat", (3, 0, CREAT + HIGH, 0o4755 + HIGH), EPERM),
    ("openat2", (3, 0, 0, 24), ENOSYS),
    ("socket", (UNIX, 1, 0), 0),
    ("socket", (INET, 1, 6), 0),
    ("socket", (INET6, 2, 0), 0),
    ("socket", (INET + HIGH, 1, 0), 0),
    ("socket", (PACKET, 3, 0), EAFNOSUPPORT),
    ("socket", (BLUETOOTH, 3, 0), EAFNOSUPPORT),
    ("socket", (ALG, 5, 0), EAFNOSUPPORT),
    ("socket", (VSOCK, 1, 0), EAFNOSUPPORT),
    ("socket", (VSOCK + HIGH, 1, 0), EAFNOSUPPORT),
    ("socketpair", (UNIX, 1, 0), 0),
    ("socketpair", (30, 1, 0), EAFNOSUPPORT),
    ("socket", (NETLINK, 3, 0), 0),
    ("socket", (NETLINK, 3, 15), 0),
    ("socket", (NETLINK, 3, 12), EPROTONOSUPPORT),
    ("socket", (INET, 3, 12), 0),
    *(("setsockopt", (3, 0, name, 0, 0), ENOPROTOOPT) for name in (64, 65, 96, 97, 128, 129)),
    ("setsockopt", (3, 41 + HIGH, 64 + HIGH, 0, 0), ENOPROTOOPT),
    ("setsockopt", (3, 0, 50, 0, 0), 0),
    ("setsockopt", (3, 41, 67, 0, 0), 0),
    ("setsockopt", (3, 1, 64, 0, 0), 0),
    ("personality", (0xFFFFFFFF,), 0),
    ("personality", (0,), 0),
    ("personality", (0x0040000,), 0),
    ("personality", (0x0400000,), EPERM),
    ("personality", (0x0440000,), EPERM),
    ("clone", (SIGCHLD,), 0),
    ("clone", (0x3D0F00,), 0),
    ("clone", (SIGCHLD | NEWUSER,), EPERM),
    ("clone", (SIGCHLD | NEWUSER | HIGH,), EPERM),
    ("unshare", (0x400,), 0),
    ("unshare", (NEWUSER | NEWNS,), EPERM),
    ("clone3", (0, 88), ENOSYS),
    ("setns", (3, 0), EPERM),
    ("chroot", (0,), EPERM),
    *((name, (), EPERM) for name in ("mount", "umount2", "pivot_root", "bpf", "userfaultfd")),
    *((name, (), EPERM) for name in ("perf_event_open", "open_by_handle_at", "fanotify_init")),
    *((name, (), EPERM) for name in ("init_module", "finit_module", "kexec_load", "reboot")),
    *((name, (), EPERM) for name in ("iopl", "ioperm", "modify_ldt", "acct", "syslog", "swapon")),
    *((name, (), ENOSYS) for name in ("fsopen", "fsconfig", "fsmount", "fspick", "move_mount")),
    *((name, (), ENOSYS) for name in ("open_tree", "open_tree_attr", "mount_setattr")),
    *((name, (), ENOSYS) for name in ("add_key", "request_key", "keyctl")),
    *((name, (), ENOSYS) for name in ("io_uring_setup", "io_uring_enter", "io_uring_register")),
]

#: What is allowed when the jailed programs may make user namespaces.
OPENED = {"clone", "clone3", "unshare", "setns", "chroot"}


def action(code: int) -> int:
    return ERRNO | code if code else ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "arguments", "code"), CALLS)
def test_call(machine: Machine, name: str, arguments: tuple[int, ...], code: int) -> None:
    call = number(name, machine)
    if call is None:
        assert name in {"open", "creat", "chmod", "mkdir", "mknod", "iopl", "ioperm", "modify_ldt"}
        return
    arch = ARCH[machine]
    assert run_filter(FILTERS[machine, False], arch, call, arguments) == action(code)
    opened = 0 if name in OPENED else code
    assert run_filter(FILTERS[machine, True], arch, call, arguments) == action(opened)


def test_every_call_of_the_policy_is_in_the_table_above() -> None:
    named = {name for rule in rules(user_namespaces=False) for name in rule.names}
    assert named == set(NAMES)
    tried = {name for name, _, _ in CALLS}
    administration = {"delete_module", "kexec_file_load", "lookup_dcookie", "quotactl", "vhangup"}
    rest = {"quotactl_fd", "settimeofday", "clock_settime", "swapoff", "uselib"}
    assert named - tried == administration | rest


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("foreign", [I386, ARM, RISCV64, 0])
def test_other_architectures_have_no_calls(machine: Machine, foreign: int) -> None:
    for call in (0, 1, 16, 54, 56, 400):
        assert run_filter(FILTERS[machine, True], foreign, call) == action(ENOSYS)


@pytest.mark.parametrize("machine", MACHINES)
def test_x32_and_calls_of_newer_kernels_have_no_number(machine: Machine) -> None:
    program, arch = FILTERS[machine, True], ARCH[machine]
    for call in (LAST_KNOWN + 1, 0x40000000, 0x40000000 + 514, 0x80000000, 0xFFFFFFFE):
        assert run_filter(program, arch, call) == action(ENOSYS)
    assert run_filter(program, arch, LAST_KNOWN) == ALLOW
    assert run_filter(program, arch, 0xFFFFFFFF) == ALLOW, "a call that a tracer has replaced"


def holds(test: Test, arguments: list[int]) -> bool:
    value = arguments[test.argument] & 0xFFFFFFFF
    if isinstance(test, AnyBit):
        return value & test.mask != 0
    if isinstance(test, OneOf):
        return value in test.values
    assert isinstance(test, NoneOf)
    return value not in test.values


def expected(machine: Machine, namespaces: bool, call: int, arguments: list[int]) -> int:
    for rule in rules(user_namespaces=namespaces):
        if call in [number(name, machine) for name in rule.names] and all(
            holds(test, arguments) for test in rule.when
        ):
            return action(rule.errno)
    return ALLOW


INTERESTING = st.sampled_from(
    [0, 1, 2, 10, 16, 40, TIOCSTI, TIOCLINUX, CREAT, TMPFILE, 0o755, 0o4755, 0o2000, NEWUSER]
)
ARGUMENT = st.builds(
    lambda low, high: low + (high << 32),
    INTERESTING | st.integers(0, 2**32 - 1),
    st.just(0) | st.integers(0, 2**32 - 1),
)


@pytest.mark.parametrize("machine", MACHINES)
@given(
    namespaces=st.booleans(),
    call=st.integers(0, LAST_KNOWN) | st.sampled_from(NAMES),
    arguments=st.lists(ARGUMENT, min_size=6, max_size=6),
)
def test_filter_agrees_with_policy(
    machine: Machine, namespaces: bool, call: int | str, arguments: list[int]
) -> None:
    wanted = number(call, machine) if isinstance(call, str) else call
    if wanted is None:
        return
    got = run_filter(FILTERS[machine, namespaces], ARCH[machine], wanted, arguments)
    assert got == expected(machine, namespaces, wanted, arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_number_without_a_rule_is_allowed(machine: Machine) -> None:
    named = {number(name, machine) for name in NAMES}
    program, arch = FILTERS[machine, False], ARCH[machine]
    for call in range(LAST_KNOWN + 1):
        if call not in named:
            assert run_filter(program, arch, call, [0xFFFFFFFF] * 6) == ALLOW, call


@pytest.mark.parametrize(("machine", "header"), [("x86_64", "x86"), ("aarch64", "generic")])
def test_numbers_are_those_of_the_kernel_headers(machine: Machine, header: str) -> None:
    """Where the machine has the headers; calls newer than they are cannot be compared."""
    if header == "x86":
        source = "#include <asm/unistd_64.h>\n"
    else:
        source = "#define __BITS_PER_LONG 64\n#define __ARCH_WANT_SYS_CLONE3\n"
        source += "#include <asm-generic/unistd.h>\n"
    if header == "x86" and os.uname().machine != "x86_64":
        return  # its headers are on machines of its kind only
    require(shutil.which("gcc") is not None, "gcc is not installed")
    done = subprocess.run(
        ["gcc", "-E", "-dM", "-"], input=source, capture_output=True, text=True, timeout=30
    )
    require(done.returncode == 0, "the kernel's headers are not installed")
    found = dict(re.findall(r"#define __NR_(\w+) (\d+)", done.stdout))
    compared = [name for name in NAMES if name in found]
    assert len(compared) > 50
    for name in compared:
        assert number(name, machine) == int(found[name]), name


def test_last_known_is_the_newest_number_of_the_policy_or_newer() -> None:
    numbers = [number(name, machine) for name in NAMES for machine in MACHINES]
    assert max(call for call in numbers if call is not None) <= LAST_KNOWN


@pytest.mark.parametrize(
    ("named", "machine"),
    [
        ("x86_64", "x86_64"),
        ("i686", "x86_64"),
        ("aarch64", "aarch64"),
        ("armv8l", "aarch64"),
        ("riscv64", None),
        ("s390x", None),
    ],
)
def test_machines(monkeypatch: pytest.MonkeyPatch, named: str, machine: Machine | None) -> None:
    uname = os.uname_result((*os.uname()[:4], named))
    monkeypatch.setattr(os, "uname", lambda: uname)
    assert seccomp.supported() == machine
    program = seccomp.program(user_namespaces=False)
    assert program == (FILTERS[machine, False] if machine is not None else None)
    monkeypatch.setattr("sys.maxsize", 2**31 - 1)
    assert seccomp.supported() is None, "a 32-bit Python"


def test_kernel_accepts_what_the_interpreter_runs() -> None:
    """Every filter is made of 8-byte instructions whose jumps stay inside of it."""
    for program in FILTERS.values():
        instructions = list(struct.iter_unpack("<HBBI", program))
        for index, (code, if_true, if_false, _) in enumerate(instructions):
            if code not in (0x06, 0x20):
                assert index + 1 + max(if_true, if_false) < len(instructions)
        assert instructions[-1][0] == 0x06
