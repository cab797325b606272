"""What becomes of the host's resolv.conf in a jail with a network of its own."""

import pytest

from venvjail.networks.resolver import FORWARD, rewritten

V4, V6 = FORWARD[4], FORWARD[6]


@pytest.mark.parametrize(
    ("text", "expected", "forward"),
    [
        ("nameserver 192.0.2.1\n", "nameserver 192.0.2.1\n", ()),
        ("", "", ()),
        ("nameserver 127.0.0.53\noptions edns0", f"nameserver {V4}\noptions edns0\n", (V4,)),
        ("nameserver ::1\n", f"nameserver {V6}\n", (V6,)),
        ("nameserver 0.0.0.0\n", f"nameserver {V4}\n", (V4,)),
        ("nameserver\t127.0.0.1 # here\n", f"nameserver {V4}\n", (V4,)),
        (
            "search a\nnameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 192.0.2.1\n",
            f"search a\nnameserver {V4}\nnameserver 192.0.2.1\n",
            (V4,),
        ),
        ("nameserver 127.0.0.1\nnameserver ::1\n", f"nameserver {V4}\nnameserver {V6}\n", (V4, V6)),
        # The host's own, and that of a cloud, are as unreachable as its loopback.
        ("nameserver 198.51.100.7\n", f"nameserver {V4}\n", (V4,)),
        ("nameserver fe80::1%eth0\n", "nameserver fe80::1%eth0\n", ()),
        ("#nameserver 127.0.0.1\n", "#nameserver 127.0.0.1\n", ()),
        ("nameserver what\n", "nameserver what\n", ()),
    ],
)
def test_rewritten(text: str, expected: str, forward: tuple[str, ...]) -> None:
    content, addresses = rewritten(text.encode(), {"198.51.100.7"})
    assert content.decode() == expected
    assert addresses == forward


def test_bytes_that_are_no_text_stay() -> None:
    assert rewritten(b"search caf\xe9\n", ())[0] == b"search caf\xe9\n"
    assert rewritten(b"nameserver \xe9\n", ()) == (b"nameserver \xe9\n", ())
