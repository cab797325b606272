"""Usage: alarms.py [PACKAGE...].  Does an alarm mean something, or do honest packages raise it?

Installs and imports the most-used packages of the index, one after the other, in a jail whose
home has something at every place that venvjail knows as sensitive.  Prints each line that was told
and each sensitive place that was looked for.  Needs the index; runs as an ordinary user.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from venvjail.config.sensitive import SENSITIVE

#: The most downloaded of the index (hugovk.dev/top-pypi-packages), the module where it has another
#: name.  Left out: what only another of them is a part of.
_NAMES = """
boto3 botocore urllib3 requests certifi charset-normalizer:charset_normalizer idna packaging
typing-extensions:typing_extensions setuptools python-dateutil:dateutil aiobotocore s3transfer six
pyyaml:yaml numpy cryptography fsspec s3fs cffi pycparser pydantic attrs:attr click pandas
protobuf:google.protobuf pip jmespath rsa pyasn1 importlib-metadata:importlib_metadata markupsafe
zipp jinja2 pytz wheel platformdirs pyjwt:jwt colorama pluggy virtualenv google-auth:google.auth
filelock cachetools awscli google-api-core:google.api_core pytest rich sqlalchemy httpx
"""


def run(command: list[str | Path]) -> str:
    """Run a command; what venvjail told of it."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"FAILED ({done.returncode}): {command}\n{done.stderr}")
    return "".join(
        line for line in done.stderr.splitlines(keepends=True) if line.startswith("venvjail: ")
    )


def try_package(venv: Path, name: str) -> None:
    """Install and import one package, and print what was told."""
    distribution, _, module = name.partition(":")
    options = ("--quiet", "--disable-pip-version-check")
    pip: list[str | Path] = [venv / "bin/pip", "install", *options, distribution]
    told = {"install": run(pip)}
    told["import"] = run([venv / "bin/python", "-c", f"import {module or distribution}"])
    for step, line in told.items():
        if line:
            print(f"{step} {distribution}: {line}", end="", flush=True)


def main() -> None:
    """Make the home and the venv, and try each package."""
    packages = sys.argv[1:] or _NAMES.split()
    command: list[str | Path] = [sys.executable, "-m", "venvjail"]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        home = Path(directory, "home")
        for place in SENSITIVE:
            (home / place.path).mkdir(parents=True, exist_ok=True)
        os.environ["HOME"] = str(home)
        venv = home / "proj/venv"
        venv.parent.mkdir()
        os.chdir(venv.parent)
        subprocess.run([*command, venv], check=True, stdout=subprocess.DEVNULL)
        try:
            for name in packages:
                try_package(venv, name)
            log = [*command, "log", "--sensitive", "--json", venv]
            rows = subprocess.run(log, check=True, capture_output=True, text=True).stdout
            print(f"{len(packages)} packages; sensitive places that were looked for:")
            for row in map(json.loads, rows.splitlines()):
                print(f"  {row['path']}  {row['count']}  {row['command'][:160]}")
        finally:
            subprocess.run([*command, "remove", "--yes", venv], stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
