"""Files of unusual size, name and number, in the home, a graft, the project and ``/tmp``."""

import json
import os
from pathlib import Path

import pytest

from tests.support.crowds import list_many_names
from tests.support.jail import JailedVenv

#: Where a program in the jail can write, each served in another way; below the home or absolute.
PLACES = ("", ".cache/graft", "src/proj", "/tmp")
GIBIBYTE = 1 << 30

BIG = """
import hashlib, json, os, sys
os.makedirs(sys.argv[1], exist_ok=True)
fd = os.open(sys.argv[1] + "/big", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
offsets = [0, 2**31 - 2, 2**32 - 2, 5 * 2**30 - 4]  # across the ends of signed and unsigned 32 bits
for offset in offsets:
    assert os.pwrite(fd, b"%04d" % (offset % 9999), offset) == 4
os.close(fd)
fd = os.open(sys.argv[1] + "/big", os.O_RDWR)
read = [os.pread(fd, 4, offset).decode() for offset in offsets]
hole = set(os.pread(fd, 1 << 16, 3 * 2**30))
status = os.fstat(fd)
end = os.lseek(fd, 0, os.SEEK_END)
os.ftruncate(fd, 4 * 2**30 + 1)
shorter = os.fstat(fd).st_size
os.unlink(sys.argv[1] + "/big")
print(json.dumps([read, list(hole), status.st_size, end, shorter, status.st_blocks * 512]))
"""


def inside(jail: JailedVenv, place: str) -> str:
    return os.path.normpath(os.path.join(jail.home.root, place))


@pytest.mark.parametrize("place", PLACES)
def test_a_sparse_file_of_five_gibibytes(jail: JailedVenv, place: str) -> None:
    output = jail.python(BIG, inside(jail, place))
    read, hole, size, end, shorter, occupied = json.loads(output)
    offsets = [0, 2**31 - 2, 2**32 - 2, 5 * GIBIBYTE - 4]
    assert read == [f"{offset % 9999:04}" for offset in offsets]
    assert hole == [0]
    assert size == end == 5 * GIBIBYTE
    assert shorter == 4 * GIBIBYTE + 1
    assert occupied < 1 << 20  # it stays sparse


#: What file systems and programs trip over: length, bytes, blanks, controls, text direction.
NAMES = [
    b"n" * 255,
    "é".encode() * 127 + b"x",
    b"\xff\xfe\x80",
    b"\xed\xa0\x80",  # a surrogate in UTF-8
    b" ",
    b"-",
    b"...",
    b"new\nline",
    b"tab\tand\x1b[31m",
    b"~",
    b"*?[a]",
    b"\\",
    "\u202e.txt".encode(),
    "e\u0301".encode(),
    "\u00e9".encode(),
]

NAMED = """
import json, os, sys
place = os.fsencode(sys.argv[1]) + b"/names"
names = [bytes.fromhex(name) for name in sys.argv[2:]]
os.makedirs(place)
for name in names:
    with open(place + b"/" + name, "wb") as file:
        file.write(name)
for name in names:
    os.rename(place + b"/" + name, place + b"/moved")
    os.rename(place + b"/moved", place + b"/" + name)
listed = sorted(name.hex() for name in os.listdir(place))
read = sorted(open(place + b"/" + name, "rb").read().hex() for name in os.listdir(place))
print(json.dumps([listed, read]))
"""


@pytest.mark.parametrize("place", PLACES)
def test_any_name_of_up_to_255_bytes(jail: JailedVenv, place: str) -> None:
    expected = sorted(name.hex() for name in NAMES)
    output = jail.python(NAMED, inside(jail, place), *(name.hex() for name in NAMES))
    assert json.loads(output) == [expected, expected]
    if place == "":
        stored = os.fsencode(jail.store / "names")
        assert sorted(name.hex() for name in os.listdir(stored)) == expected


DEEP = """
import os, sys
path = sys.argv[1] + "/deep"
for level in range(100):
    path += f"/{level:02}"
os.makedirs(path)
with open(path + "/bottom", "w") as file:
    file.write("found")
total = sum(len(names) for _, names, _ in os.walk(sys.argv[1] + "/deep"))
os.chdir(path)
print(open("bottom").read(), total, os.getcwd() == path, os.stat("../" * 99).st_nlink > 0)
os.chdir(sys.argv[1])
os.rename("deep/00", "moved")
os.rename("moved", "deep/00")
print(open(path + "/bottom").read())
"""


@pytest.mark.parametrize("place", PLACES)
def test_a_hundred_levels(jail: JailedVenv, place: str) -> None:
    assert jail.python(DEEP, inside(jail, place)).split("\n") == ["found 100 True True", "found"]


def test_a_directory_of_many_names(jail: JailedVenv) -> None:
    list_many_names(jail, 5_000)  # a hundred thousand in the soak


def test_a_socket_and_a_fifo_of_a_long_name(jail: JailedVenv) -> None:
    code = (
        "import os, socket; os.chdir(os.path.expanduser('~')); "
        "os.mkfifo('f' * 255); s = socket.socket(socket.AF_UNIX); s.bind('s' * 107); "
        "print(sorted(len(n) for n in os.listdir('.') if len(n) > 100))"
    )
    assert jail.python(code) == "[107, 255]"


def test_the_host_can_remove_it_all(jail: JailedVenv) -> None:
    """Nothing of what programs made is in the way of the user's ``rm -rf``."""
    jail.stop()
    jail.home.check(["/bin/rm", "-rf", jail.store / "many", jail.store / "names"])
    assert not Path(jail.store, "names").exists()
