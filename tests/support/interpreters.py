"""Interpreters of the tests' own, which may be upgraded or taken away."""

import os
import shutil
import sys
from pathlib import Path

import pyfuse3

from tests.support.home import TREE

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def copy_interpreter(prefix: Path) -> Path:
    """Install the system's Python at ``prefix``, as pyenv and uv do in the home; its executable."""
    name = f"python{VERSION}"
    library = Path(os.__file__).parent
    (prefix / "bin").mkdir(parents=True)
    shutil.copy(os.path.realpath(sys.executable), prefix / "bin" / name)
    ignored = shutil.ignore_patterns("__pycache__", "test", "*-packages", "config-*", "idlelib")
    shutil.copytree(library, prefix / "lib" / name, symlinks=True, ignore=ignored)
    return prefix / "bin" / name


def our_modules() -> str:
    """A PYTHONPATH by which such an interpreter has venvjail and what that imports."""
    packages = Path(pyfuse3.__file__).parent
    site = packages.parent if packages.name == "pyfuse3" else packages
    return os.pathsep.join([str(TREE), str(site)])
