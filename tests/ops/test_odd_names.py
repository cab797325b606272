"""Names as long and as odd as the kernel allows, and directories a hundred levels deep."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fusefs.rules import Kind, Rule
from fusefs.view import Budget
from tests.support.clients import Client
from tests.support.layouts import Layout

DEPTH = 100
ODD = [b"\xff\xfe\x80", b"n" * 255, "é".encode() * 127, b"new\nline", b" ", b"-rf", b"\\", b"a\tb"]
ALLOWED = [Rule(b"allowed", Kind.ALLOW)]


def text(name: bytes) -> str:
    return os.fsdecode(name)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("directory", ["home", "home/allowed"])
def test_an_odd_name_is_like_any_other(layout: Layout, name: bytes, directory: str) -> None:
    (layout.host / "allowed").mkdir()
    (layout.host / "allowed" / "host").mkdir()
    client = Client(layout, ALLOWED)
    path = f"{directory}/{text(name)}"
    client.write(path, "content")
    assert client.read(path) == "content"
    assert text(name) in client.names(directory)
    client.rename(path, f"{directory}/plain")
    client.rename(f"{directory}/plain", path)
    client.symlink(text(name), f"{directory}/link")
    assert client.readlink(f"{directory}/link") == text(name)
    client.unlink(path)
    assert text(name) not in client.names(directory)
    client.operations.close()


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_of_the_hosts_obeys_the_rules(layout: Layout, name: bytes) -> None:
    (layout.host / text(name)).write_text("host")
    shown = Client(layout, [Rule(name, Kind.ALLOW)])
    assert shown.read(f"home/{text(name)}") == "host"
    hidden = Client(layout, [Rule(b"allowed", Kind.ALLOW)])
    assert not hidden.exists(f"home/{text(name)}")
    for client in (shown, hidden):
        client.operations.close()


def test_a_name_of_256_bytes_is_too_long_everywhere(client: Client) -> None:
    name = "n" * 256
    for call in (
        lambda: client.inode(f"home/{name}"),
        lambda: client.create(f"home/{name}"),
        lambda: client.mkdir(f"home/{name}"),
        lambda: client.symlink("target", f"home/{name}"),
        lambda: client.rename("home/.bashrc", f"home/{name}"),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno in (errno.ENAMETOOLONG, errno.EROFS)


@pytest.mark.parametrize("side", ["store", "host"])
def test_a_hundred_levels_are_found_again_from_few_descriptors(layout: Layout, side: str) -> None:
    top = layout.store if side == "store" else layout.host
    bottom = Path("allowed", *["d"] * DEPTH)
    (top / bottom).mkdir(parents=True)
    (top / bottom / "file").write_text("deep")
    client = Client(layout, ALLOWED, budget=Budget(inodes=2, files=8, directories=8))
    assert client.read(f"home/{bottom}/file") == "deep"
    client.mkdir(f"home/{bottom}/new")
    client.write(f"home/{bottom}/new/file", "new")
    assert (layout.store / bottom / "new" / "file").read_text() == "new"
    assert client.names(f"home/{bottom}") == {"file", "new"}
    client.forget_all()
    assert len(client.operations._table) == 3
    client.operations.close()
