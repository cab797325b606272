"""Run a seccomp filter as the kernel would: classic BPF over ``struct seccomp_data``."""

import struct
from collections.abc import Callable, Sequence

ALLOW = 0x7FFF0000
ERRNO = 0x00050000

_COMPARE: dict[int, Callable[[int, int], bool]] = {
    0x15: lambda a, k: a == k,
    0x25: lambda a, k: a > k,
    0x35: lambda a, k: a >= k,
    0x45: lambda a, k: bool(a & k),
}


def run_filter(program: bytes, arch: int, number: int, arguments: Sequence[int] = ()) -> int:
    """The action, ``SECCOMP_RET_*``, for one call.  Anything the kernel would refuse fails."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, arch, 0xDEAD, *(value % 2**64 for value in padded))
    instructions = list(struct.iter_unpack("<HBBI", program))
    assert 0 < len(instructions) <= 4096, "BPF_MAXINSNS"
    accumulator = 0
    position = 0
    while True:
        code, if_true, if_false, value = instructions[position]
        position += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            assert value % 4 == 0
            assert value <= len(data) - 4
            (accumulator,) = struct.unpack_from("<I", data, value)
        else:
            position += if_true if _COMPARE[code](accumulator, value) else if_false
