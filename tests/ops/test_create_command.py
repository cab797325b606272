"""``venvjail ENV_DIR...`` as typed: its options, its words, its exit status."""

import os
import sys
import venv
from pathlib import Path

import pexpect
import pytest

from tests.support.home import FakeHome
from tests.support.pausing import PAUSE
from venvjail.creation.command import command

COMMAND = (sys.executable, "-m", "venvjail")


def test_every_option_of_venv_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        venv.main(["--help"])
    words = capsys.readouterr().out.replace(",", " ").replace("[", " ").replace("]", " ").split()
    theirs = {word for word in words if word.startswith("--") and len(word) > 2}
    ours = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert "--upgrade-deps" in theirs  # the parsing above works
    assert theirs <= ours
    assert {"--project", "--no-project", "--without-scm-ignore-files"} <= ours


def test_what_to_type_next(home: FakeHome) -> None:
    done = home.run([*COMMAND, "--without-pip", "my venv", str(home.root / "second")])
    assert (done.returncode, done.stderr) == (0, "")
    assert "  new shell   source 'my venv/bin/activate-new-shell'\n" in done.stdout
    assert "  or run      'my venv/bin/python'\n" in done.stdout
    assert f"  writable    {home.project} (the directory that holds the venv)\n" in done.stdout
    assert "  config      my venv/.venvjail/venvjail.toml\n" in done.stdout
    second = home.root / "second"
    assert f"  writable    only {second} ({home.root} is your home)\n" in done.stdout
    assert os.path.lexists(second / "bin/python")
    assert "\x1b" not in done.stdout


def test_control_characters_are_not_printed_raw(home: FakeHome) -> None:
    directory = home.project / "a\x1b[2Jb"
    directory.mkdir()
    done = home.run([*COMMAND, "--without-pip", "venv"], cwd=directory)
    assert (done.returncode, "\x1b" in done.stderr) == (2, False)
    assert "contains a control character" in done.stderr
    done = home.run([*COMMAND, "--without-pip", "--prompt", "x\x1b[2J", "venv"])
    assert (done.returncode, "\x1b" in done.stdout + done.stderr) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--copies", "--symlinks", "v"], "--symlinks and --copies exclude each other"),
        (["--clear", "--upgrade", "v"], "--upgrade and --clear exclude each other"),
        (["--nonsense", "v"], "no such option"),
        (["--without-pip"], "missing argument"),
        (["--project", "/", "v"], "--project /: contains your home"),
        (["a:b"], "separates directories in PATH"),
    ],
)
def test_wrong_usage_is_one_line(home: FakeHome, arguments: list[str], reason: str) -> None:
    done = home.run([*COMMAND, *arguments])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("venvjail: ")
    assert reason.lower() in done.stderr.lower()
    assert done.stderr.count("\n") == 1
    assert not os.path.lexists(home.project / "v")


def test_a_spinner_on_a_terminal(home: FakeHome) -> None:
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "--without-pip", "venv"],
        cwd=str(home.project),
        env=home.env,
        timeout=30,
        encoding="utf-8",
    )
    child.expect_exact("\x1b[?25l")  # the cursor is hidden while it turns
    child.expect_exact("creating ")
    child.expect_exact("\x1b[?25h")
    child.expect_exact("created venv")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_is_one_line(home: FakeHome, tmp_path: Path) -> None:
    # A step that does not end, and opens a FIFO when it has begun.
    os.mkfifo(tmp_path / "fifo")
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(
        "import venv\n"
        "def begin(*_):\n"
        f"    open({str(tmp_path / 'fifo')!r}).close()\n"
        f"    {PAUSE}\n"
        "venv.EnvBuilder.setup_python = begin\n",
        encoding="utf-8",
    )
    path = os.pathsep.join(filter(None, [str(slow), home.env.get("PYTHONPATH")]))
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "--without-pip", "venv"],
        cwd=str(home.project),
        env={**home.env, "PYTHONPATH": path, "TERM": "dumb"},
        timeout=30,
        encoding="utf-8",
    )
    # Opening for writing succeeds when the step has opened it for reading.
    writer = os.open(tmp_path / "fifo", os.O_WRONLY)
    child.sendintr()
    child.expect_exact("venvjail: interrupted: venv is incomplete; run the same command again")
    child.expect(pexpect.EOF)
    os.close(writer)
    child.close()
    assert child.exitstatus == 130
    assert "Traceback" not in child.before
    assert os.listdir(home.project / "venv/bin") == []
