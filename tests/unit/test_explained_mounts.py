"""What is said of paths outside of the home: which mount serves them, and by which line."""

from pathlib import Path

import pytest

from venvjail.config.file import load
from venvjail.layout import VenvPaths
from venvjail.planning.plan import Facts, make_plan
from venvjail.sight.explanation import HIDDEN, READ_ONLY, WRITABLE
from venvjail.sight.mounts import Mounts

FACTS = Facts(
    paths=VenvPaths("/home/alice/proj/venv"),
    uid=1000,
    home="/home/alice",
    tmp="/tmp/dirjail-x",
    run=("/run/named", "/run/resolv.conf"),
    files={"activate": b""},
)
CONFIG = '[run]\nallow = ["/run/other", "/run/named"]\n'


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    file = tmp_path / "config"
    file.write_text(CONFIG, encoding="utf-8")
    config = load("/nonexistent", str(file))
    return Mounts(config, FACTS, make_plan(FACTS, frozenset({"cpuinfo"})))


@pytest.mark.parametrize(
    ("path", "verdict", "rule"),
    [
        ("/dev/fd", READ_ONLY, "made for the jail"),
        ("/run/venvjail", READ_ONLY, "made for the jail"),
        ("/run/venvjail/activate", READ_ONLY, "made for the jail"),
        ("/dev/shm/new", WRITABLE, "the jail's own shared memory"),
        ("/run/user/1000", WRITABLE, "a runtime directory of the jail's own"),
        ("/run", READ_ONLY, "empty in the jail but for [run] allow"),
        ("/run/missing", READ_ONLY, "empty in the jail but for [run] allow"),
        ("/run/resolv.conf", READ_ONLY, "what /etc/resolv.conf points to"),
        ("/proc", READ_ONLY, "the jail's own processes, and [proc] allow"),
        ("/proc/1", READ_ONLY, "processes of the jail alone, by their pids there"),
        ("/proc/kcore", HIDDEN, "not on [proc] allow: reading it is refused"),
        ("/home/alice/proj/venv/.venvjail", HIDDEN, "venvjail's own state and config of this venv"),
        ("/home/alice/proj/venv", WRITABLE, "the venv"),
    ],
)
def test_explained(mounts: Mounts, path: str, verdict: str, rule: str) -> None:
    found = mounts.explain(path)
    assert (found.verdict, found.rule) == (verdict, rule)


def test_by_a_line_of_the_config(mounts: Mounts, tmp_path: Path) -> None:
    found = mounts.explain("/run/named")
    assert (found.verdict, found.rule) == (READ_ONLY, f"[run] allow in {tmp_path}/config:2")


def test_where_there_is_no_project(mounts: Mounts) -> None:
    """The directory that holds the venv is the home's then, which the view serves."""
    assert mounts.in_view("/home/alice/proj") == "proj"
    assert mounts.in_view("/home/alice/proj/venv") is None
