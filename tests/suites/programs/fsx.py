"""Random I/O on one file, each result compared with a model in memory, as fsx does.

Usage: ``python fsx.py SEED OPERATIONS``, in the directory of the file.  Prints ``NAME OUTCOME`` for
each operation: ``ok``, the errno's name of its first refusal, ``wrong`` when the file and the
model part, which ends the program.
"""

import ctypes
import errno
import mmap
import os
import random
import sys

LARGEST = 300_000
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16  # linux/falloc.h

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class MismatchError(Exception):
    """The file is not what the model says."""


class Exerciser:
    """The file, the model of its content, and the operations on both."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.model = bytearray()
        self.fd = os.open("file", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self.other = os.open("other", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)

    # -- operations on both ------------------------------------------------------------------

    def read(self) -> None:
        start, length = self.range()
        self.same(os.pread(self.fd, length, start), start, length)

    def write(self) -> None:
        start, length = self.range(beyond=True)
        data = self.random.randbytes(length)
        self.wrote(os.pwrite(self.fd, data, start), data, start)

    def write_vector(self) -> None:
        start, length = self.range(beyond=True)
        data = self.random.randbytes(length)
        cut = self.random.randint(0, length)
        self.wrote(os.pwritev(self.fd, [data[:cut], data[cut:]], start), data, start)

    def append(self) -> None:
        data = self.random.randbytes(self.random.randint(1, 9000))
        fd = os.open("file", os.O_WRONLY | os.O_APPEND)
        try:
            self.wrote(os.write(fd, data), data, len(self.model))
        finally:
            os.close(fd)

    def truncate(self) -> None:
        size = self.random.randint(0, LARGEST)
        if self.random.random() < 0.5:
            os.ftruncate(self.fd, size)
        else:
            os.truncate("file", size)
        self.resize(size)

    def empty(self) -> None:
        os.close(os.open("file", os.O_WRONLY | os.O_TRUNC))
        self.resize(0)

    def map_read(self) -> None:
        start, length = self.range()
        if self.model:
            with mmap.mmap(self.fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
                self.same(mapped[start : start + length], start, length)

    def map_write(self) -> None:
        start, length = self.range()
        length = min(length, len(self.model) - start)
        if length > 0:
            data = self.random.randbytes(length)
            with mmap.mmap(self.fd, 0) as mapped:
                mapped[start : start + length] = data
                if self.random.random() < 0.5:
                    mapped.flush()
            self.wrote(length, data, start)

    def map_private(self) -> None:
        if self.model:
            with mmap.mmap(self.fd, 0, mmap.MAP_PRIVATE) as mapped:
                mapped[0] = mapped[0] ^ 255

    def allocate(self) -> None:
        start, length = self.range(beyond=True)
        self.fallocate(0, start, length)
        self.resize(max(len(self.model), start + length))

    def allocate_keeping_size(self) -> None:
        start, length = self.range(beyond=True)
        self.fallocate(KEEP_SIZE, start, length)

    def allocate_posix(self) -> None:
        start, length = self.range(beyond=True)
        os.posix_fallocate(self.fd, start, length)
        self.resize(max(len(self.model), start + length))

    def punch_hole(self) -> None:
        start, length = self.range()
        self.fallocate(PUNCH_HOLE | KEEP_SIZE, start, length)
        self.model[start : start + length] = bytes(len(self.model[start : start + length]))

    def zero_range(self) -> None:
        start, length = self.range(beyond=True)
        self.fallocate(ZERO_RANGE, start, length)
        self.resize(max(len(self.model), start + length))
        self.model[start : start + length] = bytes(length)

    def copy_range(self) -> None:
        source, length = self.range()
        target = self.random.randint(0, LARGEST // 2)
        length = min(length, abs(source - target) or 1)  # EINVAL where they overlap
        copied = os.copy_file_range(self.fd, self.fd, length, source, target)
        expected = min(length, len(self.model) - source)
        self.check(copied == max(expected, 0), f"copied {copied} of {expected}")
        if copied:
            self.wrote(copied, bytes(self.model[source : source + copied]), target)

    def copy_out(self) -> None:
        start, length = self.range()
        os.ftruncate(self.other, 0)
        copied = os.copy_file_range(self.fd, self.other, length, start, 0)
        self.same(os.pread(self.other, copied + 1, 0), start, min(length, copied))

    def send(self) -> None:
        start, length = self.range()
        os.ftruncate(self.other, 0)
        os.lseek(self.other, 0, os.SEEK_SET)
        sent = os.sendfile(self.other, self.fd, start, length)
        self.same(os.pread(self.other, sent + 1, 0), start, min(length, sent))

    def seek_data(self) -> None:
        """What is between two positions of data has to be zero."""
        position = 0
        while position < len(self.model):
            try:
                data = os.lseek(self.fd, position, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                data = len(self.model)
            self.check(not any(self.model[position:data]), f"no hole {position}-{data}")
            if data == len(self.model):
                break
            position = os.lseek(self.fd, data, os.SEEK_HOLE)
            self.check(data < position <= len(self.model), f"hole at {position}")

    def sync(self) -> None:
        self.random.choice((os.fsync, os.fdatasync))(self.fd)

    def reopen(self) -> None:
        os.close(self.fd)
        self.fd = os.open("file", os.O_RDWR)

    def compare_all(self) -> None:
        size = os.stat("file").st_size
        self.check(size == len(self.model), f"size {size}, model {len(self.model)}")
        with open("file", "rb") as file:
            self.same(file.read(), 0, len(self.model))

    # -- the model ---------------------------------------------------------------------------

    def range(self, beyond: bool = False) -> "tuple[int, int]":
        """A start and a length; in the file, or maybe behind its end."""
        length = self.random.choice((1, 100, 4096, 5000, 70_000))
        end = LARGEST - length if beyond else max(len(self.model) - 1, 0)
        start = self.random.randint(0, end)
        return (start & ~4095 if self.random.random() < 0.3 else start), length

    def resize(self, size: int) -> None:
        del self.model[size:]
        self.model.extend(bytes(size - len(self.model)))

    def wrote(self, count: int, data: bytes, start: int) -> None:
        self.check(count == len(data), f"wrote {count} of {len(data)}")
        self.resize(max(len(self.model), start + len(data)))
        self.model[start : start + len(data)] = data

    def same(self, data: bytes, start: int, length: int) -> None:
        self.check(data == self.model[start : start + length], f"content at {start}+{length}")

    def check(self, condition: bool, what: str) -> None:
        if not condition:
            raise MismatchError(what)

    def fallocate(self, mode: int, start: int, length: int) -> None:
        if libc.fallocate(self.fd, mode, start, length):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def public(self) -> "list[str]":
        """The names of the operations."""
        first, last = "read", "compare_all"
        names = [name for name in vars(Exerciser) if not name.startswith("_")]
        return names[names.index(first) : names.index(last) + 1]


def main(seed: int, count: int) -> None:
    exerciser = Exerciser(seed)
    names = exerciser.public()
    outcomes = dict.fromkeys(names, "ok")
    for number in range(count):
        name = exerciser.random.choice(names) if number < count - 1 else "compare_all"
        try:
            getattr(exerciser, name)()
        except OSError as error:
            outcomes[name] = errno.errorcode[error.errno or 0]
        except MismatchError as wrong:
            outcomes[name] = "wrong"
            print(f"operation {number} of seed {seed}: {wrong}", file=sys.stderr)
            break
    for name, outcome in outcomes.items():
        print(name, outcome)


main(int(sys.argv[1]), int(sys.argv[2]))
