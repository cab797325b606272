"""The messages of the control socket, as somebody hostile would write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvjail import protocol

KINDS = st.sampled_from([protocol.JOIN, protocol.DONE, protocol.STATUS, protocol.STOP])


@given(KINDS, st.lists(st.binary(max_size=300), max_size=40))
def test_what_was_packed_is_unpacked(kind: bytes, fields: list[bytes]) -> None:
    assert protocol.unpack(protocol.pack(kind, fields)) == (kind, fields)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_is_a_message(noise: bytes) -> None:
    """Nothing but ProtocolError; and what is accepted has one spelling."""
    for message in (noise, protocol.MAGIC + noise):
        try:
            kind, fields = protocol.unpack(message)
        except protocol.ProtocolError:
            continue
        assert protocol.pack(kind, fields) == message


@given(KINDS, st.lists(st.binary(max_size=50), min_size=1, max_size=8), st.data())
def test_a_cut_message_is_refused_or_has_fewer_fields(
    kind: bytes, fields: list[bytes], data: st.DataObject
) -> None:
    message = protocol.pack(kind, fields)
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    try:
        _, found = protocol.unpack(cut)
    except protocol.ProtocolError:
        return
    assert found == fields[: len(found)]
    assert len(found) < len(fields)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"VJ1",
        b"VJ0J",
        b"VJ2J",
        b"VJ1J\0",
        b"VJ1J\0\0\0",
        b"VJ1J\0\0\0\1",
        b"VJ1J\xff\xff\xff\xff",
        b"VJ1J" + b"\0\0\0\0" * (protocol.LIMIT // 4),
    ],
)
def test_refused(message: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.unpack(message)


def test_nothing_longer_than_the_limit_is_packed() -> None:
    room = protocol.LIMIT - 8
    assert len(protocol.pack(protocol.JOIN, [bytes(room)])) == protocol.LIMIT
    with pytest.raises(protocol.ProtocolError):
        protocol.pack(protocol.JOIN, [bytes(room + 1)])
