"""What the observer hears, how errors are answered, and new rules in a running view."""

from __future__ import annotations

import errno
import logging
import os

import pytest

from fusefs.events import Event, Verdict
from fusefs.rules import Kind, Rule, Rules
from tests.support.clients import CONTEXT, Client
from tests.support.layouts import RULES, SECRET, Layout


def test_a_lookup_of_a_hidden_name_is_an_event_each_time(client: Client) -> None:
    for _ in range(2):
        client.exists("home/.ssh")
    event = Event("lookup", b"home/.ssh", Verdict.HIDDEN, 4711, errno.ENOENT, True)
    assert client.events == [event, event]


def test_an_event_says_whether_the_host_has_the_name(client: Client) -> None:
    client.exists("home/.aws")
    assert client.events == [
        Event("lookup", b"home/.aws", Verdict.HIDDEN, 4711, errno.ENOENT, False)
    ]


def test_a_secret_below_what_the_jail_made_itself_is_an_event(client: Client) -> None:
    client.mkdir("home/.ssh")
    client.events.clear()
    client.exists("home/.ssh/id_rsa")
    client.exists("home/.ssh/absent")
    assert [(event.path, event.exists) for event in client.events] == [(b"home/.ssh/id_rsa", True)]


def test_ordinary_misses_and_hits_are_not_events(client: Client) -> None:
    client.exists("home/.config/fish/absent")
    client.read("home/.bashrc")
    client.names("home")
    assert client.events == []


def test_a_refused_change_and_a_redirected_creation_are_events(client: Client) -> None:
    with pytest.raises(OSError, match="Read-only"):
        client.open("home/.bashrc", os.O_WRONLY)
    client.write("home/.config/fish/new", "x")
    client.mkdir("home/docs")
    assert client.events == [
        Event("open", b"home/.bashrc", Verdict.READ_ONLY, 4711, errno.EROFS, True),
        Event("create", b"home/.config/fish/new", Verdict.REDIRECTED, 4711, None, False),
        Event("mkdir", b"home/docs", Verdict.REDIRECTED, 4711, None, True),
    ]


def test_a_refused_rename_or_link_names_what_was_to_be_moved(client: Client) -> None:
    with pytest.raises(OSError, match="Read-only"):
        client.rename("home/.bashrc", "home/docs")
    with pytest.raises(OSError, match="Read-only"):
        client.link("home/.bashrc", "home/docs")
    refused = [event for event in client.events if event.verdict is Verdict.READ_ONLY]
    assert [(event.operation, event.path) for event in refused] == [
        ("rename", b"home/.bashrc"),
        ("link", b"home/.bashrc"),
    ]


def test_set_id_bits_are_denied(client: Client) -> None:
    with pytest.raises(PermissionError):
        client.create("home/x", 0o4755)
    assert client.events[-1].verdict is Verdict.DENIED


def test_a_trace_has_every_operation(layout: Layout) -> None:
    client = Client(layout, trace=True)
    client.read("home/.bashrc")
    operations = [(event.operation, event.verdict) for event in client.events]
    allowed = ("lookup", "lookup", "open", "read", "release")
    assert operations == [(operation, Verdict.ALLOWED) for operation in allowed]
    assert all(event.exists and event.errno is None for event in client.events)
    client.operations.close()


@pytest.mark.parametrize("verdict", Verdict)
def test_verdicts_are_words_for_people(verdict: Verdict) -> None:
    assert verdict.value in ("allowed", "hidden", "read-only", "denied", "redirected")


def test_a_bug_is_logged_and_answered_with_eio(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(client.operations._view.home, "open", broken)
    with caplog.at_level(logging.ERROR, "fusefs"), pytest.raises(OSError) as caught:
        client.open("home/.bashrc")
    assert caught.value.errno == errno.EIO
    assert [record.name for record in caplog.records] == ["fusefs"]
    assert "ZeroDivisionError" in caplog.text


def test_a_failing_observer_does_not_change_the_answer(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(event: Event) -> None:
        raise ValueError(event)

    monkeypatch.setattr(client.operations._request, "_observer", broken)
    client.write("home/x", "data")
    assert client.read("home/x") == "data"
    assert "reporting create failed" in caplog.text


def test_new_rules_hide_at_once_what_the_kernel_still_knows(layout: Layout) -> None:
    client = Client(layout, [*RULES, Rule(b"docs", Kind.ALLOW)])
    assert client.read("home/docs/diary") == SECRET
    directory, file = client.inode("home/docs"), client.inode("home/docs/diary")
    client.operations.replace_rules(Rules(RULES), ())
    for call in (
        client.operations.open(file, os.O_RDONLY, CONTEXT),
        client.operations.getattr(file, CONTEXT),
        client.operations.getattr(directory, CONTEXT),
    ):
        with pytest.raises(OSError) as caught:
            client.run(call)
        assert caught.value.errno == errno.ESTALE
    with pytest.raises(FileNotFoundError):
        client.lookup(directory, b"diary")
    assert not client.exists("home/docs")
    client.operations.close()


def test_new_rules_show_at_once(client: Client) -> None:
    assert not client.exists("home/docs/diary")
    client.operations.replace_rules(Rules([*RULES, Rule(b"docs", Kind.ALLOW)]), ())
    assert client.read("home/docs/diary") == SECRET
