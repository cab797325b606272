"""With ``[jail] terminal = "shared"``: the same tests, where the entry itself does job control."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jail.test_terminal_jobs import (
    test_a_process_group_of_its_own_keeps_the_terminal,
    test_ctrl_z_in_a_process_group_of_its_own,
    test_job_of_a_script_without_job_control,
    test_modes_after_a_command_that_changed_them_and_died,
    test_modes_of_a_stopped_command,
    test_reading_in_the_background_stops,
    test_sizes_are_the_same_in_the_jail,
    test_stopped_job_when_its_shell_ends,
    test_suspended_shell_in_the_jail,
    test_terminal_after_a_script_without_job_control,
)
from tests.jail.test_terminal_signals import (
    programs,
    test_ctrl_c_comes_once,
    test_ctrl_z_fg_bg,
    test_hangup_of_the_terminal_ends_the_command,
    test_kill_9_of_the_entry_kills_the_command,
    test_sigcont_comes_once,
)
from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.terminal import Terminal

__all__ = [
    "programs",
    "test_a_process_group_of_its_own_keeps_the_terminal",
    "test_ctrl_c_comes_once",
    "test_ctrl_z_fg_bg",
    "test_ctrl_z_in_a_process_group_of_its_own",
    "test_hangup_of_the_terminal_ends_the_command",
    "test_job_of_a_script_without_job_control",
    "test_kill_9_of_the_entry_kills_the_command",
    "test_modes_after_a_command_that_changed_them_and_died",
    "test_modes_of_a_stopped_command",
    "test_reading_in_the_background_stops",
    "test_sigcont_comes_once",
    "test_sizes_are_the_same_in_the_jail",
    "test_stopped_job_when_its_shell_ends",
    "test_suspended_shell_in_the_jail",
    "test_terminal_after_a_script_without_job_control",
]


@pytest.fixture(autouse=True, scope="module")
def _shared(shared_home: FakeHome) -> Iterator[None]:
    file = shared_home.write(".dirjailconfig", '[jail]\nterminal = "shared"\n')
    yield
    file.unlink()


@pytest.fixture
def python(jail: JailedVenv) -> Path:
    """The jailed one alone: how the plain one is, the same tests show elsewhere."""
    return jail.bin / "python"


def test_it_is_the_callers_terminal(python: Path, terminal: Terminal) -> None:
    terminal.type(f"{python} -c 'import os; print(os.fstat(0).st_dev, os.fstat(2).st_dev)'")
    own = os.stat(f"/proc/{terminal.leader.pid}/fd/0").st_dev
    terminal.expect(f"{own} {own}\r\n")
