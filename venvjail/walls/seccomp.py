"""Supervisor (host): the seccomp filter of every jailed process, compiled from its policy.

A filter is a program of classic BPF over ``struct seccomp_data``; seccomp(2),
Documentation/userspace-api/seccomp_filter.rst.  It is built once per jail as plain bytes, and
init and each entry's child install it as the last thing they do.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from venvjail.walls.seccomp_policy import AnyBit, NoneOf, OneOf, Rule, Test, rules
from venvjail.walls.syscall_numbers import LAST_KNOWN, Machine, number

# linux/audit.h: ELF machine, 64 bits, little-endian.
_AUDIT_ARCH: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

#: By uname(2), which calls a 64-bit machine otherwise to who asks under setarch(8).
_MACHINES: dict[str, Machine] = {
    "x86_64": "x86_64",
    "i686": "x86_64",
    "aarch64": "aarch64",
    "armv8l": "aarch64",
}

# linux/filter.h
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_RETURN = 0x06  # BPF_RET | BPF_K
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_IF_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K

# linux/seccomp.h
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NUMBER_OFFSET = 0
_ARCH_OFFSET = 4
_ARGUMENTS_OFFSET = 16

_ENOSYS = 38
#: The number of a call that a tracer has replaced; PTRACE_SYSEMU in ptrace(2).
_SKIPPED = 0xFFFFFFFF


class _Instruction(NamedTuple):
    """One ``struct sock_filter``: the jumps count the instructions to skip."""

    code: int
    value: int
    if_true: int = 0
    if_false: int = 0

    def pack(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.if_true, self.if_false, self.value)


_Code = list[_Instruction]

#: Up to so many calls are compared one by one.
_LINEAR = 3

#: Stands for "to the end of this rule" until the rule's length is known.
_TO_END = -1


def supported() -> Machine | None:
    """The machine's name in our tables, None where there is no filter for it."""
    if sys.maxsize <= 1 << 32:
        return None  # a 32-bit program on a 64-bit kernel: its calls have other numbers
    return _MACHINES.get(os.uname().machine)


def program(*, user_namespaces: bool) -> bytes | None:
    """The filter for this machine; None where there is none for it."""
    machine = supported()
    return (
        None if machine is None else compile_filter(rules(user_namespaces=user_namespaces), machine)
    )


def compile_filter(policy: tuple[Rule, ...], machine: Machine) -> bytes:
    """The ``struct sock_filter`` array that enforces ``policy`` on ``machine``.

    Calls for another architecture are ENOSYS, so 32-bit programs do not run in a jail: their calls
    have other numbers and, on x86, ways in of their own (``int 0x80``).  So are calls newer than
    `LAST_KNOWN`, whose arguments nobody has looked at: programs have to expect that from an older
    kernel.  That covers the x32 calls, which are the others plus 0x40000000.
    """
    code = [
        _Instruction(_LOAD, _ARCH_OFFSET),
        _Instruction(_IF_EQUAL, _AUDIT_ARCH[machine], if_true=1),
        _fail(_ENOSYS),
        _Instruction(_LOAD, _NUMBER_OFFSET),
        _Instruction(_IF_GREATER, LAST_KNOWN, if_false=3),
        _Instruction(_IF_EQUAL, _SKIPPED, if_false=1),
        _Instruction(_RETURN, _ALLOW),
        _fail(_ENOSYS),
    ]
    calls = {}
    for name in {name for rule in policy for name in rule.names}:
        call = number(name, machine)
        if call is not None:
            calls[call] = _verdict([rule for rule in policy if name in rule.names])
    code += _search(sorted(calls.items()))
    return b"".join(instruction.pack() for instruction in code)


def _search(calls: list[tuple[int, _Code]]) -> _Code:
    """Find the verdict on the loaded number by bisection; numbers not in ``calls`` are allowed.

    When a filter is installed the kernel runs it for each number there is, to learn which calls
    need none (seccomp_cache_prepare(), Linux 5.11): with a linear search that takes as long as
    joining the jail's namespaces.
    """
    if len(calls) <= _LINEAR:
        code = []
        for call, verdict in calls:
            code += [_Instruction(_IF_EQUAL, call, if_false=len(verdict)), *verdict]
        return [*code, _Instruction(_RETURN, _ALLOW)]
    middle = len(calls) // 2
    lower, upper = _search(calls[:middle]), _search(calls[middle:])
    first = calls[middle][0]
    return [_Instruction(_IF_AT_LEAST, first, if_true=len(lower)), *lower, *upper]


def _verdict(policy: list[Rule]) -> _Code:
    """The rules about one call in turn, then it is allowed."""
    code = [instruction for rule in policy for instruction in _rule(rule)]
    if all(rule.when for rule in policy):
        code.append(_Instruction(_RETURN, _ALLOW))
    return code


def _rule(rule: Rule) -> _Code:
    """Fail where all tests hold, else go on after this rule."""
    code = [instruction for test in rule.when for instruction in _test(test)]
    code.append(_fail(rule.errno))
    return [
        instruction._replace(
            if_true=_resolve(instruction.if_true, index, len(code)),
            if_false=_resolve(instruction.if_false, index, len(code)),
        )
        for index, instruction in enumerate(code)
    ]


def _resolve(jump: int, index: int, length: int) -> int:
    return length - index - 1 if jump == _TO_END else jump


def _test(test: Test) -> Iterator[_Instruction]:
    """Go on where the test holds, else to the end of the rule."""
    # The low half of a 64-bit argument; both architectures are little-endian.
    yield _Instruction(_LOAD, _ARGUMENTS_OFFSET + 8 * test.argument)
    if isinstance(test, AnyBit):
        yield _Instruction(_IF_ANY_BIT, test.mask, if_false=_TO_END)
    elif isinstance(test, NoneOf):
        for value in test.values:
            yield _Instruction(_IF_EQUAL, value, if_true=_TO_END)
    elif isinstance(test, OneOf):
        *others, last = test.values
        for left, value in zip(range(len(others), 0, -1), others, strict=True):
            yield _Instruction(_IF_EQUAL, value, if_true=left)
        yield _Instruction(_IF_EQUAL, last, if_false=_TO_END)


def _fail(code: int) -> _Instruction:
    return _Instruction(_RETURN, _ERRNO | code)
