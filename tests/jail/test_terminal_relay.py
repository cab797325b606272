"""The relay between the caller's terminal and the command's: all comes over, on time, unchanged."""

import hashlib
import os
import signal
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.pausing import PAUSE
from tests.support.processes import Process
from tests.support.requirements import require
from tests.support.terminal import PROMPT, Terminal
from tests.support.waiting import eventually

NO_ECHO = """
import os, sys, termios, tty
modes = termios.tcgetattr(0)
modes[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSAFLUSH, modes)
os.write(1, b"rea" + b"dy.")
"""


@pytest.fixture
def project(shared_home: FakeHome) -> Path:
    return shared_home.project


def run(terminal: Terminal, python: Path, code: str, *words: str, name: str = "program.py") -> None:
    """Start ``code`` by the shell at ``terminal``."""
    project = python.parents[2]
    (project / name).write_text(code, encoding="utf-8")
    terminal.type(f"{python} {name} {' '.join(words)}")


def test_the_command_has_a_terminal_of_its_own(jail: JailedVenv, terminal: Terminal) -> None:
    code = "import os; print(*map(os.ttyname, range(3)), os.readlink('/proc/self/fd/0'))"
    run(terminal, jail.bin / "python", code)
    name = terminal.match(r"(/dev/pts/\d+) ")
    terminal.expect(f"{name} {name} {name}\r\n")
    run(terminal, jail.bin / "python", "import os; print(f'<{os.stat(0).st_dev}>')")
    own = os.stat(f"/proc/{terminal.leader.pid}/fd/0").st_dev
    assert int(terminal.match(r"<(\d+)>")) != own


@pytest.mark.parametrize(
    ("redirection", "shown"),
    [
        ("</dev/null", "False True True"),
        ("2>/dev/null", "True True False"),
        ("| cat", "True False True"),
        ("< program.py 2>&1 | cat", "False False False"),
    ],
)
def test_only_terminals_are_replaced(
    python: Path, terminal: Terminal, redirection: str, shown: str
) -> None:
    run(terminal, python, "import os; print(*map(os.isatty, range(3)))", redirection)
    terminal.expect(f"{shown}\r\n")
    assert terminal.status() == "0"


def test_in_a_pipeline_one_reads(python: Path, terminal: Terminal, project: Path) -> None:
    """What it asks, and what the other prints, is shown as both print it."""
    (project / "shout.py").write_text(
        "import sys; sys.stderr.write('begins\\n'); print(sys.stdin.read().upper(), end='')",
        encoding="utf-8",
    )
    code = "import sys; sys.stderr.write('name? '); print('hello', input())"
    for _ in range(2):
        run(terminal, python, code, f"| {python} shout.py")
        terminal.match(r"(name\? begins\r\n|begins\r\nname\? )")
        terminal.type("alice")
        terminal.expect("alice\r\nHELLO ALICE\r\n")
    assert terminal.status() == "0"


def test_two_of_a_job_read_one_after_the_other(
    python: Path, terminal: Terminal, project: Path
) -> None:
    before = terminal.ask("stty -g")
    (project / "ask.py").write_text("print('read', input())", encoding="utf-8")
    code = (
        "import subprocess, sys\n"
        "print('be' + 'gun', flush=True)\n"  # what is typed sooner the shell may still get
        "both = [subprocess.Popen([sys.argv[1], 'ask.py']) for _ in range(2)]\n"
        "print(*(one.wait() for one in both))\n"
    )
    (project / "both.py").write_text(code, encoding="utf-8")
    terminal.type(f"/usr/bin/python3 both.py {python}")
    terminal.expect("begun\r\n")
    terminal.type("line")
    terminal.expect("read line\r\n")
    terminal.type("line")
    terminal.expect("read line\r\n")
    terminal.expect("0 0\r\n")
    assert terminal.ask("stty -g") == before


def test_a_large_paste(python: Path, terminal: Terminal) -> None:
    code = NO_ECHO + (
        "import hashlib; data = sys.stdin.buffer.read(); "
        "print(len(data), hashlib.sha256(data).hexdigest())"
    )
    text = "".join(f"{number:059d}\n" for number in range(3000))
    run(terminal, python, code)
    terminal.expect("ready.")
    terminal.child.send(text)
    terminal.press("d")
    digest = hashlib.sha256(text.encode()).hexdigest()
    terminal.expect(f"{len(text)} {digest}\r\n")
    assert terminal.status() == "0"


def test_a_large_output_to_its_last_byte(python: Path, terminal: Terminal) -> None:
    """Also of a command that ends at once, and leaves a process that has the terminal open."""
    code = (
        "import os, time\n"
        "os.write(1, b'begin\\n')\n"
        "r, w = os.pipe()\n"
        "if os.fork() == 0: os.close(w); os.read(r, 1); os._exit(0)\n"
        "data = b''.join(b'%07d\\n' % n for n in range(50_000)) + b'last'\n"
        "while data: data = data[os.write(1, data):]\n"
        "os._exit(7)\n"
    )
    run(terminal, python, code)
    terminal.expect("begin\r\n")
    terminal.expect("last")
    assert terminal.child.before == "".join(f"{n:07d}\r\n" for n in range(50_000))
    assert terminal.status() == "7"


def test_every_byte_in_raw_mode(python: Path, terminal: Terminal) -> None:
    before = terminal.ask("stty -g")
    code = (
        "import os, tty; tty.setraw(0); os.write(1, b'rea' + b'dy.'); data = b''\n"
        "while len(data) < 256: data += os.read(0, 256)\n"
        "os.write(1, data.hex().encode() + b'\\n;'); os.kill(os.getpid(), 15)\n"
    )
    run(terminal, python, code)
    terminal.expect("ready.")
    os.write(terminal.child.child_fd, bytes(range(256)))
    terminal.expect(bytes(range(256)).hex() + "\n;")  # and no carriage return is put in
    terminal.expect("Terminated")
    terminal.expect(PROMPT)
    assert terminal.ask("stty -g") == before


def test_a_password_is_not_shown(python: Path, terminal: Terminal) -> None:
    for redirection in ("", "</dev/null 2>&1 | cat"):
        code = "import getpass; print('got', getpass.getpass('word: ').upper())"
        run(terminal, python, code, redirection)
        terminal.expect("word: ")
        terminal.type("secret")
        terminal.expect("got SECRET\r\n")
        assert "secret" not in terminal.child.before
    assert "-echo " not in terminal.ask("stty -a")


def test_a_full_screen_program(python: Path, terminal: Terminal) -> None:
    code = (
        "import curses\n"
        "def main(screen):\n"
        "    screen.addstr(3, 5, 'key?'); screen.refresh(); key = screen.getkey()\n"
        "    screen.addstr(4, 5, f'pressed {key!r} of {curses.LINES}x{curses.COLS}')\n"
        "    screen.refresh(); screen.getkey()\n"
        "curses.wrapper(main)\n"
    )
    before = terminal.ask("stty -g")
    terminal.type("export TERM=xterm")
    run(terminal, python, code)
    terminal.expect("key?")
    terminal.child.send("x")
    terminal.expect("pressed 'x' of 24x200")
    terminal.child.send("y")
    terminal.expect(PROMPT)
    assert terminal.status() == "0"
    assert terminal.ask("stty -g") == before


def test_end_of_file(python: Path, terminal: Terminal) -> None:
    code = "import os; print('rea' + 'dy', flush=True); print(*(os.read(0, 9) for _ in range(2)))"
    run(terminal, python, code)
    terminal.expect("ready\r\n")
    terminal.child.send("part")
    terminal.press("d")  # of a line that has begun: the part is read
    terminal.press("d")
    terminal.expect("b'part' b''\r\n")


def test_what_is_typed_ahead_is_the_shells(python: Path, terminal: Terminal, project: Path) -> None:
    setting = Path("/proc/sys/dev/tty/legacy_tiocsti")
    allowed = not setting.exists() or setting.read_text().strip() == "1"
    require(allowed, "dev.tty.legacy_tiocsti is 0: what is typed ahead cannot be given back")
    fifo = project / "ahead"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    run(terminal, python, "print('rea' + 'dy', flush=True); open('ahead').read()")
    terminal.expect("ready\r\n")
    terminal.type("echo fir''st; cat")
    terminal.type("a line for cat")
    terminal.expect("for cat\r\n")
    fifo.write_text("go", encoding="utf-8")
    terminal.expect("first\r\n")
    terminal.expect("a line for cat\r\n")
    terminal.press("c")
    terminal.expect(PROMPT)


def test_modes_after_a_signal_to_the_entry(jail: JailedVenv, terminal: Terminal) -> None:
    before = terminal.ask("stty -g")
    run(
        terminal,
        jail.bin / "python",
        f"import tty; tty.setraw(0); print('raw', flush=True); {PAUSE}",
    )
    terminal.expect("raw")
    children = Path(f"/proc/{terminal.leader.pid}/task/{terminal.leader.pid}/children")
    entry = Process(int(children.read_text().split()[-1]))
    entry.kill(signal.SIGTERM)
    entry.close()
    terminal.expect("Terminated")
    terminal.expect(PROMPT)
    assert terminal.ask("stty -g") == before


def test_signalling_its_own_group_ends_no_caller(
    jail: JailedVenv, plain: Path, terminal: Terminal
) -> None:
    """A script goes on; without a jail it is ended, being in the group itself."""
    code = "import os, signal; os.kill(0, signal.SIGTERM)"
    for python, said in ((plain, "Terminated"), (jail.bin / "python", "went on")):
        run(terminal, python, code, "2>/dev/null", name="kill.py")
        terminal.expect(PROMPT)
        terminal.type(f"sh -c '{python} kill.py; echo went'' on'")
        terminal.expect(said)
        terminal.expect(PROMPT)


def test_output_of_what_goes_on_is_lost(
    jail: JailedVenv, terminal: Terminal, project: Path
) -> None:
    """As with sudo(8): the terminal that it had is gone with the command."""
    for name in ("later", "ended"):
        (project / name).unlink(missing_ok=True)
    os.mkfifo(project / "later")
    code = (
        "import os\n"
        "if os.fork(): os._exit(0)\n"
        "open('later').read()\n"
        "try: os.write(1, b'lost')\n"
        "except OSError as error: open('ended', 'w').write(error.strerror)\n"
    )
    run(terminal, jail.bin / "python", code)
    assert terminal.status() == "0"
    (project / "later").write_text("go", encoding="utf-8")
    ended = project / "ended"
    eventually(lambda: ended.exists() and ended.read_text(), "it went on")
    assert ended.read_text() == "Input/output error"
