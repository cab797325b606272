"""What is left of an error of pyfuse3's loop when the empty reads are taken out of it."""

import errno
import sys

import pytest

from fusefs import serve

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

EMPTY = BlockingIOError(errno.EAGAIN, "empty")


@pytest.mark.parametrize(
    ("raised", "left"),
    [
        (EMPTY, None),
        (BaseExceptionGroup("", [EMPTY, EMPTY]), None),
        (BaseExceptionGroup("", [BaseExceptionGroup("", [EMPTY])]), None),
    ],
)
def test_nothing_is_left_of_empty_reads(raised: BaseException, left: None) -> None:
    assert serve._without_empty_reads(raised) is left


def test_another_error_stays() -> None:
    error = OSError(errno.EIO, "broken")
    assert serve._without_empty_reads(error) is error


def test_an_empty_read_together_with_the_end_leaves_the_end() -> None:
    """A cancellation is no Exception, and neither is a group that holds one."""
    end = KeyboardInterrupt()
    left = serve._without_empty_reads(BaseExceptionGroup("", [EMPTY, end]))
    assert isinstance(left, BaseExceptionGroup)
    assert left.exceptions == (end,)
