"""``venvjail log --follow``: everything that is written is told of, once, whatever its time."""

import os
from collections.abc import Iterator

import pytest

from venvjail.audit.following import Follower
from venvjail.audit.refusal import Refusal
from venvjail.audit.store import Reader, Writer


def refusal(path: str, last: float, count: int = 1) -> Refusal:
    return Refusal("e", "lookup", path, "hidden", "c", 1, 1, "", True, count, last, last)


def paths(found: list[Refusal]) -> list[str]:
    return [row.path for row in found]


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("state") / "audit.sqlite")


@pytest.fixture
def writer(database: str) -> Iterator[Writer]:
    made = Writer(database)
    yield made
    made.close()


@pytest.fixture
def follower(database: str, writer: Writer) -> Iterator[Follower]:
    writer.write([refusal("/first", 100.0)])
    with Follower(database) as made:
        assert paths(made.news()) == ["/first"]
        yield made


def test_nothing_new_is_nothing(follower: Follower) -> None:
    assert follower.news() == []


def test_the_oldest_comes_first(follower: Follower, writer: Writer) -> None:
    writer.write([refusal("/later", 102.0), refusal("/earlier", 101.0)])
    assert paths(follower.news()) == ["/earlier", "/later"]


@pytest.mark.parametrize("last", [99.0, 100.0, 101.0])
def test_a_batch_that_is_written_late_is_told_of(
    follower: Follower, writer: Writer, last: float
) -> None:
    """With times before, at and after what was told of before: the clock can have been set back."""
    writer.write([refusal("/late", last)])
    assert paths(follower.news()) == ["/late"]
    assert follower.news() == []


def test_a_count_is_news(follower: Follower, writer: Writer) -> None:
    writer.write([refusal("/first", 100.0, count=3)])
    [row] = follower.news()
    assert row.count == 4


def test_what_was_cleared_can_come_again(follower: Follower, writer: Writer, database: str) -> None:
    with Reader(database) as reader:
        reader.clear()
    assert follower.news() == []
    writer.write([refusal("/first", 100.0)])
    assert paths(follower.news()) == ["/first"]


def test_another_file_in_its_place_is_read(
    follower: Follower, writer: Writer, database: str
) -> None:
    os.rename(database, database + ".moved")
    writer.write([refusal("/second", 100.0)])
    assert paths(follower.news()) == ["/second"]


def test_a_database_that_comes_later_is_read(database: str, writer: Writer) -> None:
    with Follower(database) as follower:
        assert follower.news() == []
        writer.write([refusal("/first", 100.0)])
        assert paths(follower.news()) == ["/first"]


def test_what_is_older_than_asked_for_is_left_out(database: str, writer: Writer) -> None:
    writer.write([refusal("/old", 100.0), refusal("/new", 200.0)])
    with Follower(database, since=150.0) as follower:
        assert paths(follower.news()) == ["/new"]
