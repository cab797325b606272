"""What jailed programs are refused, as `venvjail log` shows it and as commands are told."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.waiting import eventually
from venvjail import client
from venvjail.audit.store import read
from venvjail.config import toml

READ = "import os, sys\nfor path in sys.argv[1:]:\n    os.path.exists(path)\n"


def log(jail: JailedVenv, *options: str) -> list[dict[str, Any]]:
    lines = jail.home.check([*VENVJAIL, "log", jail.env, "--json", *options]).splitlines()
    return [json.loads(line) for line in lines]


def cleared(jail: JailedVenv) -> JailedVenv:
    jail.check(["true"])
    jail.home.check([*VENVJAIL, "log", jail.env, "--clear"])
    assert log(jail) == []
    return jail


def looking(jail: JailedVenv, *names: str) -> "subprocess.CompletedProcess[str]":
    """``venv/bin/python`` that asks whether the names of the home exist."""
    paths = [jail.home.root / name for name in names]
    done = jail.home.run([jail.bin / "python", "-c", READ, *paths])
    assert done.returncode == 0, done
    return done


def test_a_refusal_says_who_what_and_when(jail: JailedVenv) -> None:
    cleared(jail)
    jail.run(["cat", jail.home.root / "docs/letter.txt"])
    [row] = log(jail)
    assert row["path"] == str(jail.home.root / "docs")
    assert row["command"] == f"cat {jail.home.root}/docs/letter.txt"
    assert row["exe"] == os.path.realpath("/bin/cat")
    assert (row["operation"], row["verdict"]) == ("lookup", "hidden")
    assert 1 < row["pid"] < row["host_pid"]
    assert row["first"] <= row["time"]
    assert (row["sensitive"], row["exists"], row["kind"]) == (False, True, "")


def test_each_kind_of_refusal(jail: JailedVenv) -> None:
    cleared(jail)
    script = "echo x >>~/.bashrc; mkdir ~/own; cat /proc/kallsyms; ls ~/.ssh; true"
    jail.run(["sh", "-c", script])
    found = {(row["verdict"], row["path"]) for row in log(jail)}
    home = jail.home.root
    assert found >= {
        ("read-only", f"{home}/.bashrc"),
        ("redirected", f"{home}/own"),
        ("denied", "/proc/kallsyms"),
        ("hidden", f"{home}/.ssh"),
    }
    jail.check(["rmdir", home / "own"])


def test_every_program_that_looks_is_recorded(jail: JailedVenv) -> None:
    """Not only the first within the time that the kernel remembers names."""
    cleared(jail)
    jail.run(["sh", "-c", "cat ~/.ssh/id_rsa; head ~/.ssh/id_rsa; tail ~/.ssh/id_rsa"])
    programs = {os.path.basename(row["exe"]) for row in log(jail, "--sensitive")}
    assert programs == {"cat", "head", "tail"}


def test_many_looks_are_one_row(jail: JailedVenv) -> None:
    cleared(jail)
    looking(jail, *["docs"] * 50)
    [row] = log(jail)
    assert row["count"] == 50


def test_selections(jail: JailedVenv) -> None:
    cleared(jail)
    jail.run(["sh", "-c", "cat ~/.aws/credentials; head ~/docs/letter.txt"])
    assert [row["kind"] for row in log(jail, "--sensitive")] == ["AWS credentials"]
    assert [row["path"][-5:] for row in log(jail, "--command", "HEAD ")] == ["/docs"]
    assert len(log(jail, "--since", "1h")) == 2
    assert log(jail, "--since", "2999-01-01") == []
    done = jail.home.run([*VENVJAIL, "log", jail.env, "--since", "yore"])
    assert done.returncode == 2
    assert done.stderr.startswith("venvjail: yore: is not a time; write ")


def test_the_table_is_plain_text_in_a_pipe(jail: JailedVenv) -> None:
    cleared(jail)
    jail.run(["cat", jail.home.root / ".ssh/id_rsa"])
    heading, row = jail.home.check([*VENVJAIL, "log", jail.env]).splitlines()
    assert heading.split() == [
        *("TIME", "VERDICT", "OPERATION", "PATH", "COUNT", "SENSITIVE", "COMMAND"),
    ]
    assert "SSH keys" in row
    assert "\x1b" not in heading + row


def test_escape_sequences_are_shown_not_obeyed(jail: JailedVenv) -> None:
    cleared(jail)
    looking(jail, "docs/\x1b]0;evil\x07\n")
    table = jail.home.check([*VENVJAIL, "log", jail.env])
    assert "\x1b" not in table
    assert "\\x1b]0;evil\\x07" in table


@pytest.fixture
def follower(jail: JailedVenv) -> Iterator["subprocess.Popen[str]"]:
    cleared(jail)
    argv = [*VENVJAIL, "log", jail.env, "--follow", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=jail.home.env) as process:
        yield process
        process.kill()


def test_following(jail: JailedVenv, follower: "subprocess.Popen[str]") -> None:
    assert follower.stdout is not None
    for name in ("docs", ".ssh", "docs"):
        looking(jail, name)
        assert json.loads(follower.stdout.readline())["path"] == str(jail.home.root / name)
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 130


def test_a_crash_of_the_supervisor_loses_less_than_a_second(own_jail: JailedVenv) -> None:
    looking(own_jail, ".ssh")
    status = own_jail.status
    assert status is not None
    eventually(lambda: read(own_jail.paths.audit), "a batch", seconds=1)
    os.kill(status.supervisor, signal.SIGKILL)
    eventually(lambda: client.status(own_jail.paths) is None, "the end of the jail")
    assert [row["path"] for row in log(own_jail)] == [str(own_jail.home.root / ".ssh")]


# -- told at once ----------------------------------------------------------------------------


def test_a_command_that_looked_for_secrets_is_told_of(jail: JailedVenv) -> None:
    done = looking(jail, ".ssh/id_rsa", ".aws/credentials", "docs/letter.txt")
    assert done.stderr == (
        "venvjail: the command looked for ~/.ssh (SSH keys) and ~/.aws (AWS credentials), "
        f"which the jail hides; see: venvjail log --sensitive {jail.env}\n"
    )


def test_of_what_it_started_too(jail: JailedVenv) -> None:
    code = "import subprocess; subprocess.run(['sh', '-c', 'ls ~/.ssh'], capture_output=True)"
    done = jail.home.run([jail.bin / "python", "-c", code])
    assert "looked for ~/.ssh" in done.stderr


def test_of_what_left_it_with_the_next(own_jail: JailedVenv) -> None:
    fifo = own_jail.home.project / "go"
    os.mkfifo(fifo)
    script = "(setsid sh -c 'cat go; ls ~/.ssh' >/dev/null 2>&1 &) &"
    assert own_jail.run(["sh", "-c", script]).stderr == ""
    fifo.write_text("now", encoding="utf-8")
    eventually(
        lambda: "a background process looked for ~/.ssh" in own_jail.run(["true"]).stderr,
        "the line",
    )


def test_other_refusals_are_silent(jail: JailedVenv) -> None:
    assert looking(jail, "docs/letter.txt", ".gitconfig", ".config/absent").stderr == ""


def test_habits_are_silent(own_jail: JailedVenv) -> None:
    own_jail.home.write(".netrc", "machine example.org password x\n")
    assert looking(own_jail, ".netrc").stderr == ""
    assert [row["kind"] for row in log(own_jail, "--sensitive")] == ["passwords of hosts"]


def test_a_collector_of_what_is_not_there(jail: JailedVenv) -> None:
    done = looking(jail, ".bitcoin", ".mozilla", ".kube/config")
    assert "none of which you have" in done.stderr
    assert looking(jail, ".kube/config").stderr == ""


def test_silent_by_config(own_jail: JailedVenv) -> None:
    own_jail.home.write(".dirjailconfig", "[jail]\nnotice = false\n")
    assert looking(own_jail, ".ssh/id_rsa").stderr == ""
    assert len(log(own_jail, "--sensitive")) == 1
    own_jail.home.write(".dirjailconfig", '[audit]\nexpected = [".ssh"]\nsensitive = ["docs"]\n')
    assert looking(own_jail, ".ssh/id_rsa").stderr == ""
    assert "~/docs (a secret of yours)" in looking(own_jail, "docs").stderr


def test_the_new_keys_are_in_the_effective_config(own_jail: JailedVenv) -> None:
    own_jail.home.write(".dirjailconfig", '[audit]\nsensitive = ["docs"]\n')
    told = own_jail.home.check([*VENVJAIL, "config", own_jail.env])
    assert toml.loads(told)["audit"] == {"sensitive": ["docs"], "expected": []}


def test_the_jail_cannot_touch_the_log(jail: JailedVenv) -> None:
    done = jail.run(["sh", "-c", f"echo x >{jail.paths.audit}; rm -f {jail.paths.audit}"])
    assert done.returncode != 0
    assert Path(jail.paths.audit).read_bytes().startswith(b"SQLite format 3")


# -- a command that failed -------------------------------------------------------------------


def test_a_hidden_argument_is_named_when_the_command_fails(jail: JailedVenv) -> None:
    letter = jail.home.root / "docs/letter.txt"
    line = (
        f"venvjail: {letter} exists, but the jail hides it; "
        f"to show it: venvjail allow {jail.env} {letter}\n"
    )
    for words in (["cat", letter], ["cat", "../../docs/letter.txt"], ["wc", f"--files={letter}"]):
        done = jail.run(words)
        assert done.returncode != 0
        assert done.stderr.endswith(line), done
    assert jail.home.run([jail.bin / "python", letter]).stderr.endswith(line)


def test_no_hint_where_there_is_none_to_give(jail: JailedVenv, home: FakeHome) -> None:
    assert "venvjail:" not in jail.run(["cat", "/nonexistent"]).stderr
    assert "venvjail:" not in jail.run(["false", "main.py", "/etc/passwd"]).stderr
    assert "venvjail:" not in jail.run(["echo", jail.home.root / "docs"]).stderr


def test_what_is_private_in_the_jail_is_named_too(own_jail: JailedVenv, tmp_path: Path) -> None:
    fresh = Path(f"/tmp/venvjail-test-{os.getpid()}")
    fresh.write_text("x")
    try:
        done = own_jail.run(["cat", fresh])
    finally:
        fresh.unlink()
    assert f"cp -r {fresh} {own_jail.tmp}/{fresh.name}" in done.stderr
