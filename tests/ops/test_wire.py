"""The bytes between two terminals, both of which put a carriage return before a newline."""

import os
import termios
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from venvjail import wire
from venvjail.terminal import Terminal
from venvjail.wire import Wire


@pytest.fixture
def pair() -> Iterator[tuple[Wire, int]]:
    """What is between a caller's terminal and a command's; the latter's other side."""
    with ExitStack() as stack:
        ends = [fd for _ in range(2) for fd in os.openpty()]
        for fd in ends:
            stack.callback(os.close, fd)
        _, caller, master, command = ends
        os.set_blocking(master, False)
        modes = termios.tcgetattr(command)
        made = Wire(Terminal(caller, [caller], own_keys=False), master)
        made.modes = modes
        yield made, command


@pytest.mark.parametrize("size", range(1, 12))
def test_a_newline_is_one_wherever_it_is_cut(
    pair: tuple[Wire, int], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    between, command = pair
    monkeypatch.setattr(wire, "_CHUNK", size)
    os.write(command, b"a\nbcd\n\nef\n")
    between.read_last()
    assert between.printed == b"a\nbcd\n\nef\n"


def test_a_carriage_return_of_the_command_is_passed_on(pair: tuple[Wire, int]) -> None:
    between, command = pair
    os.write(command, b"50 %\r")
    between.read_last()
    assert between.printed == b"50 %\r"
    os.write(command, b"100 %\r")
    between.read_last()
    assert between.printed == b"50 %\r100 %\r"
