"""Try the same operation on the host and in a jail: the control and the negative of a test."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv

#: Handed over as text: the tree itself may be hidden in the jail.
_PROGRAM = Path(__file__).with_name("attempt_program.py").read_text(encoding="utf-8")

#: What an operation without an obstacle ends with; else it is the errno's name.
DONE = "done"


def on_host(home: FakeHome, operation: str, paths: Iterable[str | Path]) -> dict[str, str]:
    """How ``operation`` of ``attempt_program`` ends on the host, for each path."""
    return _attempt(home.check, "/usr/bin/python3", operation, paths)


def in_jail(venv: JailedVenv, operation: str, paths: Iterable[str | Path]) -> dict[str, str]:
    """The same in the jail of ``venv``."""
    return _attempt(venv.home.check, venv.bin / "python", operation, paths)


def _attempt(
    check: Callable[..., str], python: str | Path, operation: str, paths: Iterable[str | Path]
) -> dict[str, str]:
    words = [str(path) for path in paths]
    results: dict[str, str] = json.loads(check([python, "-c", _PROGRAM, operation, *words]))
    return results


def all_end(results: dict[str, str], *outcomes: str) -> bool:
    """Whether there are results and each is one of ``outcomes``."""
    return bool(results) and set(results.values()) <= set(outcomes)
