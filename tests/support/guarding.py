"""Projects made for the search of `venvjail.planning.guards`, and what it finds there."""

import os
from pathlib import Path

from venvjail.config import file as configfile
from venvjail.config.model import Config
from venvjail.planning import guards


def config(top: Path, *protect: str) -> Config:
    user = top.parent / f"{top.name}.toml"
    lines = [f'[project]\npath = "{top}"\n']
    if protect:
        lines.append(f"protect = {list(protect)!r}\n")
    user.write_text("".join(lines), encoding="utf-8")
    return configfile.load("/nonexistent", str(user))


def found(top: Path, *protect: str) -> set[str]:
    result = guards.find([str(top)], f"{top}/venv", config(top, *protect))
    return {os.path.relpath(path, top) for path in result.read_only}


def make(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()
