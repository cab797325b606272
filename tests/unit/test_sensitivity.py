"""Which paths are sensitive, to which programs, and when a command's look at them is told."""

import pytest

from venvjail.audit.alarms import COLLECTOR_KINDS, Alarms
from venvjail.audit.programs import Program
from venvjail.audit.sensitivity import Sensitivity, is_usual
from venvjail.config.sensitive import SENSITIVE, Sensitive

PYTHON = "/usr/bin/python3.11"
KNOWN = Sensitivity(SENSITIVE)
ENTRY, CHILD, ORPHAN = 100, 101, 500


def alarms() -> Alarms:
    """With one command: the entry 100, whose child is 101; 500 has lost its parents."""
    lineage = {CHILD: [CHILD, ENTRY], ORPHAN: [ORPHAN]}
    made = Alarms("/v/env", lambda pid: lineage[pid])
    made.joined(ENTRY)
    return made


def look(
    to: Alarms,
    path: str,
    *,
    exe: str = PYTHON,
    exists: bool = True,
    pid: int = CHILD,
    known: Sensitivity = KNOWN,
) -> None:
    place = known.place(path)
    assert place is not None
    to.heard(place, path, exists, Program(exe, exe, pid, 3), known)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".ssh", "SSH keys"),
        (".ssh/id_rsa", "SSH keys"),
        (".local/share/keyrings", "password store"),
        (".local/share/keyrings/login.keyring", "password store"),
        (".cargo/credentials.toml", "package registry token"),
    ],
)
def test_a_place_and_what_is_below_it(path: str, kind: str) -> None:
    place = KNOWN.place(path)
    assert place is not None
    assert place.kind == kind


@pytest.mark.parametrize("path", [".sshd", ".local", ".local/share", ".cargo", "x/.ssh", "docs"])
def test_neither_neighbours_nor_ancestors(path: str) -> None:
    assert KNOWN.place(path) is None


def test_the_list_says_each_place_once() -> None:
    paths = [place.path for place in SENSITIVE]
    assert len(paths) == len(set(paths))
    assert not any(path.startswith(("/", "~")) or ".." in path for path in paths)


@pytest.mark.parametrize(
    ("path", "exe", "usual"),
    [
        (".ssh", "/usr/bin/ssh", True),
        (".ssh", PYTHON, False),
        (".ssh", "/usr/bin/git", False),
        (".ssh", "/home/alice/proj/ssh", False),  # what the jail writes, it can call ssh
        (".ssh", "/tmp/usr/bin/ssh", False),
        (".netrc", PYTHON, True),
        (".netrc", "/tmp/anything", True),
    ],
)
def test_the_habits_of_programs(path: str, exe: str, usual: bool) -> None:
    place = KNOWN.place(path)
    assert place is not None
    assert is_usual(place, exe) is usual


def test_a_look_for_a_secret_is_told_once() -> None:
    to = alarms()
    look(to, ".ssh")
    [line] = to.told(ENTRY)
    assert line == (
        "the command looked for ~/.ssh (SSH keys), which the jail hides; "
        "see: venvjail log --sensitive /v/env"
    )
    assert to.told(ENTRY) == []


def test_habits_are_not_told() -> None:
    to = alarms()
    look(to, ".ssh", exe="/usr/bin/ssh")
    look(to, ".netrc")
    assert to.told(ENTRY) == []


def test_beside_an_alarm_the_habits_are_named() -> None:
    to = alarms()
    look(to, ".netrc")
    look(to, ".aws/credentials")
    [line] = to.told(ENTRY)
    assert "~/.netrc (passwords of hosts) and ~/.aws (AWS credentials)" in line


def test_what_is_not_there_is_told_of_collectors_only() -> None:
    to = alarms()
    paths = [".aws", ".bitcoin", ".electrum", ".mozilla"]
    assert len({KNOWN.place(path) and KNOWN.place(path).kind for path in paths}) == COLLECTOR_KINDS
    for path in paths[:-1]:
        look(to, path, exists=False)
    assert to.told(ENTRY) == []
    look(to, paths[-1], exists=False)
    [line] = to.told(ENTRY)
    assert "none of which you have" in line


def test_what_the_config_expects_is_not_told() -> None:
    to = alarms()
    known = Sensitivity(SENSITIVE, [".aws"])
    look(to, ".aws/credentials", known=known)
    assert to.told(ENTRY) == []
    look(to, ".ssh", known=known)
    assert len(to.told(ENTRY)) == 1


def test_who_left_the_command_is_told_of_with_the_next() -> None:
    to = alarms()
    look(to, ".ssh", pid=ORPHAN)
    [line] = to.told(ENTRY)
    assert line.startswith("a background process looked for ~/.ssh")


def test_many_places_make_one_short_line() -> None:
    to = alarms()
    for place in SENSITIVE:
        look(to, place.path)
    [line] = to.told(ENTRY)
    assert len(line) < 400
    assert " more, which the jail hides" in line


def test_memory_is_bounded() -> None:
    to = alarms()
    places = [Sensitive(f".secret-{number}", "a kind") for number in range(1000)]
    known = Sensitivity(places)
    for place in places:
        look(to, place.path, known=known)
    assert len(to._commands[ENTRY].existing) == 200


def test_a_storm_of_looks_asks_for_the_ancestors_once() -> None:
    asked: list[int] = []
    now = [0.0]

    def lineage(pid: int) -> list[int]:
        asked.append(pid)
        return [pid, ENTRY]

    to = Alarms("/v/env", lineage, lambda: now[0])
    to.joined(ENTRY)
    for _ in range(100):
        look(to, ".ssh")
    assert asked == [CHILD]
    now[0] += 1
    look(to, ".aws")
    assert asked == [CHILD, CHILD]
    assert "~/.ssh (SSH keys) and ~/.aws" in to.told(ENTRY)[0]


def test_many_processes_are_not_remembered_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten of a process is found out again."""
    monkeypatch.setattr("venvjail.audit.alarms._REMEMBERED", 3)
    asked = []

    def lineage(pid: int) -> list[int]:
        asked.append(pid)
        return [pid, ENTRY]

    to = Alarms("/v/env", lineage, lambda: 0.0)
    to.joined(ENTRY)
    for pid in (1, 2, 1, 3, 4, 1):
        look(to, ".ssh/id_rsa", pid=pid)
    assert asked == [1, 2, 3, 4, 1]
    assert len(to._owners) <= 3
