"""The corner cases of job control: groups, scripts, modes and sizes of the terminal."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.pausing import PAUSE, UNTIL_TYPED
from tests.support.processes import Process
from tests.support.terminal import PROMPT, Terminal
from tests.support.waiting import eventually, is_locked

READ = "print('read ' + input().upper())"


def test_reading_in_the_background_stops(python: Path, terminal: Terminal) -> None:
    terminal.type(f'{python} -c "{READ}" &')
    terminal.wait_for(lambda: "Stopped" in terminal.ask("jobs"), "stopped by SIGTTIN")
    terminal.continue_job()
    terminal.type("line")
    terminal.expect("read LINE\r\n")
    assert terminal.status() == "0"


def test_writing_in_the_background_stops_on_request(python: Path, terminal: Terminal) -> None:
    terminal.type("stty tostop")
    terminal.expect(PROMPT)
    terminal.type(f'{python} -c \'print("writ" + "ten")\' &')
    terminal.wait_for(lambda: "Stopped" in terminal.ask("jobs"), "stopped by SIGTTOU")
    terminal.continue_job(to_end=True)
    terminal.expect("written\r\n")
    assert terminal.status() == "0"


def test_a_process_group_of_its_own_keeps_the_terminal(python: Path, terminal: Terminal) -> None:
    """The leader of a job calls setpgid(2) without effect; so must a command whose entry leads."""
    ready = "print('rea' + 'dy', flush=True)"  # what is typed sooner the shell may still get
    terminal.type(f'{python} -c "import os; os.setpgid(0, 0); {ready}; {READ}; {PAUSE}"')
    terminal.expect("ready\r\n")
    terminal.type("line")
    terminal.expect("read LINE\r\n")
    terminal.press("c")
    terminal.expect("KeyboardInterrupt")
    assert terminal.status() == "130"
    terminal.type("echo bac''k")
    terminal.expect("back\r\n")


def test_ctrl_c_reaches_a_process_group_of_its_own(python: Path, terminal: Terminal) -> None:
    code = f"import os; os.setpgid(0, 0); print('rea' + 'dy', flush=True); {PAUSE}"
    terminal.type(f'{python} -c "{code}"')
    terminal.expect("ready\r\n")
    terminal.press("c")
    terminal.expect("KeyboardInterrupt")
    assert terminal.status() == "130"


def test_ctrl_z_in_a_process_group_of_its_own(python: Path, terminal: Terminal) -> None:
    code = (
        "import os, signal; os.setpgid(0, 0); "
        "signal.signal(signal.SIGINT, lambda *_: os._exit(9)); "
        f"print('rea' + 'dy', flush=True); {PAUSE}"
    )
    terminal.type(f'{python} -c "{code}"')
    terminal.expect("ready\r\n")
    for _ in range(2):
        terminal.stop_job()
        terminal.continue_job()
    terminal.press("c")
    assert terminal.status() == "9"


def test_job_of_a_script_without_job_control(python: Path, terminal: Terminal) -> None:
    """The script, its entry and the command are one group; the user's shell controls them all."""
    script = Path(str(python.parents[2]), "job.sh")
    code = f"print('rea' + 'dy'); {READ}"
    script.write_text(f'{python} -c "{code}"\necho script $?\n', encoding="utf-8")
    terminal.type(f"sh {script}")
    terminal.expect("ready\r\n")
    terminal.stop_job()
    terminal.continue_job()
    terminal.type("line")
    terminal.expect("read LINE\r\n")
    terminal.expect("script 0\r\n")
    assert terminal.status() == "0"


def test_terminal_after_a_script_without_job_control(jail: JailedVenv, terminal: Terminal) -> None:
    """A shell in the jail made its own group the foreground; sh does not take the terminal back."""
    terminal.type(f"sh -c '{jail.bin}/activate-new-shell; read line; echo got $line'")
    terminal.expect("(venv)")
    terminal.type("exit")
    terminal.expect("exit")
    terminal.type("line")
    terminal.expect("got line\r\n")
    assert terminal.status() == "0"


def test_size_of_the_window(python: Path, terminal: Terminal) -> None:
    code = (
        "import os, signal, sys; "
        "show = lambda *_: os.write(1, b'%d %d\\n' % os.get_terminal_size()); "
        f"signal.signal(signal.SIGWINCH, show); show(); {UNTIL_TYPED}; sys.stdin.read()"
    )
    terminal.type(f'{python} -c "{code}"')
    terminal.expect("200 24\r\n")
    terminal.resize(30, 100)
    terminal.expect("100 30\r\n")
    terminal.stop_job()
    terminal.resize(31, 101)
    assert terminal.ask("stty size") == "31 101"
    terminal.continue_job()
    terminal.resize(32, 102)
    terminal.expect("102 32\r\n")
    terminal.press("d")
    assert terminal.status() == "0"


def test_sizes_are_the_same_in_the_jail(jail: JailedVenv, terminal: Terminal) -> None:
    terminal.type(f"{jail.bin}/activate-new-shell")
    terminal.expect("(venv)")
    terminal.resize(33, 103)
    assert terminal.ask("stty size") == "33 103"
    terminal.type("exit")
    terminal.expect(PROMPT)
    assert terminal.ask("stty size") == "33 103"


def test_modes_after_a_command_that_changed_them_and_died(python: Path, terminal: Terminal) -> None:
    before = terminal.ask("stty -g")
    code = "import os, tty; tty.setraw(0); os.kill(os.getpid(), 9)"
    terminal.type(f'{python} -c "{code}"')
    terminal.expect("Killed")
    terminal.expect(PROMPT)
    assert terminal.ask("stty -g") == before


def test_modes_of_a_stopped_command(python: Path, terminal: Terminal) -> None:
    before = terminal.ask("stty -g")
    code = (
        "import os, signal, tty; tty.setraw(0); os.write(1, b'ra' + b'w.'); "
        "os.kill(os.getpid(), signal.SIGSTOP); tty.setraw(0); os.write(1, b'aga' + b'in.'); "
        "os.write(1, os.read(0, 1) + b'.')"
    )
    terminal.type(f'{python} -c "{code}"')
    terminal.expect("raw.")
    terminal.expect("Stopped")
    terminal.expect(PROMPT)
    assert terminal.ask("stty -g") == before
    terminal.continue_job()
    terminal.expect("again.")
    terminal.child.send("\x03")  # of no effect in raw mode
    terminal.expect("\x03.")


def test_command_that_forks_and_ends(python: Path, terminal: Terminal) -> None:
    """What it leaves behind goes on, and the terminal is the shell's."""
    code = (
        "import os, signal, sys; r, w = os.pipe(); "
        "os.fork() and (os.read(r, 1), os._exit(3)); "
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); os.write(w, b'x'); "
        "open('fifo2').read(); open('after', 'w').write('on')"
    )
    directory = Path(str(python.parents[2]))
    (directory / "fifo2").unlink(missing_ok=True)
    (directory / "after").unlink(missing_ok=True)
    os.mkfifo(directory / "fifo2")
    terminal.type(f'{python} -c "{code}"')
    assert terminal.status() == "3"
    (directory / "fifo2").write_text("go")
    eventually(lambda: (directory / "after").exists(), "the orphan has gone on")


def test_orphaned_process_group(
    python: Path, plain: Path, shared_home: FakeHome, terminal: Terminal
) -> None:
    """Nobody could continue it: Ctrl-Z's signal has no effect, and reading leads to nothing.

    Outside the kernel makes it an error.  A jailed command's group is no orphan in its session.
    """
    result = shared_home.project / "orphan"
    result.unlink(missing_ok=True)
    code = (
        "import os, signal, sys\n"
        "os.kill(os.getpid(), signal.SIGTSTP)\n"
        "try: sys.stdin.read()\n"
        "except OSError as error: found = error.strerror\n"
        "else: found = 'read'\n"
        "open('orphan.tmp', 'w').write(found)\n"
        "os.rename('orphan.tmp', 'orphan')\n"
    )
    (shared_home.project / "orphan.py").write_text(code, encoding="utf-8")
    # A background job of a shell with job control that has ended: (set -m; …) is one.
    terminal.type(f"bash -c 'set -m; {python} orphan.py </dev/tty & exit'; echo ''ended")
    terminal.expect("ended\r\n")
    eventually(result.exists, "the orphan has not stopped")
    assert result.read_text() == ("Input/output error" if python == plain else "read")


def test_stopped_job_when_its_shell_ends(
    python: Path, shared_home: FakeHome, terminal: Terminal
) -> None:
    """The kernel sends SIGHUP and SIGCONT to a stopped group that becomes orphaned."""
    result = shared_home.project / "hangup"
    result.unlink(missing_ok=True)
    code = (
        "import os, signal; "
        "signal.signal(signal.SIGHUP, lambda *_: (open('hangup', 'w'), os._exit(0))); "
        f"print('rea' + 'dy', flush=True); {PAUSE}"
    )
    terminal.type(f'{python} -c "{code}"')
    terminal.expect("ready\r\n")
    terminal.stop_job()
    terminal.leader.kill(signal.SIGKILL)
    eventually(result.exists, "the command has got SIGHUP")


@pytest.mark.parametrize("way", ["", ". "])
def test_suspended_shell_in_the_jail(jail: JailedVenv, terminal: Terminal, way: str) -> None:
    terminal.type(f"{way}{jail.bin}/activate-new-shell")
    terminal.expect("(venv)")
    for _ in range(2):
        terminal.type("suspend")
        terminal.expect("Stopped")
        terminal.expect(PROMPT)
        assert terminal.ask("echo $0") == "/bin/bash"
        terminal.continue_job()
        assert terminal.ask("echo $VENVJAIL") == str(jail.env)
        terminal.expect("(venv)")  # before that, bash takes Ctrl-C for what it ran last
        terminal.press("c")
        terminal.expect("^C")
        terminal.expect("(venv)")
    terminal.type("exit 5")
    assert terminal.status() == "5"


def test_stopped_shell_in_the_jail_when_the_users_shell_ends(
    jail: JailedVenv, terminal: Terminal
) -> None:
    terminal.type(f"{jail.bin}/activate-new-shell")
    terminal.expect("(venv)")
    terminal.type("suspend")
    terminal.expect("Stopped")
    entry = Process(int(terminal.ask("jobs -p")))
    terminal.leader.kill(signal.SIGKILL)
    eventually(lambda: entry.ended(0), "the entry, and so the shell, has ended")
    entry.close()


def test_stopped_entry_when_the_jail_is_stopped(jail: JailedVenv, terminal: Terminal) -> None:
    """The entry cannot reap its command meanwhile; nobody may wait for that."""
    terminal.type(f'{jail.bin}/python -c \'print("rea" + "dy"); input()\'')
    terminal.expect("ready\r\n")
    terminal.stop_job()
    begin = time.monotonic()
    jail.stop()
    assert time.monotonic() - begin < 9  # whoever waits for the entry waits 10 s
    assert jail.status is None
    assert jail.python("print('a new jail')", timeout=30) == "a new jail"
    terminal.continue_job(to_end=True)
    terminal.expect("Killed")
    assert terminal.status() == "137"


@pytest.mark.parametrize("victim", ["supervisor", "init"])
def test_stopped_entry_when_the_jail_dies(
    jail: JailedVenv, terminal: Terminal, victim: str
) -> None:
    terminal.type(f'{jail.bin}/python -c \'print("rea" + "dy"); input()\'')
    terminal.expect("ready\r\n")
    terminal.stop_job()
    status = jail.status
    assert status is not None
    os.kill(getattr(status, victim), signal.SIGKILL)
    assert jail.python("print('a new jail')", timeout=30) == "a new jail"
    terminal.continue_job(to_end=True)
    terminal.expect("Killed")
    assert terminal.status() == "137"


def test_entry_stopped_while_it_starts_the_jail(jail: JailedVenv, terminal: Terminal) -> None:
    """Nobody waits for it: Ctrl-Z has its effect when the jail runs and the lock is free."""
    jail.stop()
    terminal.type(f"{jail.bin}/python -c 'print(\"first\")'")
    eventually(lambda: is_locked(Path(jail.paths.run, "lock")), "it starts the jail")
    terminal.stop_job()
    assert jail.python("print('second')", timeout=30) == "second"
    terminal.continue_job(to_end=True)
    terminal.expect("first\r\n")
