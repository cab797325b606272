"""Run a function in a child process that has restricted itself by Landlock."""

import errno
import os
import traceback
from collections.abc import Callable

DONE = "done"


def outcome(action: Callable[[], object], restrict: Callable[[], object]) -> str:
    """How ``action`` ends after ``restrict``: ``done`` or its errno's name."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            restrict()
            os.write(write, _end_of(action).encode())
        except BaseException:  # noqa: BLE001 - nothing may return into the test from here
            os.write(write, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with open(read, encoding="utf-8") as pipe:
        return pipe.read()


def _end_of(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return DONE
