"""A command's end, its signals and its keys under a terminal: as with a plain venv's python."""

import signal
import time
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.pausing import PAUSE
from tests.support.processes import Process
from tests.support.terminal import PROMPT, Terminal
from tests.support.waiting import eventually, is_locked

#: Says ``ready``, tells of each signal, and ends with the status 9 when there were ``COUNT``.
LISTENER = (
    r"""
import os, signal, sys
got = []
def note(number, frame):
    got.append(signal.Signals(number).name)
    os.write(1, f"got {' '.join(got)}\n".encode())
    if len(got) == int(sys.argv[1]):
        os._exit(9)
for name in sys.argv[2:]:
    signal.signal(getattr(signal, name), note)
os.write(1, b"ready\n")
"""
    + PAUSE
)
#: Says ``ready`` and then does nothing.
SLEEPER = f"print('ready', flush=True); {PAUSE}"


@pytest.fixture
def programs(shared_home: FakeHome) -> Path:
    """A directory with the programs above, in the project."""
    directory = shared_home.project / "programs"
    directory.mkdir(exist_ok=True)
    (directory / "listener.py").write_text(LISTENER, encoding="utf-8")
    (directory / "sleeper.py").write_text(SLEEPER, encoding="utf-8")
    return directory


def background_pid(terminal: Terminal) -> Process:
    """The process that the shell started last in the background; of a jailed one, the entry."""
    return Process(int(terminal.ask("echo $!")))


@pytest.mark.parametrize("status", [0, 1, 77, 255])
def test_exit_status(python: Path, terminal: Terminal, status: int) -> None:
    terminal.type(f"{python} -c 'raise SystemExit({status})'")
    assert terminal.status() == str(status)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGPIPE", "SIGUSR1", "SIGHUP"])
def test_death_by_signal(python: Path, terminal: Terminal, name: str) -> None:
    number = int(getattr(signal, name))
    terminal.type(
        f"{python} -c 'import os, signal; signal.signal({number}, 0) if {number} != 9 else 0; "
        f"os.kill(os.getpid(), {number})'"
    )
    assert terminal.status() == str(128 + number)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGXCPU"])
def test_death_by_signal_is_seen_by_the_parent(
    python: Path, shared_home: FakeHome, name: str
) -> None:
    number = int(getattr(signal, name))
    code = f"import os, signal; {number} != 9 and signal.signal({number}, signal.SIG_DFL)\n"
    done = shared_home.run([python, "-c", code + f"os.kill(os.getpid(), {number})"])
    assert done.returncode == -number  # died of it, did not just say 128 + N


@pytest.mark.parametrize(
    ("key", "status", "said"), [("c", "130", "KeyboardInterrupt"), ("\\", "131", "Quit")]
)
def test_key_that_ends(
    python: Path, terminal: Terminal, programs: Path, key: str, status: str, said: str
) -> None:
    terminal.type(f"{python} {programs}/sleeper.py")
    terminal.expect("ready\r\n")
    terminal.press(key)
    terminal.expect(said)
    assert terminal.status() == status


def test_ctrl_c_comes_once(python: Path, terminal: Terminal, programs: Path) -> None:
    terminal.type(f"{python} {programs}/listener.py 2 SIGINT")
    terminal.expect("ready\r\n")
    terminal.press("c")
    terminal.expect("got SIGINT\r\n")
    terminal.press("c")
    terminal.expect("got SIGINT SIGINT\r\n")
    assert terminal.status() == "9"


@pytest.mark.parametrize(("key", "status"), [("c", ("130", "1")), ("z", ("148",))])
def test_key_at_any_moment_of_the_start(
    jail: JailedVenv, terminal: Terminal, programs: Path, key: str, status: tuple[str, ...]
) -> None:
    """Before the entry's fork, after it or in between: no key is lost."""
    jail.python("pass")
    for milliseconds in range(0, 50, 2):
        command = f"exec {jail.bin}/python {programs}/sleeper.py"
        terminal.type(f"sh -c 'echo sta''rts; {command}'")
        terminal.expect("starts\r\n")
        time.sleep(milliseconds / 1000)
        terminal.press(key)
        terminal.expect(f"^{key.upper()}")
        if terminal.child.expect_exact([PROMPT, "ready\r\n"]) == 1:
            # CPython's import system swallows a KeyboardInterrupt at some places of its own start,
            # be it the entry's or the command's; it says so, and goes on. Without that, the key and
            # ``ready`` have only met on their ways.
            if "KeyboardInterrupt" in terminal.child.before:
                terminal.press(key)
            terminal.expect(PROMPT)
        assert terminal.status() in status
        if key == "z":
            terminal.type("kill -9 %1; wait; echo wai''ted")
            terminal.expect("waited\r\n")


def test_ctrl_c_in_a_shell_script_ends_the_script(
    python: Path, terminal: Terminal, programs: Path
) -> None:
    """bash ends a script only if the command really died of SIGINT."""
    script = programs / "script.sh"
    script.write_text(f"{python} {programs}/sleeper.py\necho went on\n", encoding="utf-8")
    terminal.type(f"bash {script}")
    terminal.expect("ready\r\n")
    terminal.press("c")
    terminal.expect(PROMPT)
    assert "went on" not in terminal.child.before
    assert terminal.status() == "130"


def test_ctrl_z_fg_bg(python: Path, terminal: Terminal, programs: Path) -> None:
    terminal.type(f"{python} {programs}/listener.py 1 SIGINT")
    terminal.expect("ready\r\n")
    for _ in range(3):
        terminal.stop_job()
        assert terminal.status() == "148"
        assert terminal.ask("jobs").startswith("[1]+  Stopped")
        terminal.type("bg")
        terminal.expect(PROMPT)
        assert "Running" in terminal.ask("jobs")
        terminal.continue_job()
    terminal.press("c")
    terminal.expect("got SIGINT\r\n")
    assert terminal.status() == "9"


def test_sigcont_comes_once(python: Path, terminal: Terminal, programs: Path) -> None:
    terminal.type(f"{python} {programs}/listener.py 3 SIGCONT SIGUSR1")
    terminal.expect("ready\r\n")
    terminal.stop_job()
    terminal.continue_job()
    terminal.expect("got SIGCONT\r\n")
    terminal.stop_job()
    process = Process(int(terminal.ask("jobs -p")))
    terminal.continue_job()
    terminal.expect("got SIGCONT SIGCONT\r\n")
    process.kill(signal.SIGUSR1)
    process.close()
    terminal.expect("got SIGCONT SIGCONT SIGUSR1\r\n")
    assert terminal.status() == "9"


def test_stop_is_seen_when_the_command_stops_itself(python: Path, terminal: Terminal) -> None:
    code = 'import os, signal; os.kill(os.getpid(), signal.SIGSTOP); print("on it" + " goes")'
    terminal.type(f"{python} -c '{code}'")
    terminal.expect("Stopped")
    terminal.continue_job(to_end=True)
    terminal.expect("on it goes")
    assert terminal.status() == "0"


@pytest.mark.parametrize(
    "name",
    [
        *("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"),
        *("SIGALRM", "SIGABRT", "SIGWINCH", "SIGIO", "SIGRTMIN"),
    ],
)
def test_signal_to_the_entry_alone(
    python: Path, terminal: Terminal, programs: Path, name: str
) -> None:
    terminal.type(f"{python} {programs}/listener.py 1 {name} &")
    terminal.expect("ready\r\n")
    process = background_pid(terminal)
    process.kill(getattr(signal, name))
    terminal.expect(f"got {name}\r\n")
    process.close()
    terminal.type("wait $!")
    assert terminal.status() == "9"


def test_deadly_signal_to_the_entry_alone(python: Path, terminal: Terminal, programs: Path) -> None:
    terminal.type(f"{python} {programs}/sleeper.py &")
    terminal.expect("ready\r\n")
    process = background_pid(terminal)
    process.kill(signal.SIGTERM)
    process.close()
    terminal.type("wait $!")
    assert terminal.status() == "143"


def test_kill_9_of_the_entry_kills_the_command(
    python: Path, terminal: Terminal, programs: Path
) -> None:
    marker = programs / "locked"
    code = (
        "import fcntl, os, sys, signal; fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR); "
        f'fcntl.flock(fd, fcntl.LOCK_EX); print("ready", flush=True); {PAUSE}'
    )
    terminal.type(f"{python} -c '{code}' {marker} &")
    terminal.expect("ready\r\n")
    process = background_pid(terminal)
    assert is_locked(marker)
    process.kill(signal.SIGKILL)
    process.close()
    eventually(lambda: not is_locked(marker), "the command has ended")
    terminal.type("wait $!")
    assert terminal.status() == "137"


def test_stop_and_continue_of_the_job(python: Path, terminal: Terminal, programs: Path) -> None:
    terminal.type(f"{python} {programs}/listener.py 1 SIGUSR1 &")
    terminal.expect("ready\r\n")
    process = background_pid(terminal)
    terminal.type("kill -STOP %1")
    terminal.wait_for(lambda: "Stopped" in terminal.ask("jobs"), "the job is stopped")
    process.kill(signal.SIGUSR1)
    terminal.type("kill -CONT %1")
    terminal.expect("got SIGUSR1\r\n")
    process.close()
    terminal.type("wait $!")
    assert terminal.status() == "9"


def test_sigtstp_and_sigcont_to_the_entry_alone(
    python: Path, terminal: Terminal, programs: Path
) -> None:
    terminal.type(f"{python} {programs}/listener.py 1 SIGUSR1 &")
    terminal.expect("ready\r\n")
    process = background_pid(terminal)
    process.kill(signal.SIGTSTP)
    terminal.wait_for(lambda: "Stopped" in terminal.ask("jobs"), "the job is stopped")
    process.kill(signal.SIGCONT)
    process.kill(signal.SIGUSR1)
    terminal.expect("got SIGUSR1\r\n")
    process.close()
    # Until it has heard of the end, bash answers with the status of the stop.
    terminal.wait_for(lambda: terminal.ask("wait $!; echo $?") == "9", "the command has ended")


def test_hangup_of_the_terminal_ends_the_command(
    python: Path, terminal: Terminal, programs: Path
) -> None:
    marker = programs / "hung-up"
    marker.unlink(missing_ok=True)
    code = (
        "import signal, sys, os; "
        'signal.signal(signal.SIGHUP, lambda *_: (open(sys.argv[1], "w"), os._exit(1))); '
        f'print("ready", flush=True); {PAUSE}'
    )
    terminal.type(f"{python} -c '{code}' {marker}")
    terminal.expect("ready\r\n")
    terminal.hang_up()
    eventually(marker.exists, "the command has got SIGHUP")
