"""A shell in the jail, of each kind: jobs in it, and the terminal afterwards."""

import os
import re
import signal
import zipfile
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.pausing import PAUSE
from tests.support.processes import Process
from tests.support.terminal import PROMPT, Terminal
from tests.support.waiting import eventually

SHELLS = ["bash", "zsh", "fish"]
FILES = {
    ".bashrc": "alias hey='echo alias of bash'\nown() { echo function of bash $1; }\nPS1='in> '\n",
    ".zshrc": "alias hey='echo alias of zsh'\nown() { echo function of zsh $1; }\nPS1='in> '\n",
    ".config/fish/config.fish": (
        "alias hey 'echo alias of fish'\nfunction own; echo function of fish $argv[1]; end\n"
        "function fish_prompt; echo -n 'in> '; end\n"
    ),
    ".bash_aliases": (
        "alias hey='echo alias of dash'\nown() { echo function of dash $1; }\nPS1='in> '\n"
    ),
}


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> FakeHome:
    """A home with a file for each shell; that of dash has a name that the jail shows."""
    directory = tmp_path_factory.mktemp("shells")
    home = FakeHome(directory / "home", runtime=directory / "run")
    for name, content in FILES.items():
        home.write(name, content)
    return home


def enter(terminal: Terminal, jail: JailedVenv, shell: str, way: str = "") -> None:
    """From the outer bash into a jailed ``shell``, to its first prompt."""
    variables = f"SHELL=/usr/bin/{shell} ENV={jail.home.root}/.bash_aliases"
    if way:
        terminal.type(f"export {variables}")
        terminal.expect(PROMPT)
        variables = ""
    terminal.type(f"{variables} {way}{jail.bin}/activate-new-shell")
    terminal.expect(f"({jail.env.name}) in> ")


def outer_works(terminal: Terminal) -> None:
    """The outer shell has the terminal: it reads, it runs, and Ctrl-C reaches what it runs."""
    assert terminal.ask("echo ${VENVJAIL-outside}") == "outside"
    terminal.type("sh -c 'echo slee''ping; exec sleep 60'")
    terminal.expect("sleeping\r\n")
    terminal.press("c")
    terminal.expect(PROMPT)
    assert terminal.status() == "130"
    assert terminal.foreground() == terminal.leader.pid


@pytest.mark.parametrize("shell", [*SHELLS, "dash"])
def test_own_files_path_and_prompt(jail: JailedVenv, terminal: Terminal, shell: str) -> None:
    enter(terminal, jail, shell)
    assert terminal.ask("hey") == f"alias of {shell}"
    assert terminal.ask("own x") == f"function of {shell} x"
    assert terminal.ask("command -v python") == f"{jail.bin}/python"
    assert terminal.ask("printenv VIRTUAL_ENV") == str(jail.env)
    assert terminal.ask("ls -d ~/.ssh >/dev/null 2>/dev/null || echo hidden") == "hidden"
    terminal.type("exit")
    terminal.expect(PROMPT)
    outer_works(terminal)


@pytest.mark.parametrize("way", ["", ". "])
@pytest.mark.parametrize("shell", SHELLS)
def test_jobs_in_the_jailed_shell(
    jail: JailedVenv, terminal: Terminal, shell: str, way: str
) -> None:
    enter(terminal, jail, shell, way)
    program = f'print("rea" + "dy"); print(input(), {os.getpid()})'
    terminal.type(f"python -c '{program}'")
    terminal.expect("ready\r\n")
    terminal.press("z")
    terminal.expect("in> ")
    assert re.search("(?i)stopped|suspended", terminal.ask("jobs"))
    terminal.type("fg")
    terminal.match(r"fg[^\n]*\n[^\n]*(input)")
    terminal.wait_for_lines(program)
    terminal.type("a line")
    terminal.expect(f"a line\r\na line {os.getpid()}\r\n")
    terminal.expect("in> ")
    terminal.type(f'python -c \'print("rea" + "dy", flush=True); {PAUSE}\'')
    terminal.expect("ready\r\n")
    terminal.press("c")
    terminal.expect("KeyboardInterrupt")
    terminal.expect("in> ")
    # A program that was never started in this shell: the jail's own ps, by another way.
    terminal.type("sleep 60 &")
    terminal.expect("in> ")
    terminal.type("kill %1; wait; echo wai''ted")
    terminal.expect("waited\r\n")
    terminal.type("exit")
    terminal.expect(PROMPT)
    outer_works(terminal)


@pytest.mark.parametrize("way", ["", ". "])
@pytest.mark.parametrize("shell", SHELLS)
def test_terminal_after_the_jailed_shell_was_killed(
    jail: JailedVenv, terminal: Terminal, shell: str, way: str
) -> None:
    enter(terminal, jail, shell, way)
    variable = "$fish_pid" if shell == "fish" else "$$"
    terminal.type(f"kill -9 {variable}")
    terminal.expect("Killed")
    terminal.expect(PROMPT)
    outer_works(terminal)


@pytest.mark.parametrize("way", ["", ". "])
@pytest.mark.parametrize("shell", SHELLS)
def test_terminal_after_the_jail_was_stopped(
    jail: JailedVenv, terminal: Terminal, shell: str, way: str
) -> None:
    """Also while the shell has another program in the foreground, raw modes and all."""
    before = terminal.ask("stty -g")
    enter(terminal, jail, shell, way)
    code = 'import tty; tty.setraw(0); print("rea" + "dy", flush=True); input()'
    terminal.type(f"python -c '{code}'")
    terminal.expect("ready")
    jail.stop()
    terminal.expect("Killed")
    terminal.expect(PROMPT)
    assert terminal.ask("stty -g") == before
    outer_works(terminal)


def test_terminal_after_the_entry_was_killed(jail: JailedVenv, terminal: Terminal) -> None:
    enter(terminal, jail, "bash", ". ")
    group = terminal.ask("ps -o pgid= -p $$").split()[-1]
    assert group.isdigit()
    children = Path(f"/proc/{terminal.leader.pid}/task/{terminal.leader.pid}/children")
    entry = Process(int(children.read_text().split()[-1]))
    entry.kill(signal.SIGKILL)
    terminal.expect("Killed")
    terminal.expect(PROMPT)
    entry.close()
    outer_works(terminal)
    eventually(lambda: jail.status and not jail.status.entries, "the lease is given back")


@pytest.mark.parametrize("shell", [*SHELLS, "dash"])
def test_activate_is_a_no_op_and_deactivate_ends(
    jail: JailedVenv, terminal: Terminal, shell: str
) -> None:
    enter(terminal, jail, shell)
    before = terminal.ask("printenv PATH VIRTUAL_ENV VIRTUAL_ENV_PROMPT")
    suffix = ".fish" if shell == "fish" else ""
    terminal.type(f". {jail.bin}/activate{suffix} && echo acti''vated")
    terminal.expect("activated\r\n")
    terminal.expect("(venv) in> ")
    assert terminal.ask("printenv PATH VIRTUAL_ENV VIRTUAL_ENV_PROMPT") == before
    terminal.type("deactivate")
    terminal.expect(PROMPT)
    assert terminal.status() == "0"
    outer_works(terminal)


def test_activate_csh_is_a_no_op(jail: JailedVenv) -> None:
    done = jail.run(["csh", "-f", "-c", f"source {jail.bin}/activate.csh && which python"])
    assert (done.returncode, done.stdout) == (0, f"{jail.bin}/python\n")


def test_entries_appear_while_a_shell_stays_open(
    jail: JailedVenv, shared_home: FakeHome, terminal: Terminal
) -> None:
    """pip, in the jail, installs a script; within a second the host can run it, jailed."""
    jail.stop()  # no venv is made where a jail can write
    wheel = make_wheel(shared_home.project)
    with JailedVenv(shared_home, "piped", options=(), timeout=110) as piped:
        enter(terminal, piped, "bash")
        terminal.type(f"pip install --no-index --no-deps {wheel} && echo instal''led")
        terminal.expect("installed\r\n")
        eventually((piped.bin / "greet").exists, "the entry is there", seconds=1)
        assert shared_home.check([piped.bin / "greet"]) == f"hello from {piped.env}\n"
        assert terminal.ask("greet") == f"hello from {piped.env}"
        terminal.type("pip uninstall -y greeter && echo remo''ved")
        terminal.expect("removed\r\n")
        eventually(lambda: not (piped.bin / "greet").exists(), "the entry is gone", seconds=1)
        terminal.type("exit")
        terminal.expect(PROMPT)


def make_wheel(directory: Path) -> Path:
    """A wheel with the console script ``greet``, made by hand: building one needs the index."""
    path = directory / "greeter-1-py3-none-any.whl"
    info = "greeter-1.dist-info"
    program = "import os\n\ndef main():\n    print('hello from', os.environ['VENVJAIL'])\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("greeter.py", program)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeter\nVersion: 1\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\ngreet = greeter:main\n")
        names = ["greeter.py", *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD"))]
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    return path
