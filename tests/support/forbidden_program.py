"""Try calls that a jail refuses; print how each ended, as JSON: ``done`` or the errno's name.

Usage: ``python forbidden_program.py DIRECTORY``, where to make files.  Arguments are chosen
so that the kernel, where it lets a call through, does no harm and answers with another errno than
the filter.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import socket
import sys
import threading
from collections.abc import Callable

# The calls' numbers on x86_64 and aarch64.
NUMBERS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chmod": (90, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "creat": (85, None),
    "fanotify_init": (300, 262),
    "fchmodat2": (452, 452),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "mkdir": (83, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open": (2, None),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "request_key": (249, 218),
    "setns": (308, 268),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
NEWUSER = 0x10000000
AT_FDCWD = -100
HIGH = 1 << 32

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
    number = NUMBERS[name][os.uname().machine == "aarch64"]
    if number is None:
        raise OSError(errno.ENOSYS, "no such call on this architecture")
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def in_child(action: Callable[[], object]) -> None:
    """Run ``action`` in a process of its own, single-threaded; its OSError is raised here."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 255)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def clone_newuser() -> None:
    if call("clone", NEWUSER | 17, 0, 0, 0, 0) == 0:
        os._exit(0)


def i386_getpid() -> None:
    """``mov eax, 20; int 0x80; ret``: the other way into an x86-64 kernel."""
    if os.uname().machine != "x86_64":
        raise OSError(errno.ENOSYS, "x86 only")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def x32_getpid() -> None:
    NUMBERS["x32"] = (0x40000000 + 39, None)
    call("x32")


def openat2(path: bytes) -> None:
    how = (os.O_CREAT | os.O_WRONLY).to_bytes(8, "little") + (0o4755).to_bytes(8, "little")
    os.close(call("openat2", AT_FDCWD, path, how + bytes(8), 24))


def attempts(directory: str) -> dict[str, Callable[[], object]]:
    def path(name: str) -> bytes:
        return os.fsencode(os.path.join(directory, name))

    with open(path("file"), "wb"):
        pass
    file = path("file")
    descriptor = os.open(file, os.O_RDWR)
    create = os.O_CREAT | os.O_WRONLY
    return {
        "chmod": lambda: os.chmod(file, 0o4755),
        "chmod g+s": lambda: os.chmod(file, 0o2755),
        "chmod, junk above": lambda: call("chmod", file, 0o4755 + HIGH),
        "fchmod": lambda: os.fchmod(descriptor, 0o4755),
        "fchmodat": lambda: os.chmod("file", 0o4755, dir_fd=os.open(directory, os.O_PATH)),
        "fchmodat2": lambda: call("fchmodat2", AT_FDCWD, file, 0o4755, 0),
        "creat": lambda: call("creat", path("c"), 0o4755),
        "open": lambda: call("open", path("o"), create, 0o4755),
        "openat": lambda: os.open(path("oa"), create, 0o4755),
        "openat, O_TMPFILE": lambda: os.open(directory, os.O_TMPFILE | os.O_WRONLY, 0o4755),
        "openat2": lambda: openat2(path("oa2")),
        "mkdir": lambda: os.mkdir(path("d"), 0o2755),
        "mkdirat": lambda: os.mkdir("da", 0o2755, dir_fd=os.open(directory, os.O_PATH)),
        "mknod": lambda: os.mknod(path("n"), 0o104755),
        "mknodat": lambda: os.mknod("na", 0o104755, dir_fd=os.open(directory, os.O_PATH)),
        "add_key": lambda: call("add_key", b"user", b"venvjail-test", b"x", 1, -3),
        "request_key": lambda: call("request_key", b"user", b"venvjail-test", 0, -3),
        "keyctl": lambda: call("keyctl", 0, -3, 1),
        "bpf": lambda: call("bpf", 0, 0, 1 << 20),
        "perf_event_open": lambda: call("perf_event_open", 0, 0, -1, -1, 0),
        "userfaultfd": lambda: call("userfaultfd", 1),
        "io_uring_setup": lambda: call("io_uring_setup", 1, ctypes.create_string_buffer(256)),
        "unshare": lambda: in_child(lambda: call("unshare", NEWUSER)),
        "clone": lambda: in_child(clone_newuser),
        "clone3": lambda: call("clone3", 0, 0),
        "setns": lambda: call("setns", -1, 0),
        "mount": lambda: call("mount", 1, 1, 1, 0, 0),
        "umount2": lambda: call("umount2", b"/", -1),
        "fsopen": lambda: call("fsopen", b"tmpfs", 0),
        "fsconfig": lambda: call("fsconfig", -1, 0, 0, 0, 0),
        "fsmount": lambda: call("fsmount", -1, 0, 0),
        "fspick": lambda: call("fspick", AT_FDCWD, b"/", 0),
        "move_mount": lambda: call("move_mount", -1, b"", -1, b"", 0),
        "open_tree": lambda: call("open_tree", -1, b"x", 0),
        "mount_setattr": lambda: call("mount_setattr", -1, b"", -1, 0, 0),
        "open_by_handle_at": lambda: call("open_by_handle_at", -1, 0, 0),
        "fanotify_init": lambda: call("fanotify_init", 0x200, 0),
        "personality": lambda: in_child(lambda: call("personality", 0x0400000)),
        "a lease": lambda: lease(path("leased")),
        "snapshot": lambda: fcntl.ioctl(os.open(directory, os.O_RDONLY), 0x50009417, 0),
        "snapshot, v1": lambda: fcntl.ioctl(os.open(directory, os.O_RDONLY), 0x50009401, 0),
        "subvolume": lambda: fcntl.ioctl(os.open(directory, os.O_RDONLY), 0x50009418, 0),
        "subvolume, v1": lambda: fcntl.ioctl(os.open(directory, os.O_RDONLY), 0x5000940E, 0),
        "int 0x80": i386_getpid,
        "x32": x32_getpid,
        "AF_PACKET": lambda: socket.socket(17, socket.SOCK_RAW),
        "AF_ALG": lambda: socket.socket(38, socket.SOCK_SEQPACKET),
        "AF_VSOCK": lambda: socket.socket(40, socket.SOCK_STREAM),
        "NETLINK_NETFILTER": lambda: socket.socket(16, socket.SOCK_RAW, 12),
        "iptables": lambda: socket.socket().setsockopt(0, 64, b""),
        "ip6tables": lambda: socket.socket(socket.AF_INET6).setsockopt(41, 64, b""),
        "NETLINK_ROUTE": lambda: socket.socket(16, socket.SOCK_RAW, 0),
        "if_nameindex": socket.if_nameindex,
        "a thread": lambda: threading.Thread(target=int).start(),
        "sticky directory": lambda: os.mkdir(path("sticky"), 0o1777),
        "personality of gdb": lambda: in_child(lambda: call("personality", 0x0040000)),
    }


def lease(path: bytes) -> None:
    """Of which the kernel asks that nobody else has the file open."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    fd = os.open(path, os.O_RDONLY)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    os.close(fd)


def main(directory: str) -> None:
    results = {}
    for name, attempt in attempts(directory).items():
        try:
            attempt()
            results[name] = "done"
        except OSError as error:
            results[name] = errno.errorcode.get(error.errno or 0, str(error))
    print(json.dumps(results))  # noqa: T201 - its output is what it is for


main(sys.argv[1])
