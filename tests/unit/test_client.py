"""A jail's answers as another version of venvjail reads them."""

import dataclasses

import pytest

from venvjail import client
from venvjail.errors import JailError
from venvjail.layout import VenvPaths

STATUS = client.Status(
    venv="/v/env",
    supervisor=1,
    init=2,
    entries=[],
    processes=0,
    home="/home/alice",
    project=None,
    writable=[],
    tmp="/tmp/dirjail-a1b2c3d4",
    linger=60.0,
)
PATHS = VenvPaths("/v/env")


def test_a_newer_jail_tells_more() -> None:
    answer = {**dataclasses.asdict(STATUS), "of_the_future": True}
    assert client._parse(PATHS, answer) == STATUS


def test_an_older_jail_tells_too_little() -> None:
    answer = dataclasses.asdict(STATUS)
    del answer["linger"]
    with pytest.raises(JailError, match=r"^the jail of /v/env was started by another version"):
        client._parse(PATHS, answer)
