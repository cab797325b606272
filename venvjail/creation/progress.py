"""Runs on the host: what a longer command shows while it works."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console

from venvjail.quoting import printable


class Progress(Protocol):
    """Told what is being done; shows it or not."""

    def step(self, text: str) -> contextlib.AbstractContextManager[None]:
        """A step that lasts as long as the context: ``installing pip``."""

    def say(self, text: str = "") -> None:
        """A line that stays."""


class ConsoleProgress:
    """A spinner on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        if self._console.is_terminal:
            with self._console.status(f"{printable(text)} …"):
                yield
        else:
            self._console.print(printable(text), markup=False)
            yield

    def say(self, text: str = "") -> None:
        self._console.print(printable(text), markup=False)


class Silence:
    """Shows nothing, for callers that are programs."""

    def step(self, text: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def say(self, text: str = "") -> None:
        pass
