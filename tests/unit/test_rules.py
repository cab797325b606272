"""The policy: what the nearest rule says, what HIDE and NEVER override, how fast it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusefs.rules import Access, Kind, Rule, Rules

ALLOW = Rule(b".config/git", Kind.ALLOW, "config:1")


def access(path: bytes, *rules: Rule) -> Access:
    return Rules(rules).position(path).access


def test_nothing_is_shown_by_default() -> None:
    rules = Rules()
    assert rules.root.access is Access.ANCESTOR
    assert rules.position(b".ssh").access is Access.HIDDEN
    assert rules.position(b".ssh").rule is None
    assert rules.root.named_children() == frozenset()


def test_an_allowed_directory_shows_all_below_and_its_ancestors() -> None:
    rules = Rules([ALLOW])
    assert rules.position(b".config").access is Access.ANCESTOR
    assert rules.position(b".config").named_children() == {b"git"}
    assert rules.position(b".config/git").access is Access.MERGED
    assert rules.position(b".config/git/deep/er").access is Access.MERGED
    assert rules.position(b".config/git/deep/er").rule is ALLOW
    assert rules.position(b".config/other").access is Access.HIDDEN


@pytest.mark.parametrize("path", [b"a", b"a/b", b"a/b/c"])
def test_hide_wins_over_allow_at_the_same_place_above_and_below(path: bytes) -> None:
    hide = Rule(b"a", Kind.HIDE)
    for kind in (Kind.ALLOW, Kind.ALLOW_RO):
        assert access(b"a/b/c", hide, Rule(path, kind)) is Access.HIDDEN
        assert access(b"a/b/c", Rule(b"a", kind), Rule(path, Kind.HIDE)) is Access.HIDDEN
    assert access(b"a", hide, Rule(b"a/b", Kind.ALLOW)) is Access.HIDDEN


def test_read_only_wins_over_allow_at_the_same_place_and_the_nearest_elsewhere() -> None:
    both = [Rule(b"a", Kind.ALLOW), Rule(b"a", Kind.ALLOW_RO)]
    assert access(b"a/x", *both) is Access.READ_ONLY
    assert access(b"a/x", *reversed(both)) is Access.READ_ONLY
    assert access(b"a/b", Rule(b"a", Kind.ALLOW_RO), Rule(b"a/b", Kind.ALLOW)) is Access.MERGED


def test_a_mountpoint_is_reachable_below_a_hide_and_shows_nothing_else() -> None:
    rules = Rules([Rule(b"src", Kind.HIDE), Rule(b"src/proj", Kind.MOUNTPOINT)])
    assert rules.position(b"src").access is Access.ANCESTOR
    assert rules.position(b"src/proj").access is Access.MOUNTPOINT
    assert rules.position(b"src/proj/src").access is Access.MOUNTPOINT
    assert rules.position(b"src/other").access is Access.HIDDEN


def test_never_closes_even_a_mountpoint() -> None:
    never = Rule(b"a", Kind.NEVER)
    for kind in Kind:
        assert access(b"a/b", never, Rule(b"a/b", kind)) is Access.HIDDEN
        assert access(b"a", never, Rule(b"a", kind)) is Access.HIDDEN
        assert access(b"a", never, Rule(b"a/b", kind)) is Access.HIDDEN


def test_a_rule_for_the_home_itself() -> None:
    assert access(b"anything", Rule(b"", Kind.ALLOW)) is Access.MERGED
    assert access(b"", Rule(b"", Kind.ALLOW_RO)) is Access.READ_ONLY
    hidden = Rules([Rule(b".", Kind.HIDE), Rule(b"a", Kind.ALLOW)])
    assert hidden.root.access is Access.ANCESTOR
    assert hidden.position(b"a").access is Access.HIDDEN


def test_a_path_that_climbs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\.\."):
        Rules([Rule(b"a/../b", Kind.ALLOW)])
    with pytest.raises(ValueError, match=r"\.\."):
        Rules().position(b"..")


def test_spelling_does_not_matter() -> None:
    assert access(b"a//./b/", Rule(b"/a/b/.", Kind.ALLOW)) is Access.MERGED


def test_ten_thousand_rules_are_no_slower_to_ask() -> None:
    def asking(rules: Rules) -> float:
        start = time.process_time()
        for _ in range(3000):
            rules.position(b"d5/f/x")
        return time.process_time() - start

    few = Rules(Rule(b"d%d/f" % n, Kind.ALLOW) for n in range(10))
    many = Rules(Rule(b"d%d/f" % n, Kind.ALLOW) for n in range(10_000))
    asking(few)
    assert asking(many) < 20 * asking(few) + 0.05


def test_a_very_deep_rule_does_not_exhaust_the_stack() -> None:
    deep = b"/".join([b"d"] * 2000)
    assert Rules([Rule(deep, Kind.ALLOW)]).position(deep).access is Access.MERGED


NAMES = st.sampled_from([b"a", b"b", b"c"])
PATHS = st.lists(NAMES, max_size=4).map(tuple)
RULES = st.lists(st.tuples(PATHS, st.sampled_from(Kind)), max_size=6)


def naive(rules: list[tuple[tuple[bytes, ...], Kind]], path: tuple[bytes, ...]) -> Access:
    """The same policy as one sentence about prefixes."""
    decided: Kind | None = None
    for length in range(len(path) + 1):
        here = {kind for rule, kind in rules if rule == path[:length]}
        if Kind.NEVER in here:
            return Access.HIDDEN if path else Access.ANCESTOR
        for kind in (Kind.MOUNTPOINT, Kind.HIDE, Kind.ALLOW_RO, Kind.ALLOW):
            if kind in here and (decided is not Kind.HIDE or kind is Kind.MOUNTPOINT):
                decided = kind
                break
    shown = {
        Kind.ALLOW: Access.MERGED,
        Kind.ALLOW_RO: Access.READ_ONLY,
        Kind.MOUNTPOINT: Access.MOUNTPOINT,
    }
    if decided in shown:
        return shown[decided]
    below = [rule for rule, _ in rules if len(rule) > len(path) and rule[: len(path)] == path]
    leads = any(naive(rules, rule) is not Access.HIDDEN for rule in below)
    return Access.ANCESTOR if leads or not path else Access.HIDDEN


def around(rules: list[tuple[tuple[bytes, ...], Kind]]) -> set[tuple[bytes, ...]]:
    """The paths of the rules, all above them, and what is directly below any of those."""
    above = {path[:length] for path, _ in rules for length in range(len(path) + 1)} | {()}
    return above | {(*path, name) for path in above for name in (b"a", b"other")}


@settings(deadline=None)
@given(RULES)
def test_the_tree_agrees_with_the_naive_model(
    rules: list[tuple[tuple[bytes, ...], Kind]],
) -> None:
    tree = Rules(Rule(b"/".join(names), kind) for names, kind in rules)
    for path in around(rules):
        assert tree.position(b"/".join(path)).access is naive(rules, path), path


@settings(deadline=None)
@given(RULES)
def test_visible_children_are_named(rules: list[tuple[tuple[bytes, ...], Kind]]) -> None:
    tree = Rules(Rule(b"/".join(names), kind) for names, kind in rules)
    for path in around(rules):
        position = tree.position(b"/".join(path))
        if position.access is Access.ANCESTOR:
            visible = {
                name
                for name in (b"a", b"b", b"c", b"other")
                if position.child(name).access is not Access.HIDDEN
            }
            assert visible <= position.named_children()


def test_of_equal_rules_the_first_is_named() -> None:
    first, second = Rule(b"a", Kind.ALLOW, "one"), Rule(b"a", Kind.ALLOW, "two")
    assert Rules([first, second]).position(b"a").rule is first


def test_what_leads_to_nothing_but_never_is_hidden() -> None:
    never = Rule(b"a/b/c", Kind.NEVER)
    assert access(b"a", never) is Access.HIDDEN
    assert access(b"a/b", Rule(b"a/b", Kind.HIDE), never) is Access.HIDDEN
    assert access(b"a", Rule(b"a", Kind.HIDE), never) is Access.HIDDEN


def test_never_holds_between_a_hide_and_a_mountpoint() -> None:
    rules = [Rule(b"a", Kind.HIDE), Rule(b"a/b", Kind.NEVER), Rule(b"a/b/c", Kind.MOUNTPOINT)]
    assert access(b"a/b/c", *rules) is Access.HIDDEN
    assert access(b"a/b", *rules) is Access.HIDDEN
    assert Rules(rules).position(b"a/b").rule is rules[1]


def test_the_way_to_a_mountpoint_below_a_hide_is_there() -> None:
    rules = [Rule(b"a/b", Kind.HIDE), Rule(b"a/b/c", Kind.MOUNTPOINT)]
    assert access(b"a", *rules) is Access.ANCESTOR
    assert access(b"a/b", *rules) is Access.ANCESTOR


def test_no_rule_names_a_child_of_what_none_mentions() -> None:
    assert Rules().position(b"a").named_children() == frozenset()
