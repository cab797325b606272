"""The record names programs that run unjailed: only the user's own, whole and in its place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.home import TREE
from venvjail import record, recorded
from venvjail.errors import UserError
from venvjail.record import Record

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.fixture
def made(tmp_path: Path) -> Record:
    env = os.path.join(tmp_path, "venv \udcff\u00e9")
    os.makedirs(env + "/.venvjail", 0o700)
    made = Record(
        venv=env,
        made_by="0.1.0",
        base_python="/opt/py\udcfe/bin/python3.11",
        base_link="/opt/py\udcfe/bin/python3",
        base_prefix="/opt/py\udcfe",
        python="/opt/tools/bin/python",
        roots=("/a", "/b\udcfd"),
        entry_roots=("/a",),
        prompt="it's\n\u2713",
    )
    record.save(made)
    return made


def change(made: Record, **values: object) -> None:
    path = Path(made.venv + "/.venvjail/state.json")
    content = {**json.loads(path.read_bytes()), **values}
    content = {name: value for name, value in content.items() if value is not None}
    path.write_text(json.dumps(content), encoding="utf-8")


def test_any_path_comes_back(made: Record) -> None:
    assert record.load(made.venv) == made


def test_only_the_user_reads_it(made: Record) -> None:
    assert os.stat(made.venv + "/.venvjail/state.json").st_mode & 0o777 == 0o600


def test_no_venv_at_all(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/pyvenv.cfg").touch()
    for name in ("venv", "nowhere"):
        with pytest.raises(UserError, match=f"{name}: is not a venvjail environment; create"):
            record.load(str(tmp_path / name))


def test_creation_was_interrupted(made: Record) -> None:
    os.unlink(made.venv + "/.venvjail/state.json")
    with pytest.raises(UserError, match="was not created completely; run: venvjail --clear "):
        record.load(made.venv)


def test_newer_layout(made: Record) -> None:
    change(made, version=record.VERSION + 1, made_by="9.0", surprise="x")
    remedy = r"made by a newer venvjail \(venvjail 9\.0; .*pip install --upgrade venvjail$"
    with pytest.raises(UserError, match=remedy):
        record.load(made.venv)


def test_older_layout(made: Record) -> None:
    change(made, version=1, made_by=None, base_link=None)
    remedy = r"made by an older venvjail \(layout 1; .*: venvjail --upgrade "
    with pytest.raises(UserError, match=remedy):
        record.load(made.venv)


def test_code_of_another_layout(made: Record) -> None:
    """What another venvjail runs for the venv has to be guarded all the same."""
    change(made, version=1, made_by=None, base_link=None)
    assert record.load(made.venv, any_layout=True) == made._replace(made_by="", base_link="")
    change(made, version=record.VERSION + 1, surprise="x")
    assert record.load(made.venv, any_layout=True).roots == made.roots
    change(made, roots=None)
    with pytest.raises(UserError, match="is damaged"):
        record.load(made.venv, any_layout=True)


@pytest.mark.parametrize(
    "values",
    [
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"version": None},
        {"python": None},
        {"python": 3},
        {"roots": "/a"},
        {"roots": ["/a", 3]},
        {"surprise": "x"},
    ],
)
def test_unexpected_values(made: Record, values: dict[str, object]) -> None:
    change(made, **values)
    with pytest.raises(UserError, match=r"state\.json: is damaged; run: venvjail --upg"):
        record.load(made.venv)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"x"', b"\xff", b"[" * 100_000, b"1"])
def test_damaged_file(made: Record, content: bytes) -> None:
    Path(made.venv + "/.venvjail/state.json").write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        record.load(made.venv)


def alone(program: str) -> str:
    """What ``program`` prints in an interpreter that has imported as little as an entry's."""
    begin = f"import sys; sys.path.insert(0, {str(TREE)!r}); "
    command = [sys.executable, "-IS", "-c", begin + program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_fields_that_are_read_are_those_of_a_record() -> None:
    assert Record._fields == recorded.FIELDS


@given(_JSON, st.booleans())
@settings(deadline=None)
def test_json_is_read_as_json_reads_it(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=ascii_only or None)
    assert recorded._parsed(f" {text}\n".encode()) == json.loads(text)


@pytest.mark.parametrize("imported", ["", "import json; "])
@pytest.mark.parametrize("content", [b"", b"{", b"[1,]", b"{} {}", b"\xff", b"{'a': 1}", b'"\n"'])
def test_what_is_no_json(imported: str, content: bytes) -> None:
    program = (
        f"from venvjail import recorded; {imported}"
        f"\ntry: recorded._parsed({content!r})\nexcept ValueError: print('refused')"
    )
    assert alone(program) == "refused\n"


def test_a_start_imports_next_to_nothing() -> None:
    """Each of these takes a millisecond or two, before anything of the jail is begun."""
    unwanted = ("collections", "contextlib", "enum", "functools", "json", "re", "shlex", "typing")
    program = (
        "import venvjail.entry, venvjail.start; "
        f"assert 'venvjail.recorded' in sys.modules; print({{*{unwanted}}} & {{*sys.modules}})"
    )
    assert alone(program) == "set()\n"


def test_moved(made: Record, tmp_path: Path) -> None:
    os.rename(made.venv, tmp_path / "new")
    with pytest.raises(UserError, match=r"new: was moved here from .*venv .*; move it back"):
        record.load(str(tmp_path / "new"))


def test_another_spelling_is_not_moved(made: Record, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(made.venv)
    assert record.load(str(tmp_path / "alias")) == made


def test_links_are_not_followed(made: Record, tmp_path: Path) -> None:
    path = Path(made.venv + "/.venvjail/state.json")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"state\.json: "):
        record.load(made.venv)
    state = path.parent
    state.rename(tmp_path / "state")
    state.symlink_to(tmp_path / "state")
    with pytest.raises(UserError, match="is not a venvjail environment"):
        record.load(made.venv)


@pytest.mark.parametrize("name", [".venvjail", ".venvjail/state.json"])
def test_others_could_have_written_it(made: Record, name: str) -> None:
    path = f"{made.venv}/{name}"
    mode = os.stat(path).st_mode & 0o777
    os.chmod(path, mode | 0o020)
    with pytest.raises(UserError, match="others can write to it"):
        record.load(made.venv)
    os.chmod(path, mode)
    assert record.load(made.venv) == made


def test_another_users(made: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(UserError, match=r"belongs to another user .*: not trusted"):
        record.load(made.venv)


def test_a_fifo_does_not_hang(made: Record) -> None:
    path = made.venv + "/.venvjail/state.json"
    os.unlink(path)
    os.mkfifo(path, 0o600)
    with pytest.raises(UserError, match="is damaged"):
        record.load(made.venv)
