"""Listings of open directories, bounded together."""

from fusefs.listing import Listings


def names(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_the_one_read_last_is_given_up_last() -> None:
    listings = Listings(10)
    for number in (1, 2, 3):
        listings.keep(number, names(3))
    assert listings.get(1) == names(3)
    listings.keep(4, names(3))
    assert listings.get(2) is None
    assert [listings.get(number) for number in (1, 3, 4)] == [names(3)] * 3


def test_one_beyond_the_limit_is_kept_alone() -> None:
    listings = Listings(10)
    listings.keep(1, names(3))
    listings.keep(2, names(50))
    assert listings.get(1) is None
    assert listings.get(2) == names(50)


def test_what_is_dropped_or_read_anew_does_not_count() -> None:
    listings = Listings(10)
    for _ in range(20):
        listings.keep(1, names(6))
        listings.keep(2, names(4))
        listings.drop(2)
    assert listings.get(1) == names(6)
