"""The commands of ``venvjail`` that show, stop and run jails."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.mounts import poll
from venvjail.audit import store as audit
from venvjail.config import toml

#: A name with an escape sequence that clears a terminal, and what is printed for it.
EVIL, SHOWN_EVIL = "evil\x1b[2J", "evil\\x1b[2J"


@pytest.fixture
def sleeper(jail: JailedVenv) -> Iterator["subprocess.Popen[str]"]:
    """A command that runs in the jail: it says ``ready`` and ends when its stdin is closed."""
    program = "import sys; print('ready', flush=True); sys.stdin.read()"
    argv = [jail.bin / "python", "-c", program, EVIL]
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=jail.home.env,
        cwd=jail.home.project,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def venvjail(home: FakeHome, *words: str | Path) -> str:
    return home.check([*VENVJAIL, *words])


def refused(home: FakeHome, *words: str | Path) -> str:
    """The one line with which wrong usage is refused, with status 2."""
    done = home.run([*VENVJAIL, *words])
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("venvjail: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("venvjail: ").removesuffix("\n")


# -- the program itself --------------------------------------------------------------------


def test_help(shared_home: FakeHome) -> None:
    text = venvjail(shared_home, "--help")
    assert text == venvjail(shared_home, "-h")
    for command in ("run", "shell", "status", "ps", "stop", "remove", "log", "mount-debug"):
        assert f"\n  {command} " in text


def test_without_arguments_it_says_how_to_begin(shared_home: FakeHome) -> None:
    lines = shared_home.check([*VENVJAIL], cwd=shared_home.root).splitlines()
    assert lines[0] == "venvjail: Python virtual environments whose programs run in a jail."
    assert lines[2].split()[:2] == ["venvjail", "venv"]
    assert any(line.startswith("  venvjail doctor ") for line in lines)
    assert len(lines) < 12


def test_without_arguments_beside_a_venv_it_says_how_to_go_on(jail: JailedVenv) -> None:
    told = venvjail(jail.home)
    assert "  venv/bin/activate-new-shell  " in told
    assert "  venvjail log venv  " in told
    assert "venvjail venv" not in told


def test_version(shared_home: FakeHome) -> None:
    import pyfuse3

    import venvjail as package

    lines = venvjail(shared_home, "--version").splitlines()
    assert lines[:2] == [
        f"venvjail {package.__version__}",
        "Python {}.{}.{} ({})".format(*sys.version_info[:3], sys.executable),
    ]
    assert re.fullmatch(rf"pyfuse3 {pyfuse3.__version__}, libfuse 3\.\d+(\.\d+)?", lines[2])
    assert [line.split()[0] for line in lines[3:]] == ["trio", "click", "Linux"]
    assert os.uname().release in lines[-1]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run"], "missing argument 'VENV'; see: venvjail run --help"),
        (["log", "--jsn", "x"], "no such option"),
        (["status", "a", "b"], "got unexpected extra argument (b); see: venvjail status --help"),
        (["ps"], "missing argument 'VENV'; see: venvjail ps --help"),
        (["--nonsense"], "no such option"),
        (["statsu"], "statsu: no such command; did you mean status? To make a venv of that name: "),
        (["lgo", "venv"], "lgo: no such command; did you mean log? To make a venv of that name: "),
        (["ps", "no/where"], "no/where: is not a venvjail environment; create one with: "),
        (["run", "no/where", "ls"], "no/where: is not a venvjail environment; create one with: "),
        (
            ["ps", f"no/{EVIL}"],
            f"no/{SHOWN_EVIL}: is not a venvjail environment; create one with: ",
        ),
    ],
)
def test_wrong_usage(shared_home: FakeHome, words: list[str], line: str) -> None:
    assert refused(shared_home, *words).startswith(line)


def test_a_venv_misspelt(jail: JailedVenv) -> None:
    for typed in ("vnev", "./vnev/"):
        line = refused(jail.home, "ps", typed)
        shown = "./venv" if typed.startswith("./") else "venv"
        assert line == f"{typed}: is not a venvjail environment; did you mean {shown}?"


def test_no_command_is_missing_its_help(shared_home: FakeHome) -> None:
    for command in ("run", "shell", "config", "status", "ps", "stop", "remove", "log"):
        assert venvjail(shared_home, command, "--help").startswith(f"Usage: venvjail {command} ")


# -- run and shell -------------------------------------------------------------------------


def test_run_finds_commands_of_the_venv_first(jail: JailedVenv) -> None:
    code = "import sys; print(sys.prefix, sys.argv[1:])"
    line = jail.check(["python", "-c", code, "--yes", "--", "-x"])
    assert line == f"{jail.env} ['--yes', '--', '-x']\n"


def test_run_passes_the_status_on(jail: JailedVenv) -> None:
    assert jail.run(["sh", "-c", "exit 77"]).returncode == 77
    assert jail.run(["sh", "-c", "kill -TERM $$"]).returncode == -15


def test_run_without_the_two_dashes(jail: JailedVenv) -> None:
    assert venvjail(jail.home, "run", jail.env, "echo", "-n", "hello") == "hello"


def test_a_command_that_does_not_exist(jail: JailedVenv) -> None:
    done = jail.run([EVIL])
    assert (done.returncode, done.stderr) == (
        127,
        f"venvjail: {SHOWN_EVIL}: not found in the jail\n",
    )


def test_a_command_that_cannot_be_executed(jail: JailedVenv) -> None:
    done = jail.run(["/etc/passwd"])
    assert (done.returncode, done.stderr) == (126, "venvjail: /etc/passwd: Permission denied\n")


def test_a_venv_named_by_a_relative_path_from_within(jail: JailedVenv) -> None:
    done = jail.home.run([*VENVJAIL, "run", ".", "pwd"], cwd=jail.env)
    assert done.stdout == f"{jail.env}\n"


def test_shell(jail: JailedVenv) -> None:
    done = jail.home.run([*VENVJAIL, "shell", jail.env], stdin="echo $VIRTUAL_ENV; exit 7\n")
    assert (done.returncode, done.stdout) == (7, f"{jail.env}\n")


# -- config, status, ps, stop --------------------------------------------------------------


def test_config_shows_each_value_with_its_origin(jail: JailedVenv) -> None:
    jail.home.write(".dirjailconfig", '[home]\nallow = [".gitconfig"]\n')
    try:
        text = venvjail(jail.home, "config", jail.env)
    finally:
        (jail.home.root / ".dirjailconfig").unlink()
    config = toml.loads(text)
    assert config["project"]["path"] == str(jail.home.project)
    assert ".gitconfig" in config["home"]["allow"]
    origin = next(line for line in text.splitlines() if '".gitconfig"' in line)
    assert ".dirjailconfig:2" in origin


@pytest.mark.usefixtures("sleeper")
def test_status_of_one_and_of_all(jail: JailedVenv) -> None:
    one = venvjail(jail.home, "status", jail.env)
    lines = [line.strip() for line in one.splitlines()]
    assert lines[0] == str(jail.env)
    assert lines[1].split() == ["commands", "1"]
    assert lines[2].split() == ["processes", "1"]
    assert f"home       {jail.home.root} (new files in {jail.store})" in lines
    assert f"project    {jail.home.project}" in lines
    assert f"tmp        {jail.tmp}" in lines
    assert one.splitlines()[0] in venvjail(jail.home, "status").splitlines()


def test_status_of_a_venv_without_a_jail(jail: JailedVenv) -> None:
    jail.stop()
    done = jail.home.run([*VENVJAIL, "status", jail.env])
    assert (done.returncode, done.stdout) == (1, f"no jail of {jail.env} is running\n")


def test_many_ask_at_once(jail: JailedVenv) -> None:
    jail.check(["true"])
    argv = [*VENVJAIL, "status", jail.env]
    askers = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=jail.home.env)
        for _ in range(8)
    ]
    assert {asker.communicate(timeout=60)[0].splitlines()[0] for asker in askers} == {str(jail.env)}
    assert jail.status is not None


@pytest.mark.usefixtures("sleeper")
def test_ps_lists_init_and_the_jail_and_nothing_else(jail: JailedVenv) -> None:
    heading, *rows = venvjail(jail.home, "ps", jail.env).splitlines()
    assert heading.split() == ["PID", "JAIL", "PID", "COMMAND"]
    init, command = (row.split(None, 2) for row in rows)
    assert init[1:] == ["1", "venvjail: init"]
    assert command[2].endswith(SHOWN_EVIL)
    assert EVIL.encode() in Path(f"/proc/{command[0]}/cmdline").read_bytes()


def test_ps_lists_who_hides_from_tracing_and_who_was_orphaned(jail: JailedVenv) -> None:
    program = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
if os.fork() == 0:
    os.setsid()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
os.wait()
"""
    argv = [jail.bin / "python", "-c", program]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=jail.home.env
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        listed = venvjail(jail.home, "ps", jail.env)
        process.communicate(timeout=10)
    assert listed.count("PR_SET_DUMPABLE") == 2


def test_ps_crops_on_a_terminal_only(jail: JailedVenv, sleeper: "subprocess.Popen[str]") -> None:
    assert sleeper.poll() is None
    words = [str(word) for word in (*VENVJAIL, "ps", jail.env)]
    terminal = pexpect.spawn(
        words[0], words[1:], env=jail.home.env, cwd=str(jail.home.project), dimensions=(24, 60)
    )
    shown = terminal.read().decode().splitlines()
    terminal.close()
    assert all(len(line) <= 60 for line in shown)
    assert shown[-1].endswith("…")


def test_stop_ends_every_process(jail: JailedVenv) -> None:
    argv = [jail.bin / "python", "-c", "print('ready', flush=True); import time; time.sleep(600)"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=jail.home.env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert venvjail(jail.home, "stop", jail.env) == f"stopped: {jail.env}\n"
        assert process.wait(10) == -9
    assert jail.status is None
    assert venvjail(jail.home, "stop", jail.env) == f"not running: {jail.env}\n"


# -- log -----------------------------------------------------------------------------------


def test_log_has_what_was_refused_a_moment_ago(jail: JailedVenv) -> None:
    secret = jail.home.root / ".ssh/id_rsa"
    assert jail.run(["cat", secret]).returncode == 1
    lines = venvjail(jail.home, "log", jail.env, "--json").splitlines()
    found = next(r for r in map(json.loads, lines) if r["command"].startswith("cat"))
    assert found["path"] == str(secret.parent)
    assert found["verdict"] == "hidden"
    assert found["operation"] == "lookup"
    assert found["count"] >= 1
    assert found["command"] == f"cat {secret}"
    assert found["exe"].endswith("/cat")
    assert found["first"] <= found["time"]


def test_what_the_supervisor_still_holds_is_written_first(own_jail: JailedVenv) -> None:
    """It writes in batches: the first refusal at once, what follows within half a second."""
    own_jail.run(["sh", "-c", "cat ~/.aws/credentials; sleep 0.1; cat ~/.ssh/id_rsa"])
    assert own_jail.status is not None
    paths = {refusal.path for refusal in audit.read(own_jail.paths.audit)}
    assert {str(own_jail.home.root / name) for name in (".aws", ".ssh")} <= paths


def test_the_table_shows_every_path_whole(jail: JailedVenv) -> None:
    jail.check(["sh", "-c", 'cat ~/.aws/credentials "$1" || true', "sh", EVIL])
    piped = venvjail(jail.home, "log", jail.env).splitlines()
    columns = ["TIME", "VERDICT", "OPERATION", "PATH", "COUNT", "SENSITIVE", "COMMAND"]
    assert piped[0].split() == columns
    row = next(line for line in piped if line.endswith(SHOWN_EVIL))
    assert "  ~/.aws " in row
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "venvjail", "log", str(jail.env)],
        env=jail.home.env,
        cwd=str(jail.home.project),
        dimensions=(24, 80),
    )
    shown = terminal.read().decode()
    terminal.close()
    assert "  ~/.aws " in shown
    assert EVIL not in shown  # escape sequences are ours: colours, on a terminal only
    assert "\x1b" not in "".join(piped)


def test_log_of_a_venv_that_never_ran(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        expected = f"nothing was refused in the jail of {venv.env}\n"
        assert venvjail(home, "log", venv.env) == expected
        assert venvjail(home, "log", venv.env, "--json") == ""


def test_log_that_cannot_be_read(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        Path(venv.paths.audit).write_bytes(b"no database" * 100)
        assert "file is not a database" in refused(home, "log", venv.env)


def test_no_command_works_on_the_jail_from_within(jail: JailedVenv) -> None:
    done = jail.run([*VENVJAIL, "status", jail.env], env={"PYTHONPATH": os.getcwd()})
    assert done.returncode == 2
    assert done.stderr == (
        f"venvjail: already inside the jail of {jail.env}: leave it (exit) "
        "and run this on the host\n"
    )


def test_the_jail_ends_when_nothing_is_left(home: FakeHome) -> None:
    home.write(".dirjailconfig", "[jail]\nlinger = 0\n")
    with JailedVenv(home) as venv:
        venv.check(["true"])
        poll(lambda: venv.status is None, "the jail has ended")
