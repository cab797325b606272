"""The source distribution and the wheel, and a jailed venv made from each kind of installation."""

import email
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.home import SECRET, TREE, FakeHome
from tests.support.jail import JailedVenv
from tests.support.requirements import require

_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "build", "dist", "*.egg-info")
DATA = {
    "share/bash-completion/completions/venvjail",
    "share/fish/vendor_completions.d/venvjail.fish",
    "share/man/man1/venvjail.1",
    "share/man/man5/venvjail.toml.5",
    "share/zsh/site-functions/_venvjail",
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution, and the wheel made from that."""
    directory = tmp_path_factory.mktemp("packaging")
    shutil.copytree(TREE, directory / "source", ignore=_LEFT_OUT)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", directory / "dist"]
    done = subprocess.run(
        command, cwd=directory / "source", capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SetuptoolsDeprecationWarning" not in done.stdout + done.stderr
    shutil.rmtree(directory / "source")
    return directory / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def code() -> set[str]:
    """Every module of the tree, and the marks of typed packages."""
    found = {path for name in ("venvjail", "fusefs") for path in (TREE / name).rglob("*.py")}
    found |= {TREE / name / "py.typed" for name in ("venvjail", "fusefs")}
    return {str(path.relative_to(TREE)) for path in found}


def test_the_wheel_has_all_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        described = email.message_from_bytes(archive.read(metadata))
    top = wheel.name.removesuffix("-py3-none-any.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert {name for name in names if not name.startswith(top)} == code()
    data = f"{top}.data/data/"
    assert {name.removeprefix(data) for name in names if name.startswith(data)} == DATA
    assert described["License-Expression"] == "Apache-2.0"
    assert any(needed.startswith("pyfuse3") for needed in described.get_all("Requires-Dist", ()))


def test_the_source_has_what_a_packager_needs(dist: Path) -> None:
    (source,) = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"README.md", "CHANGELOG.md", "LICENSE", "Makefile", "docs/config.md", "scripts/test"}
    wanted |= {"tests/conftest.py", "tests/support/home.py"}
    assert code() | DATA | wanted <= names


def with_dependencies(home: FakeHome, python: Path) -> None:
    """Let ``python`` find this interpreter's packages: pyfuse3 may have to be compiled."""
    home.env.pop("PYTHONPATH", None)
    site = "import site, sys; print(site.getusersitepackages() if sys.prefix == '/usr' else "
    site += "site.getsitepackages()[0])"
    directory = Path(home.check([python, "-c", site]).strip())
    directory.mkdir(parents=True, exist_ok=True)
    ours = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (directory / "dependencies.pth").write_text("\n".join(ours) + "\n", encoding="utf-8")


def pip(python: Path) -> list[str | Path]:
    """pip for ``python``, which need not have one: Debian's has none, for instance."""
    return [sys.executable, "-m", "pip", "--python", python]


def works(venv: JailedVenv) -> bool:
    """The jail is one, and where it has been made from cannot be seen in it, let alone changed."""
    assert venv.python("import sys; print(sys.prefix)") == str(venv.env)
    output = venv.check(["sh", "-c", "cat ~/.ssh/id_rsa ~/.bashrc || :; ls -A ~"])
    return SECRET not in output and ".local" not in output and "app" not in output


def test_pip_installs_venvjail(home: FakeHome, wheel: Path) -> None:
    """To install, run: pip install venvjail (in a venv of its own)."""
    app = home.root / "app"
    home.check([sys.executable, "-m", "venv", "--without-pip", app])
    with_dependencies(home, app / "bin/python")
    home.check([*pip(app / "bin/python"), "install", "--quiet", "--no-deps", wheel], timeout=100)
    assert (app / "share/man/man1/venvjail.1").exists()
    where = "import venvjail, fusefs; print(venvjail.__file__, fusefs.__file__)"
    places = home.check([app / "bin/python", "-c", where]).split()
    assert all(place.startswith(str(app)) for place in places)
    home.check([app / "bin/venvjail", "--without-pip", "first"])
    with JailedVenv(home, "venv", python=app / "bin/python") as venv:
        assert works(venv)
        assert home.check([app / "bin/venvjail", "stop", "venv"]) == f"stopped: {venv.env}\n"


def test_pipx_installs_venvjail(home: FakeHome, wheel: Path) -> None:
    """As pipx does: a venv below ``~/.local``, which is called by a link in ``~/.local/bin``."""
    app = home.root / ".local/share/pipx/venvs/venvjail"
    home.check([sys.executable, "-m", "venv", "--without-pip", app])
    with_dependencies(home, app / "bin/python")
    home.check([*pip(app / "bin/python"), "install", "--quiet", "--no-deps", wheel], timeout=100)
    (home.root / ".local/bin").mkdir(parents=True)
    command = home.root / ".local/bin/venvjail"
    command.symlink_to(app / "bin/venvjail")
    home.check([command, "--without-pip", "venv"])
    planted_code_is_not_run(home, app)
    home.check([command, "stop", "venv"])
    home.check([command, "remove", "--yes", "venv"])


def test_pip_installs_venvjail_for_the_user(home: FakeHome, wheel: Path) -> None:
    """With the system's Python, its packages in ``~/.local``."""
    require(sys.base_prefix == "/usr", "the tests' interpreter is not made of the system's")
    python = Path(os.path.realpath(sys.executable))
    with_dependencies(home, python)
    options = ["--user", "--break-system-packages", "--no-deps", "--no-warn-script-location"]
    home.check([*pip(python), "install", "--quiet", *options, wheel], timeout=100)
    assert (home.root / ".local/share/man/man1/venvjail.1").exists()
    home.check([python, "-m", "venvjail", "--without-pip", "venv"])
    planted_code_is_not_run(home, home.root / ".local")
    home.check([home.root / ".local/bin/venvjail", "remove", "--yes", "venv"])


def planted_code_is_not_run(home: FakeHome, prefix: Path) -> None:
    """ESCAPES 25: the launcher lies in the home, where a jail can make files of the same names."""
    before = home.snapshot(without=home.project)
    site = next(prefix.rglob("venvjail/entry.py")).parents[1]
    plant = (
        "import os, sys\n"
        "for name in ('venvjail/entry.py', 'venvjail/job.py', 'click.py', 'sitecustomize.py'):\n"
        "    path = os.path.join(sys.argv[1], name)\n"
        "    assert not os.path.exists(path)\n"
        "    os.makedirs(os.path.dirname(path), exist_ok=True)\n"
        '    open(path, \'w\').write(\'open("/tmp/taken", "w"); raise SystemExit("taken")\')\n'
    )
    home.check(["venv/bin/python", "-c", plant, site])
    look = (
        "import os; print(os.path.exists('/tmp/taken'), os.path.exists(os.environ['HOME']+'/.ssh'))"
    )
    assert home.check(["venv/bin/python", "-I", "-c", look]) == "False False\n"
    assert home.snapshot(without=home.project) == before


def test_a_python_that_the_distribution_manages(home: FakeHome) -> None:
    """docs/install.md names the error by its first line."""
    python = Path(os.path.realpath(sys.executable))
    marker = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    require(marker.exists(), f"{python} is not managed by a distribution")
    done = home.run([*pip(python), "install", "--no-deps", "--no-index", "venvjail"])
    assert done.returncode == 1
    assert done.stderr.startswith("error: externally-managed-environment\n")


def test_without_the_headers_of_libfuse(home: FakeHome) -> None:
    """docs/install.md tells by these lines what is missing."""
    options = ["--no-deps", "--no-cache-dir", "--no-binary", "pyfuse3"]
    done = home.run(
        [sys.executable, "-m", "pip", "wheel", *options, "pyfuse3"],
        env={"PKG_CONFIG_LIBDIR": "/nonexistent", "PKG_CONFIG_PATH": "/nonexistent"},
        timeout=110,
    )
    page = (TREE / "docs/install.md").read_text(encoding="utf-8")
    assert done.returncode == 1
    for line in (
        "Failed building wheel for pyfuse3",
        "Package fuse3 was not found in the pkg-config search path.",
    ):
        assert line in done.stdout + done.stderr
        assert line in page
