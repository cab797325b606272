"""Runs everywhere: call C library functions that Python does not offer.

Built on ``_ctypes``, the extension module beneath ctypes: importing ctypes itself takes 2.5 ms,
a fifth of the time that a user waits for a command's start beside a plain venv's.
"""

from _ctypes import (
    FUNCFLAG_CDECL,
    FUNCFLAG_USE_ERRNO,
    CFuncPtr,
    _SimpleCData,
    addressof,
    dlopen,
    dlsym,
    get_errno,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Simple = _SimpleCData[int]
else:
    _Simple = _SimpleCData


class Int(_Simple):
    """A C ``int``."""

    _type_ = "i"


class Long(_Simple):
    """A C ``long``: as wide as a register, so also for sizes, flags and pointers."""

    _type_ = "l"


class _Function(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = Int


class _Syscall(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = Long


_library = dlopen(None, 0)  # type: ignore[arg-type]  # None, for the process itself, is missing
_functions: dict[str, _Function] = {}
_syscall = _Syscall(dlsym(_library, "syscall"))


def call(name: str, *arguments: int | bytes | Long) -> int:
    """Call a function that returns ``int`` and sets errno; raises OSError where it returns -1.

    An int is passed as a C ``int``, bytes as a pointer to their content (which the function may
    change), a Long as a ``long``.
    """
    function = _functions.get(name)
    if function is None:
        function = _functions[name] = _Function(dlsym(_library, name))
    return _checked(function(*arguments))


def syscall(number: int, *arguments: int | bytes | Long) -> int:
    """syscall(2), arguments as for ``call``."""
    return _checked(_syscall(Long(number), *arguments))


def address_of(buffer: bytearray) -> int:
    """Where the content of ``buffer``, 4 bytes at least, lies while it lives and is not resized."""
    return addressof(Int.from_buffer(buffer))


def _checked(result: "Any") -> int:
    if result == -1:
        from posix import strerror

        code = get_errno()
        raise OSError(code, strerror(code))
    value: int = result
    return value
