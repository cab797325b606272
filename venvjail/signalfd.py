"""Entry and its child (host PID namespace): signals as a descriptor, to wait for it and others."""

import posix
import sys

from venvjail.native import Long, address_of, call

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Iterable, Iterator
else:
    import _signal

# signalfd(2): its flags are those of open(2).
_FLAGS = posix.O_NONBLOCK | posix.O_CLOEXEC
_SIZE_OF_INFO = 128
_SIZE_OF_SET = 128  # sigset_t of glibc and musl
# si_code of a signal that the kernel, and so a terminal, sent; sigaction(2).
_SI_KERNEL = 0x80


class Signals:
    """Signals that are blocked from now on, as a descriptor: ``fd`` is readable when one came."""

    __slots__ = ("fd",)

    def __init__(self, numbers: "Iterable[int]") -> None:
        wanted = set(numbers)
        _signal.pthread_sigmask(_signal.SIG_BLOCK, wanted)
        mask = bytearray(_SIZE_OF_SET)
        where = Long(address_of(mask))
        call("sigemptyset", where)
        for number in wanted:
            call("sigaddset", where, number)
        self.fd = call("signalfd", -1, where, _FLAGS)

    def read(self) -> "Iterator[tuple[int, bool]]":
        """The signals that came: the number of each, and whether the kernel sent it."""
        while True:
            try:
                info = posix.read(self.fd, _SIZE_OF_INFO)
            except BlockingIOError:
                return
            # struct signalfd_siginfo: ssi_signo, ssi_errno, ssi_code, 32 bits each.
            number, code = (int.from_bytes(info[at : at + 4], sys.byteorder) for at in (0, 8))
            yield number, code == _SI_KERNEL
