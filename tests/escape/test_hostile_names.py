"""ESCAPES 5: what a jail names its commands; nothing but entries comes of it on the host."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import SECRET, FakeHome
from tests.support.jail import JailedVenv
from tests.support.mounts import poll
from venvjail.bins import MAX_ENTRIES, NEW_SHELL

NAMES = (
    *("activate-new-shell", "ACTIVATE-new-shell", "activate", "--help", "-c", ".hidden", "a\nb"),
    *("a\x1b[2Jb", "a\rb", "\u202egnp.exe", "a\u009bb", "con\x7f", "a\udcffb"),
)

PLANT = """
import os, sys
directory, *names = sys.argv[1:]
for name in names:
    path = os.path.join(directory, name)
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "w") as file:
        file.write("#!/bin/sh\\necho planted\\n")
    os.chmod(path, 0o755)
"""


@pytest.fixture
def venv(home: FakeHome) -> Iterator[JailedVenv]:
    with JailedVenv(home) as venv:
        yield venv


def test_no_such_name_comes_to_the_host(venv: JailedVenv) -> None:
    before = contents(venv.bin)
    venv.python(PLANT, venv.bin, *NAMES, "good")
    assert set(os.listdir(venv.state / "bin")) >= {*NAMES, "good"}
    after = contents(venv.bin)
    assert after == {**before, "good": before["python"]}
    assert venv.home.check([venv.bin / "good"]) == "planted\n"
    # The control: on the host each of them is a name like any other.
    directory = venv.home.root / "names"
    directory.mkdir()
    venv.home.check(["/usr/bin/python3", "-c", PLANT, directory, *NAMES])
    assert set(os.listdir(directory)) == set(NAMES)


def test_arguments_reach_the_program(venv: JailedVenv) -> None:
    arguments = ["--help", "-c", "--", "-", "", "a\nb", "--version", "-I"]
    echo = '#!/bin/sh\nfor a in "$@"; do printf \'<%s>\' "$a"; done\n'
    (venv.state / "bin/echoes").write_text(echo)
    (venv.state / "bin/echoes").chmod(0o755)
    venv.python("")
    expected = "".join(f"<{argument}>" for argument in arguments)
    assert venv.home.check([venv.bin / "echoes", *arguments]) == expected


def test_what_a_name_stands_for_is_never_opened_on_the_host(venv: JailedVenv) -> None:
    secret = venv.home.root / ".ssh/id_rsa"
    venv.python(
        "import os, sys; os.chdir(sys.argv[1]);"
        "os.symlink(sys.argv[2], 'out'); os.symlink('/bin/ls', 'ls'); os.mkfifo('fifo', 0o755);"
        "os.mkdir('directory'); os.symlink('loop', 'loop'); os.symlink('../bin', 'up')",
        venv.bin,
        secret,
    )
    names = set(os.listdir(venv.bin))
    assert names >= {"out", "ls", "loop"}
    assert not names & {"fifo", "directory"}
    entry = (venv.bin / "python").read_bytes()
    for name in names - {NEW_SHELL}:
        assert stat.S_ISREG((venv.bin / name).lstat().st_mode)
        assert (venv.bin / name).read_bytes() == entry
    assert SECRET not in venv.home.run([venv.bin / "out"]).stderr
    assert ".ssh" not in venv.home.check([venv.bin / "ls", "-A", venv.home.root])
    assert ".ssh" in venv.home.check(["/bin/ls", "-A", venv.home.root])


def test_python_gone_or_a_directory(venv: JailedVenv) -> None:
    entry = (venv.bin / "python").read_bytes()
    remove = 'rm "$1"/python* && mkdir "$1"/python && touch "$1"/python/x'
    venv.check(["sh", "-c", remove, "sh", venv.bin])
    assert (venv.bin / "python").read_bytes() == entry
    done = venv.home.run([venv.bin / "python", "-c", "print('unjailed')"])
    assert (done.returncode, done.stdout) == (126, "")
    done = venv.home.run([venv.bin / "python3", "-c", "print('unjailed')"])
    assert (done.returncode, done.stdout) == (127, "")


def test_ten_thousand_names(venv: JailedVenv) -> None:
    names = "import os, sys; os.chdir(sys.argv[1])\nfor n in range(10000): "
    make = names + "os.symlink('/bin/true', f'n{n:05}')"
    venv.python(make, venv.bin, timeout=120)
    poll(lambda: len(os.listdir(venv.bin)) >= MAX_ENTRIES, "all entries are made", 60)
    entries = os.listdir(venv.bin)
    assert len(entries) <= MAX_ENTRIES + 8
    assert {"python", "python3", NEW_SHELL} <= set(entries)
    assert venv.python("print('well')") == "well"
    remove = names + "os.unlink(f'n{n:05}')"
    venv.python(remove, venv.bin, timeout=120)
    poll(lambda: len(os.listdir(venv.bin)) < 10, "they go again", 60)


def test_the_real_bin_as_a_whole_cannot_be_exchanged(venv: JailedVenv) -> None:
    for attack in (["mv", venv.bin, f"{venv.bin}.old"], ["rmdir", venv.bin]):
        assert venv.run(attack).returncode != 0
    assert (venv.state / "bin/python").exists()


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}
