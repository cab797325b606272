"""What pasta is told, and what is understood of it."""

import socket

import pytest

from venvjail.config.model import DEFAULT, Publish
from venvjail.networks import netlink
from venvjail.networks.isolation import command
from venvjail.networks.pasta import reason


def options(words: tuple[str, ...], name: str) -> list[str]:
    return [words[place + 1] for place, word in enumerate(words) if word == name]


def test_nothing_of_the_host_is_open_unless_asked_for() -> None:
    words = command("/usr/bin/pasta", (), (), to_loopback=False)
    assert words[0] == "/usr/bin/pasta"
    assert {"--no-map-gw", "--config-net", "--foreground"} <= set(words)
    for name in ("--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns"):
        assert options(words, name) == ["none"]
    assert options(words, "--dns-forward") == []


def test_published_ports() -> None:
    publish = (
        Publish(8000, 8000, DEFAULT),
        Publish(8080, 80, DEFAULT, "0.0.0.0"),
        Publish(8080, 80, DEFAULT, "::1"),
    )
    words = command("pasta", publish, ("169.254.1.1",), to_loopback=False)
    assert options(words, "--tcp-ports") == [
        "127.0.0.1/8000:8000",
        "0.0.0.0/8080:80",
        "::1/8080:80",
    ]
    assert options(words, "--dns-forward") == ["169.254.1.1"]
    assert "--host-lo-to-ns-lo" not in words


def test_newer_versions_are_told_to_lead_to_the_loopback() -> None:
    publish = (Publish(1, 1, DEFAULT),)
    assert "--host-lo-to-ns-lo" in command("pasta", publish, (), to_loopback=True)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "it ended without a word"),
        ("Failed to send 9 bytes to syslog\nNo way\nFailed to send 9 bytes to syslog\n", "No way"),
        ("first\nlast\n\n", "last"),
    ],
)
def test_why_pasta_ended(said: str, expected: str) -> None:
    assert reason(said) == expected


def test_the_addresses_of_this_machine() -> None:
    found = netlink.addresses()
    assert "127.0.0.1" in found
    for address in found:
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
