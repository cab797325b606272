"""What a command's end looks at: not again and again what only the host can change."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.guarding import config, make
from tests.support.records import record_of
from venvjail import record
from venvjail.layout import VenvPaths
from venvjail.planning import guards, second_names
from venvjail.serving.changes import Changes


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


def changes(top: Path) -> Changes:
    """As a jail that starts now has it."""
    paths = VenvPaths(f"{top}/venv")
    facts = SimpleNamespace(
        paths=paths,
        project=str(top),
        writable=(),
        home=str(top.parent),
        home_aliases=(),
        other_homes=(),
        hide=(),
        guards=(f"{top}/.envrc",),
    )
    found = guards.find([str(top)], paths.env, config(top))
    prepared: Any = SimpleNamespace(config=config(top), facts=facts, guards=found)
    return Changes(prepared)


def make_venv(env: str, root: str) -> None:
    """One that venvjail has made, and whose launcher is in ``root``."""
    Path(env, ".venvjail").mkdir(mode=0o700, parents=True)
    Path(env, "pyvenv.cfg").touch()
    record.save(record_of(env, roots=(root,)))


def test_another_venvs_code_is_looked_for_when_its_record_has_changed(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(top, "tools/one/", "tools/two/")
    make_venv(f"{top}/other", f"{top}/tools/one")
    asked: list[str] = []
    real = guards.launcher_of

    def counting(env: str, tops: list[str]) -> set[str]:
        asked.append(os.path.relpath(env, top))
        return real(env, tops)

    monkeypatch.setattr(guards, "launcher_of", counting)
    seen = changes(top)
    asked.clear()
    for _ in range(3):
        assert seen.appeared() == []
    assert asked == ["other"]
    record.save(record_of(f"{top}/other", roots=(f"{top}/tools/two",)))
    (line,) = seen.appeared()
    assert f"appeared while the jail ran: {top}/tools/two;" in line
    make_venv(f"{top}/third", f"{top}/tools/one")
    (line,) = seen.appeared()
    assert f"appeared while the jail ran: {top}/third;" in line
    assert seen.appeared() == []
    assert asked == ["other", "other", "third"]


def test_second_names_of_what_a_mount_guards_are_not_looked_for(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(top, ".hg/store/file", "sub/")
    asked: list[set[str]] = []
    real = second_names.of

    def noting(guarded: set[str], tops: list[str], own_env: str) -> set[str]:
        asked.append({os.path.relpath(path, top) for path in guarded})
        return real(guarded, tops, own_env)

    seen = changes(top)
    monkeypatch.setattr(second_names, "of", noting)
    assert seen.appeared() == []
    make(top, "sub/.claude/settings")
    (line,) = seen.appeared()
    assert f"ran: {top}/sub/.claude;" in line
    # The guard comes with the next jail.
    (top / "second").hardlink_to(top / "sub/.claude/settings")
    (line,) = seen.appeared()
    assert f"ran: {top}/second;" in line
    assert asked == [set(), {"sub/.claude"}, {"sub/.claude"}]


def test_second_names_of_what_the_host_has_replaced(top: Path) -> None:
    """The mount went with it."""
    make(top, ".envrc")
    seen = changes(top)
    assert (seen.replaced(), seen.appeared()) == ([], [])
    make(top, "fresh")
    (top / "fresh").rename(top / ".envrc")
    (top / "second").hardlink_to(top / ".envrc")
    (line,) = seen.replaced()
    assert line.startswith(f"{top}/.envrc was replaced")
    (line,) = seen.appeared()
    assert f"ran: {top}/second;" in line
