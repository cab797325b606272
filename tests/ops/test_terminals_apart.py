"""The caller's terminal and the bytes to and from it, on pseudo-terminals, where one side fails."""

import os
import select
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator

import pytest

from tests.support.ptys import Ends, at_terminal, hang_up, shown, terminal, terminals
from venvjail import wire
from venvjail.terminal import OUTPUT
from venvjail.wire import Wire


@pytest.fixture
def ends() -> Iterator[Ends]:
    with terminals() as found:
        yield found


# -- the caller's terminal -------------------------------------------------------------------


def test_one_that_is_not_attached_is_left_alone(ends: Ends) -> None:
    """Another relay of the job has it."""
    found = terminal(ends)
    before = termios.tcgetattr(ends.caller)
    assert found.renew_modes() == before
    found.begin_return()
    found.follow(before, raw=True)
    found.detach()
    assert found.push_back(b"typed") is False
    assert termios.tcgetattr(ends.caller) == before
    assert not select.select([ends.caller], [], [], 0)[0]


def test_what_was_typed_before_is_taken_as_lines_only(ends: Ends) -> None:
    os.write(ends.user, b"one\ntwo")
    lines = terminal(ends)
    assert lines.attach()
    assert lines.typed_before() == b"one\n"
    lines.detach()
    tty.setraw(ends.caller)
    raw = terminal(ends)
    assert raw.attach()
    os.write(ends.user, b"raw")
    assert raw.typed_before() == b""
    assert os.read(ends.caller, 10).endswith(b"raw")


def test_an_end_of_file_is_taken_as_its_key(ends: Ends) -> None:
    os.write(ends.user, b"\x04")
    found = terminal(ends)
    assert found.attach()
    assert found.typed_before() == b"\x04"


def test_one_that_is_gone(ends: Ends) -> None:
    found = terminal(ends)
    assert found.attach()
    hang_up(ends)
    assert not found.is_ours()
    modes = [*found.modes]
    modes[OUTPUT] ^= termios.OPOST
    found.follow(modes, raw=False)  # no error
    found.detach()
    assert found.size() == bytes(8)
    assert found.push_back(b"x") is False


def test_two_relays_of_a_job(ends: Ends) -> None:
    """A lock on the device: whoever has it reads; by /dev/tty none can be had."""
    first = terminal(ends)
    assert first.attach()
    program = (
        "import sys; from venvjail.terminal import Terminal; "
        "print(Terminal(0, [0], own_keys=False).attach())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, stdin=ends.caller, capture_output=True, text=True, timeout=30)
    assert done.stdout == "False\n", done.stderr
    first.detach()
    done = subprocess.run(command, stdin=ends.caller, capture_output=True, text=True, timeout=30)
    assert done.stdout == "True\n", done.stderr


def test_no_stream_but_the_controlling_terminal() -> None:
    """/dev/tty is the same file for all terminals, so no lock is taken on it."""
    program = (
        "import os; from venvjail.terminal import Terminal; fd = os.open('/dev/tty', os.O_RDWR); "
        "print(Terminal(fd, [fd], own_keys=False).attach())"
    )
    assert at_terminal(program) == "True\n"


# -- the bytes between -----------------------------------------------------------------------------


def test_output_to_a_terminal_that_is_stopped(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-S: what the command has printed waits, and the command is not held up for it."""
    monkeypatch.setattr(wire, "_FLUSH_MS", 20)
    monkeypatch.setattr(wire, "LAST", 1 << 60)  # no end but that
    between = Wire(terminal(ends), ends.master)
    os.write(ends.command, b"before\n")
    termios.tcflow(ends.caller, termios.TCOOFF)
    assert between.flush()
    assert between.printed == b"before\n"
    termios.tcflow(ends.caller, termios.TCOON)
    assert between.flush()
    assert between.printed == b""
    assert shown(ends, 8) == b"before\r\n"


def test_output_to_a_terminal_that_is_gone(ends: Ends) -> None:
    between = Wire(terminal(ends), ends.master)
    os.write(ends.command, b"lost\n")
    hang_up(ends)
    assert not between.flush()
    between.is_there = False
    assert between.flush()
    assert between.write_printed()


def test_a_flush_has_an_end(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much the command prints meanwhile."""
    monkeypatch.setattr(wire, "LAST", 4)
    monkeypatch.setattr(wire, "_CHUNK", 3)
    between = Wire(terminal(ends), ends.master)
    os.write(ends.command, b"123456789")
    assert between.flush()
    assert shown(ends, 6) == b"123456"
    assert not select.select([ends.user], [], [], 0)[0]


def test_a_command_whose_terminal_is_gone(ends: Ends) -> None:
    between = Wire(terminal(ends), ends.master)
    between.close()
    assert between.master is None
    between.close()
    between.follow(more=False)
    between.copy_size()
    assert not between.begin_anew()
    assert not between.read_printed()
    between.typed = b"for nobody"
    between.write_typed()
    assert between.typed == b""


def test_a_command_that_does_not_read(ends: Ends) -> None:
    """Its terminal is full: the rest waits."""
    tty.setraw(ends.command)
    between = Wire(terminal(ends), ends.master)
    between.typed = b"x" * 200_000
    for _ in range(100):
        between.write_typed()
    assert 0 < len(between.typed) < 200_000
