"""Secrets of the environment: ESCAPES 20."""

import json
import os
from pathlib import Path

from tests.support.home import SECRET, FakeHome
from tests.support.jail import JailedVenv

SYSTEM_PYTHON = "/usr/bin/python3"

SECRETS = {
    name: f"{name}={SECRET}"
    for name in (
        *("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "DATABASE_PASSWORD", "OPENAI_API_KEY"),
        *("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "npm_config__auth"),
    )
}

#: Where the secret turns up: in the own environment, and in that of any process.
SEARCH = """
import json, os, sys
secret = sys.argv[1][::-1]
places = [name for name, value in os.environ.items() if secret in value]
for pid in filter(str.isdecimal, os.listdir("/proc")):
    try:
        text = open(f"/proc/{pid}/environ", "rb").read()
    except OSError:
        continue
    if secret.encode() in text:
        places.append("a process")
print(json.dumps(sorted(set(places))))
"""
#: Backwards, so that the command line of the search is not what it finds.
WORD = SECRET[::-1]

READ_INIT = """
try:
    print(open("/proc/1/environ", "rb").read())
except OSError as error:
    print(error.strerror)
"""


def test_secrets_are_nowhere(home: FakeHome) -> None:
    """The venv is made, and its jail started, with them in the environment."""
    home.env.update(SECRETS)
    with JailedVenv(home) as venv:
        assert json.loads(venv.python(SEARCH, WORD)) == []
        assert json.loads(venv.check(["python", "-c", SEARCH, WORD])) == []
        assert venv.python(READ_INIT) == "Permission denied"
        assert venv.status is not None
        # Of which init has its environment; the title may have been written over it.
        supervisor = Path(f"/proc/{venv.status.supervisor}/environ").read_bytes()
        assert SECRET.encode() not in supervisor
        kept = [path for path in venv.state.rglob("*") if path.is_file()]
        assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
    found = json.loads(home.check([SYSTEM_PYTHON, "-c", SEARCH, WORD]))
    assert found == sorted([*SECRETS, "a process"])


def notices(venv: JailedVenv, **env: str) -> list[str]:
    """What a command prints on stderr, with ``env`` in its environment."""
    done = venv.home.run([venv.bin / "python", "-c", "pass"], env=env)
    assert done.returncode == 0
    assert SECRET not in done.stderr
    return done.stderr.splitlines()


def line(names: str, venv: JailedVenv) -> str:
    return (
        f"venvjail: withheld from the jail: {names} (said once; to pass one on, add it to keep in "
        f"the [environment] section of {venv.paths.config})"
    )


def test_it_is_said_once(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        assert notices(venv) == []
        assert notices(venv, GITHUB_TOKEN=SECRET) == [line("GITHUB_TOKEN", venv)]
        assert notices(venv, GITHUB_TOKEN=SECRET) == []
        venv.stop()
        assert notices(venv, GITHUB_TOKEN=SECRET) == []
        two = {"GITHUB_TOKEN": SECRET, "MY_PASSWORD": SECRET}
        assert notices(venv, **two) == [line("MY_PASSWORD", venv)]
        # A name is text of whoever started the program.
        assert notices(venv, **{"\x1b[2J_TOKEN": SECRET}) == [line("\\x1b[2J_TOKEN", venv)]


def test_it_can_be_silent(home: FakeHome) -> None:
    home.write(".dirjailconfig", "[jail]\nnotice = false\n")
    with JailedVenv(home) as venv:
        assert notices(venv, GITHUB_TOKEN=SECRET) == []


def test_it_is_not_said_to_nobody(home: FakeHome) -> None:
    """What pip's installation in the jail prints is not shown."""
    home.env["GITHUB_TOKEN"] = SECRET
    with JailedVenv(home, options=()) as venv:
        assert notices(venv) == [line("GITHUB_TOKEN", venv)]


def test_what_was_said_is_believed_only_from_a_file(home: FakeHome) -> None:
    """Damaged, a fifo or a link: it is said again, and nothing waits or is overwritten."""
    with JailedVenv(home) as venv:
        said = venv.state / "withheld.json"
        for make in (
            lambda: said.write_text("no JSON"),
            lambda: said.write_text('{"a": 1}'),
            lambda: os.mkfifo(said),
            lambda: said.symlink_to(home.root / ".gitconfig"),
        ):
            said.unlink(missing_ok=True)
            make()
            assert notices(venv, GITHUB_TOKEN=SECRET) == [line("GITHUB_TOKEN", venv)]
        assert (home.root / ".gitconfig").read_text().startswith("[user]")
