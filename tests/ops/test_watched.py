"""What a search that remembers finds: what one that does not finds, whatever was done meanwhile."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.guarding import make
from venvjail import inotify
from venvjail.errors import JailError
from venvjail.planning import search
from venvjail.planning.search import Eye, Look, Walk
from venvjail.serving.watched import Watched

_MOST = 50


class Counting(Eye):
    """An eye that knows into what it has looked."""

    def __init__(self, top: Path) -> None:
        super().__init__(f"{top}/venv", frozenset({".git", ".envrc"}))
        self._top = str(top)
        self.seen: list[str] = []

    def __call__(self, directory: str, is_top: bool) -> Look:
        self.seen.append(os.path.relpath(directory, self._top))
        return super().__call__(directory, is_top)

    def since(self) -> set[str]:
        seen, self.seen = set(self.seen), []
        return seen


class Project:
    """A directory that is searched both ways."""

    def __init__(self, top: Path, most: int = _MOST) -> None:
        self.top = top
        self.eye = Counting(top)
        self.watched = Watched([str(top)], self.eye, most)

    def looked_into(self) -> set[str]:
        """What the search that remembers looks into now, having found all."""
        self.eye.since()
        found = contents(self.watched.walk())
        seen = self.eye.since()
        assert found == contents(search.walk([str(self.top)], self.eye))
        return seen


def contents(walk: Walk) -> dict[str, object]:
    listed = vars(walk) | {
        "symlinks": sorted(walk.symlinks),
        "repositories": sorted(walk.repositories),
    }
    assert len(listed["symlinks"]) == len(set(listed["symlinks"]))
    return listed


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    top = Path(os.path.realpath(tmp_path))
    make(top, "a/b/", "a/c/", "d/.git/", "py/pyvenv.cfg", "py/.venvjail/", "node_modules/x/")
    (top / "link").symlink_to("a")
    found = Project(top)
    assert found.looked_into() == {".", "a", "a/b", "a/c", "d", "py"}
    assert found.looked_into() == set()
    yield found
    found.watched.forget()


@pytest.mark.parametrize(
    ("change", "looked_into"),
    [
        ("mkdir a/b/new", {"a/b", "a/b/new"}),
        ("mkdir -p a/b/.git/hooks", {"a/b"}),
        ("mkdir -p a/b/n/m/.git", {"a/b", "a/b/n", "a/b/n/m"}),
        ("touch a/b/.envrc", {"a/b"}),
        ("touch a/c/pyvenv.cfg", {"a/c"}),
        ("ln -s ../c a/b/link", {"a/b"}),
        ("ln py/pyvenv.cfg a/b/pyvenv.cfg", {"a/b"}),
        ("rm link", {"."}),
        ("rmdir a/b", {"a"}),
        ("rmdir a/b && mkdir -p a/b/.git", {"a", "a/b"}),
        ("rm -r d && mkdir d", {".", "d"}),
        ("rm py/pyvenv.cfg && rm -r py/.venvjail", {"py"}),
        ("touch a/b/x && mv a/b/x a/c/.envrc", {"a/b", "a/c"}),
        ("mkdir node_modules/y && touch node_modules/x/.envrc", set()),
        ("mkdir d/.git/hooks", set()),
        ("cat link/* >/dev/null 2>&1; ls -lR >/dev/null", set()),
    ],
)
def test_only_what_has_changed_is_looked_into(
    project: Project, change: str, looked_into: set[str]
) -> None:
    do(project, change)
    assert project.looked_into() == looked_into
    assert project.looked_into() == set()


def test_what_happens_to_files_alone_changes_nothing(project: Project) -> None:
    do(project, "touch a/b/file")
    assert project.looked_into() == {"a/b"}
    do(project, "echo x >a/b/file; chmod 600 a/b/file; touch -d yesterday a/b/file")
    assert project.looked_into() == set()


def test_a_directory_that_somebody_has_open_and_another_takes_its_place(project: Project) -> None:
    """Its watch ends only when it is closed: a program in the jail could hide the new one so."""
    do(project, "mkdir a/b/c")
    assert project.looked_into() == {"a/b", "a/b/c"}
    opened = [os.open(project.top / name, os.O_RDONLY) for name in ("a/b", "a/b/c")]
    try:
        do(project, "rmdir a/b/c a/b && mkdir -p a/b/c/.git")
        assert project.looked_into() == {"a", "a/b", "a/b/c"}
    finally:
        for fd in opened:
            os.close(fd)
    project.looked_into()
    do(project, "touch a/b/.envrc")
    assert project.looked_into() == {"a/b"}


def test_moved_directories(project: Project) -> None:
    do(project, "mkdir a/b/.git && mv a/b d/")
    assert project.looked_into() == {".", "a", "a/c", "d", "d/b", "py"}
    do(project, "touch d/b/.envrc")
    assert project.looked_into() == {"d/b"}
    do(project, "mv d ../outside-$$ && mkdir d")
    assert project.looked_into() == {".", "a", "a/c", "d", "py"}


def test_directories_that_close_and_open(project: Project) -> None:
    do(project, "mkdir a/b/deep && chmod 0 a/b")
    assert project.looked_into() == {"a", "a/b"}
    assert project.looked_into() == {"a/b"}, "as long as it is closed"
    assert project.watched.walk() is not project.watched.walk()
    do(project, "chmod 755 a/b && touch a/b/deep/.envrc")
    assert project.looked_into() == {"a", "a/b", "a/b/deep"}
    assert project.looked_into() == set()
    assert project.watched.walk() is project.watched.walk(), "not even the memory is looked through"


def test_a_top_that_closes(project: Project) -> None:
    do(project, "chmod 0 .")
    try:
        with pytest.raises(JailError, match="cannot be searched"):
            project.watched.walk()
    finally:
        project.top.chmod(0o755)
    assert project.looked_into() <= {"."}


def test_a_top_that_is_replaced(project: Project) -> None:
    other = project.top.with_name("other")
    project.top.rename(other)
    project.top.mkdir()
    assert project.looked_into() == {"."}
    project.top.rmdir()
    assert project.looked_into() == {"."}, "nothing is there"
    other.rename(project.top)
    assert project.looked_into() == {".", "a", "a/b", "a/c", "d", "py"}


def test_more_changes_than_are_read(project: Project) -> None:
    do(project, "for i in $(seq 2000); do : >a/b/$i; done; mkdir d/x")
    assert project.looked_into() == {".", "a", "a/b", "a/c", "d", "d/x", "py"}
    assert project.looked_into() == set()


@pytest.mark.parametrize("lost", [inotify.IN_Q_OVERFLOW, inotify.IN_UNMOUNT])
def test_more_changes_than_the_kernel_keeps(
    project: Project, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """And file systems that go away."""

    def overflow(data: bytes) -> Iterator[inotify.Event]:
        yield inotify.Event(-1, lost, b"")

    do(project, "mkdir d/x")
    with monkeypatch.context() as patched:
        patched.setattr(inotify, "events", overflow)
        assert project.looked_into() == {".", "a", "a/b", "a/c", "d", "d/x", "py"}


def test_one_directory_at_two_places(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bind mount makes it: the kernel has one watch, and names one of the two."""
    add = inotify.add_watch_itself

    def same(fd: int, directory: str, mask: int) -> int:
        return add(fd, directory.replace("/a/c", "/a/b"), mask)

    project.watched.forget()
    monkeypatch.setattr(inotify, "add_watch_itself", same)
    for _ in range(3):
        assert project.looked_into() >= {"a/c"}
        do(project, "mkdir a/c/$(date +%N) a/b/$(date +%N)")


def test_no_more_directories_are_watched_than_allowed(tmp_path: Path) -> None:
    top = Path(os.path.realpath(tmp_path))
    make(top, *(f"d{number}/" for number in range(5)))
    project = Project(top, most=3)
    assert len(project.looked_into()) == 6
    assert len(watches()) == 3
    assert len(project.looked_into()) == 3
    project.watched.forget()
    assert watches() == []


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOSPC])
@pytest.mark.parametrize("call", ["instance", "add_watch_itself"])
def test_where_there_are_no_watches_left_all_is_searched(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    code: int,
    call: str,
) -> None:
    asked = []
    real = getattr(inotify, call)

    def used_up(*arguments: int | str) -> int:
        asked.append(arguments)
        if arguments and len(asked) < 3:
            return int(real(*arguments))
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(inotify, call, used_up)
    project.watched.forget()
    everything = {".", "a", "a/b", "a/c", "d", "py"}
    for _ in range(2):
        assert project.looked_into() == everything
    assert watches() == []
    assert len(asked) == (1 if call == "instance" else 3), "the kernel is not asked again"
    (said,) = caplog.messages
    assert said.startswith("the project is not watched for changes: ")


def test_directories_that_come_and_go(project: Project) -> None:
    """The watches of those that went count no more."""
    for _ in range(_MOST):
        do(project, "mkdir a/b/new")
        assert project.looked_into() == {"a/b", "a/b/new"}
        do(project, "rmdir a/b/new")
        assert project.looked_into() == {"a/b"}
    do(project, "mkdir a/b/new")
    assert project.looked_into() == {"a/b", "a/b/new"}
    assert project.looked_into() == set()


_NAMES = st.sampled_from(["a", "b", "c", ".git", ".envrc", "pyvenv.cfg", "HEAD", "node_modules"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


_CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "mkdir": lambda one, _: one.mkdir(),
    "makedirs": lambda one, _: one.mkdir(parents=True),
    "touch": lambda one, _: one.touch(),
    "remove": lambda one, _: _remove(one),
    "rename": lambda one, two: one.rename(two),
    "symlink": lambda one, two: one.symlink_to(two),
    "close": lambda one, _: one.chmod(0o000),
    "open": lambda one, _: one.chmod(0o755),
}
_STEPS = st.tuples(st.sampled_from(sorted(_CHANGES)), _PATHS, _PATHS, st.booleans())


@settings(deadline=None, database=None, derandomize=True, max_examples=300)
@given(st.lists(_STEPS, max_size=25))
def test_whatever_is_done(steps: list[tuple[str, str, str, bool]]) -> None:
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        top = Path(os.path.realpath(directory)) / "top"
        make(top, "a/b/c/", "b/.git/", "c/")
        project = Project(top)
        try:
            for change, one, two, is_searched in steps:
                try:
                    _CHANGES[change](top / one, top / two)
                except OSError:
                    continue
                if is_searched:
                    project.looked_into()
            project.looked_into()
        finally:
            project.watched.forget()
            assert os.system(f"chmod -R u+rwX '{top}'") == 0


def do(project: Project, script: str) -> None:
    assert os.system(f"cd '{project.top}' && {{ {script}; }}") == 0


def watches() -> list[str]:
    """The lines of the watches that this process has; proc_pid_fdinfo(5)."""
    texts = [file.read_text() for file in Path("/proc/self/fdinfo").iterdir() if file.exists()]
    return [line for text in texts for line in text.splitlines() if line.startswith("inotify ")]
