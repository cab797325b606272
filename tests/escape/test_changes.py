"""ESCAPES 6 and 26: what no guard covers is said, and covered from the next jail on."""

from pathlib import Path

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.mounts import poll
from venvjail.serving.changes import QUICK


def ended(venv: JailedVenv) -> None:
    poll(lambda: venv.status is None, "the jail ends although its linger is a minute")


def test_what_appears_is_said_once_and_guarded_then(home: FakeHome) -> None:
    (home.project / "sub").mkdir()
    planted = home.project / "sub/.git"
    with JailedVenv(home) as venv:
        done = venv.run(["mkdir", planted])
        assert done.returncode == 0
        line = f"venvjail: appeared while the jail ran: {planted}; your own tools may run"
        assert done.stderr.startswith(line)
        again = venv.run(["touch", planted / "config"])
        assert again.returncode != 0
        assert "appeared" not in again.stderr


def test_kinds(home: FakeHome) -> None:
    (home.project / "sub").mkdir()
    with JailedVenv(home) as venv:
        for make, named in (
            ('mkdir "$1/.vscode"', ".vscode"),
            ('touch "$1/.envrc"', ".envrc"),
            ('mkdir "$1/env" && touch "$1/env/pyvenv.cfg"', "env"),
            ('mkdir -p "$1/bare/objects" "$1/bare/refs" && touch "$1/bare/HEAD"', "bare"),
            ('ln -s "$1/env" "$1/link"', "link"),
        ):
            done = venv.run(["sh", "-c", make, "sh", home.project / "sub"])
            assert f"ran: {home.project / 'sub' / named};" in done.stderr
        assert venv.run(["mkdir", home.project / "sub/src"]).stderr == ""


def test_what_a_last_process_leaves_is_said_at_the_next_start(home: FakeHome) -> None:
    (home.project / "sub").mkdir()
    with JailedVenv(home) as venv:
        later = '(while [ ! -e "$2" ]; do :; done; mkdir "$1") >/dev/null 2>&1 &'
        planted, signal = home.project / "sub/.git", home.project / "signal"
        assert venv.run(["sh", "-c", later, "sh", planted, signal]).stderr == ""
        signal.touch()
        poll(planted.exists, "the process in the background makes it")
        venv.stop()
        assert f"appeared while the jail ran: {planted};" in venv.run(["true"]).stderr
        assert venv.run(["true"]).stderr == ""


def test_names_are_escaped(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        evil = home.project / "a\x1b]0;b\x07\nc\u009bd"
        done = venv.run(["mkdir", "-p", evil / ".git"])
        assert "\\x1b]0;b\\x07\\nc\\x9bd/.git" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_guarded_file_that_the_host_replaces(home: FakeHome) -> None:
    # As an editor saves: the kernel takes the mount away with the old file.
    guarded = home.write("src/proj/.envrc", "old\n")
    with JailedVenv(home) as venv:
        assert venv.run(["sh", "-c", 'echo x >"$1"', "sh", guarded]).returncode != 0
        fresh = home.write("src/proj/.envrc.new", "new\n")
        fresh.rename(guarded)
        done = venv.run(["sh", "-c", 'echo x >"$1"', "sh", guarded])
        assert done.returncode != 0
        assert "Read-only file system" in done.stderr
        assert guarded.read_text() == "new\n"


def test_replaced_while_a_program_runs(home: FakeHome) -> None:
    guarded = home.write("src/proj/.envrc", "old\n")
    with JailedVenv(home) as venv:
        venv.check(["sh", "-c", "sleep 1000 >/dev/null 2>&1 &"])
        home.write("src/proj/.envrc.new", "new\n").rename(guarded)
        # A jail in which something runs goes on, and the user knows.
        assert "was replaced or removed on the host" in venv.run(["true"]).stderr
        assert venv.run(["true"]).stderr == ""
        assert venv.status is not None
        venv.check(["pkill", "sleep"])
        ended(venv)
        assert venv.run(["sh", "-c", 'echo x >"$1"', "sh", guarded]).returncode != 0


def test_a_program_of_another_venv_replaced_by_the_user(home: FakeHome) -> None:
    plain = Path(home.project / "plain")
    home.check(["/usr/bin/python3", "-m", "venv", "--without-pip", plain])
    with JailedVenv(home) as venv:
        venv.python("")
        home.check(["rm", "-r", plain])
        home.check(["/usr/bin/python3", "-m", "venv", "--without-pip", plain])
        assert venv.run(["touch", plain / "bin/python3"]).returncode != 0


def test_a_second_name_of_what_appeared(home: FakeHome) -> None:
    (home.project / "sub").mkdir()
    with JailedVenv(home) as venv:
        make = 'mkdir "$1/.claude"; echo fine >"$1/.claude/x"; ln "$1/.claude/x" "$1/y"'
        done = venv.run(["sh", "-c", make, "sh", home.project / "sub"])
        assert f"ran: {home.project / 'sub/.claude'}, {home.project / 'sub/y'};" in done.stderr
        ended(venv)
        write = ["sh", "-c", 'echo evil >"$1"', "sh"]
        # The control is a file that nothing guards.
        assert venv.run([*write, home.project / "sub/z"]).returncode == 0
        refused = venv.run([*write, home.project / "sub/y"])
        assert "Read-only file system" in refused.stderr
        assert (home.project / "sub/.claude/x").read_text() == "fine\n"


def test_a_large_project_is_searched_when_nobody_waits(home: FakeHome) -> None:
    """The command's end is not held up; the jail ends for it, and the next one says what it was.

    A search goes on from the jail's start, in which the command comes and goes.
    """
    for number in range(3 * QUICK):
        (home.project / f"sub/{number}").mkdir(parents=True)
    planted = home.project / "sub/.git"
    with JailedVenv(home) as venv:
        done = venv.run(["mkdir", planted])
        assert (done.returncode, done.stderr) == (0, "")
        ended(venv)
        assert f"appeared while the jail ran: {planted};" in venv.run(["true"]).stderr
