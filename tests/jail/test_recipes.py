"""docs/recipes.md, where the tools themselves cannot be had: by stand-ins that do what they do."""

import json
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from tests.support.home import TREE, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import Shell, configured, user_config
from tests.support.namespaces import OWN_RUN, in_namespaces
from tests.support.requirements import require
from venvjail.walls import landlock

RECIPES = (TREE / "docs/recipes.md").read_text(encoding="utf-8")

#: Connects to a path socket, or as libxcb does: to the abstract one of that name before.
CONNECT = """
import errno, socket, sys
kind, path = sys.argv[1:]
names = ["\\0" + path, path] if kind == "x11" else [path]
for name in names:
    try:
        socket.socket(socket.AF_UNIX).connect(name)
    except OSError as error:
        end = errno.errorcode[error.errno]
        if end not in ("ENOENT", "ECONNREFUSED"):
            break
    else:
        end = "connected"
        break
print(end)
"""

#: Speaks by its standard streams as a debug adapter does, and names what it runs in.
ADAPTER = """
import json, os, sys
head = sys.stdin.readline()
assert json.loads(head)["command"] == "initialize"
print(json.dumps({"jail": os.environ.get("VENVJAIL"), "ssh": os.path.exists(
    os.path.expanduser("~/.ssh")), "helper": __file__}))
"""


def test_an_editor_with_helpers_in_the_home(own_jail: JailedVenv) -> None:
    """VS Code: ``venv/bin/python EXTENSION/…/debugpy/adapter``, a directory with a __main__."""
    home = own_jail.home
    name = ".vscode/extensions/ms-python.debugpy-2025.1.0/bundled/libs/debugpy/adapter"
    adapter = home.write(f"{name}/__main__.py", ADAPTER).parent
    command = [own_jail.bin / "python", adapter]
    ask = json.dumps({"command": "initialize"}) + "\n"
    hidden = home.run(command, stdin=ask)
    assert hidden.returncode == 2
    assert "to show it: venvjail allow" in hidden.stderr
    home.check([*VENVJAIL, "allow", own_jail.env, home.root / ".vscode/extensions"])
    told = json.loads(home.check(command, stdin=ask))
    assert told == {
        "jail": str(own_jail.env),
        "ssh": False,
        "helper": f"{adapter}/__main__.py",
    }


def test_attaching_within_one_shell(jail: JailedVenv) -> None:
    """And not from one command to another."""
    require(shutil.which("strace") is not None, "strace is not installed")
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    require(not scope.exists() or scope.read_text().strip() == "0", "Yama allows children only")
    require(landlock.usable(), "the kernel has no Landlock")
    attach = "strace -o /dev/null -p"
    shell = Shell(jail)
    shell.run("mkfifo said; sleep 60 & sleeping=$!")
    shell.run(f"{attach} $sleeping 2>said & exec 3<said")
    assert "attached" in shell.run("head -n 1 <&3")
    shell.run("kill $!; wait $!")
    sleeping = shell.run("echo $sleeping").strip()
    other = jail.run(["sh", "-c", f"{attach} {sleeping}"])
    assert "Operation not permitted" in other.stderr
    shell.run("kill $sleeping; rm said")
    shell.close()


def test_the_hook_of_pre_commit(own_jail: JailedVenv) -> None:
    """As the page writes it: what is to be committed is checked, in the jail."""
    home = own_jail.home
    lines = [line for line in RECIPES.splitlines() if ">.git/hooks/pre-commit" in line]
    [write] = lines
    home.check(["bash", "-c", write.removeprefix("$ ")])
    (home.project / ".git/hooks/pre-commit").chmod(0o755)
    stub = (
        "#!/bin/sh\nls -d ~/.ssh 2>&1\n"
        'echo "$@"; for file; do case $file in *bad*) exit 1;; esac; done\n'
    )
    own_jail.check(
        ["sh", "-c", 'cat >"$0" && chmod +x "$0"', own_jail.bin / "pre-commit"], stdin=stub
    )
    home.write("src/proj/good one.py", "1\n")
    home.check(["git", "add", "good one.py"])
    done = home.run(["git", "commit", "--quiet", "--message=Add"])
    assert done.returncode == 0, done.stderr
    assert "run --files good one.py" in done.stdout + done.stderr
    assert "No such file" in done.stdout + done.stderr
    home.write("src/proj/bad.py", "1\n")
    home.check(["git", "add", "bad.py"])
    assert home.run(["git", "commit", "--quiet", "--message=Add"]).returncode != 0


@pytest.mark.parametrize(("mode", "end"), [("none", "connected"), ("host", "EPERM")])
def test_an_x_server(jail: JailedVenv, mode: str, end: str) -> None:
    """It listens at a path in /tmp and at an abstract name; as libxcb connects."""
    require(landlock.abi() >= 6, "the kernel's Landlock knows no abstract sockets")
    directory = Path(tempfile.mkdtemp(prefix="vjx", dir="/tmp"))
    path = directory / "X9"
    with socket.socket(socket.AF_UNIX) as by_path, socket.socket(socket.AF_UNIX) as by_name:
        by_path.bind(str(path))
        by_name.bind(f"\0{path}")
        for listener in (by_path, by_name):
            listener.listen()
        closed = jail.python(CONNECT, "path", path)
        assert closed == "ENOENT"
        text = f'[filesystem]\nwritable = ["{path}"]\n[network]\nmode = "{mode}"\n'
        with configured(jail, text):
            assert jail.python(CONNECT, "x11", path) == end
    shutil.rmtree(directory)


def test_a_wayland_compositor(home: FakeHome) -> None:
    """Its socket is in the session's runtime directory, the rest of which stays the jail's own."""
    directory = f"/run/user/{os.getuid()}"
    serve = (
        "import os, socket, subprocess, sys\n"
        "os.umask(0o077)\n"
        f"os.makedirs({directory!r})\n"
        "servers = []\n"
        "for name in ('wayland-0', 'bus'):\n"
        "    servers.append(socket.socket(socket.AF_UNIX))\n"
        f"    servers[-1].bind(f'{directory}/{{name}}')\n"
        "    servers[-1].listen()\n"
        "sys.exit(subprocess.run(sys.argv[1:]).returncode)\n"
    )
    before = [*in_namespaces(OWN_RUN), "/usr/bin/python3", "-c", serve]
    with JailedVenv(home) as jail:
        user_config(home, f'[run]\nallow = ["{directory}/wayland-0"]\n')
        look = [jail.bin / "python", "-c", CONNECT, "path"]
        shown = f"{directory}/wayland-0"
        hidden = f"{directory}/bus"
        control = ["/usr/bin/python3", "-c", CONNECT, "path", hidden]
        for command, end in (
            ([*look, shown], "connected\n"),
            ([*look, hidden], "ENOENT\n"),
            (control, "connected\n"),
        ):
            assert home.check([*before, *command]) == end
            jail.stop()


def test_devices_by_pattern(jail: JailedVenv) -> None:
    """/dev/net/tun in the place of /dev/nvidia*: it is on most machines."""
    require(os.path.exists("/dev/net/tun"), "there is no /dev/net/tun")
    assert jail.run(["test", "-e", "/dev/net/tun"]).returncode == 1
    with configured(jail, '[dev]\nallow = ["/dev/ne*", "/dev/nvidia*", "/dev/dri"]\n'):
        jail.check(["test", "-c", "/dev/net/tun"])
