"""What a jail needed for many files in its home it does not keep."""

import pytest

from tests.support.crowds import MEBIBYTE, make_files
from tests.support.jail import JailedVenv
from tests.support.mounts import poll
from tests.support.running import Figures
from venvjail import native
from venvjail.serving import thrift

_FILES = 60_000
_LIST = """
import os
print(sum(entry.stat().st_size == 0 for entry in os.scandir(os.path.expanduser("~/many"))))
"""
_REMOVE = """
import os
os.chdir(os.path.expanduser("~/many"))
for name in os.listdir():
    os.unlink(name)
"""


def test_memory_of_files_that_are_gone(own_jail: JailedVenv) -> None:
    own_jail.python("pass")
    figures = Figures(own_jail)
    before = figures.memory
    make_files(own_jail.store / "many", _FILES)
    assert own_jail.python(_LIST, timeout=110) == str(_FILES)
    needed = figures.memory - before
    assert needed > 20 * MEBIBYTE, "too few files to tell"
    own_jail.python(_REMOVE, timeout=110)
    poll(
        lambda: figures.memory - before < 0.35 * needed,
        "most of it is given back: without that, half of it stays",
    )


def test_a_c_library_without_such_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """As musl is."""

    def no_such(name: str, *_: object) -> int:
        return native.call(f"no_such_{name}")

    with pytest.raises(OSError, match="no_such_malloc_trim"):
        no_such("malloc_trim")
    monkeypatch.setattr(thrift, "call", no_such)
    thrift.give_back()
