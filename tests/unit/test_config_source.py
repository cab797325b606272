"""Which config files are trusted: a file of the user's own that nobody else can write."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from venvjail.config.file import load
from venvjail.config.source import MAX_BYTES
from venvjail.errors import ConfigError

VALID = b'[home]\nallow = [".gitconfig"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".dirjailconfig"


def write(path: Path, data: bytes = VALID, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def allowed(file: Path) -> list[str]:
    return [allow.path for allow in load(str(file), "/nonexistent/venvjail.toml").home.allow]


def refusal(file: Path) -> str:
    """The error for *file*, which must begin with its path, as what follows the path."""
    with pytest.raises(ConfigError) as raised:
        allowed(file)
    assert raised.value.exit_status == 2
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(str(file))
    return message.removeprefix(str(file))


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
def test_a_file_that_others_cannot_write_is_read(file: Path, mode: int) -> None:
    write(file, mode=mode)
    assert ".gitconfig" in allowed(file)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(file: Path, mode: int) -> None:
    write(file, mode=mode)
    assert refusal(file) == (
        f": is writable by others (mode {mode:04o}); "
        f"expected a file that only you can write: chmod go-w {file}"
    )
    file.chmod(mode & ~0o022)
    assert ".gitconfig" in allowed(file), "the remedy works"


def test_the_remedy_can_be_pasted(tmp_path: Path) -> None:
    file = tmp_path / "a b's"
    write(file, mode=0o666)
    remedy = refusal(file).split(": ")[-1]
    subprocess.run(remedy, shell=True, check=True)
    assert ".gitconfig" in allowed(file)


def test_a_symlink_is_followed_to_a_trusted_file(file: Path) -> None:
    (file.parent / "dotfiles").mkdir()
    target = file.parent / "dotfiles" / "dirjailconfig"
    write(target)
    file.symlink_to(target)
    assert ".gitconfig" in allowed(file)
    target.chmod(0o666)
    assert "is writable by others" in refusal(file)


def test_a_symlink_to_nothing_is_refused(file: Path) -> None:
    file.symlink_to("nowhere")
    assert refusal(file) == ": is a symlink to nothing; expected a file, or nothing at all"


def test_a_symlink_to_itself_is_refused(file: Path) -> None:
    file.symlink_to(file)
    assert refusal(file) == (
        ": cannot be read (too many levels of symbolic links); expected a readable file"
    )


def test_an_unreadable_file_is_refused(file: Path) -> None:
    write(file, mode=0o200)
    assert refusal(file) == ": cannot be read (permission denied); expected a readable file"


def test_an_unreadable_directory_is_not_a_missing_file(file: Path) -> None:
    write(file)
    file.parent.chmod(0o000)
    try:
        assert "permission denied" in refusal(file)
    finally:
        file.parent.chmod(0o700)


def test_a_directory_is_refused(file: Path) -> None:
    file.mkdir()
    assert refusal(file) == ": is a directory; expected a regular file"


@pytest.mark.timeout(10)
def test_a_fifo_is_refused_without_waiting_for_a_writer(file: Path) -> None:
    os.mkfifo(file, 0o600)
    assert refusal(file) == ": is a fifo; expected a regular file"


def test_a_socket_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(file.name)  # relative: a socket's path has 108 bytes
        assert "cannot be read" in refusal(file)


def test_a_device_is_refused(file: Path) -> None:
    file.symlink_to("/dev/zero")
    assert refusal(file) == ": is a device; expected a regular file"


def test_a_huge_file_is_refused(file: Path) -> None:
    write(file, VALID + b"#" * (MAX_BYTES - len(VALID)))
    assert ".gitconfig" in allowed(file), "1 MiB is not too large"
    with file.open("ab") as stream:
        stream.write(b"#")
    assert refusal(file) == ": is larger than 1 MiB; expected a config file"


def test_bytes_that_are_not_utf8_are_refused_with_their_line(file: Path) -> None:
    write(file, b'[home]\nallow = [\n  ".a",\n  "caf\xe9",\n]\n')
    assert refusal(file) == ":4: byte 0xe9 is not UTF-8; expected UTF-8 text"


def test_a_file_of_root_is_trusted() -> None:
    """Root can do anything anyway, and owns the targets of the links that NixOS makes in a home."""
    assert os.stat("/etc/passwd").st_uid == 0
    assert "expected TOML" in refusal(Path("/etc/passwd")), "it was read"


def test_a_file_of_another_user_is_refused() -> None:
    """In a user namespace that maps the caller alone, root's files belong to somebody else."""
    maps = ["unshare", "--user", "--map-user", str(os.getuid()), "--map-group", str(os.getgid())]
    program = "import sys; from venvjail.config.file import load; load(sys.argv[1], '/nonexistent')"
    run = subprocess.run(
        [*maps, sys.executable, "-c", program, "/etc/passwd"], capture_output=True, text=True
    )
    assert "/etc/passwd: is owned by user 65534; expected a file of your own" in run.stderr


def test_control_characters_in_a_files_path_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "a\x1b[2J\nb"
    write(file, b"x")
    with pytest.raises(ConfigError) as raised:
        allowed(file)
    assert str(raised.value).startswith(f"{tmp_path}/a\\x1b[2J\\nb:1: ")
