"""Which entries of /proc can be read."""

from __future__ import annotations

from fusefs.proc import ProcRules


def readable(path: bytes, rules: ProcRules | None = None) -> bool:
    return (rules or ProcRules()).readable(tuple(path.split(b"/")))


def test_only_listed_top_level_entries() -> None:
    assert readable(b"cpuinfo")
    assert not readable(b"kcore")
    assert readable(b"diskstats", ProcRules(allow=frozenset((b"diskstats",))))


def test_listed_sysctls_and_the_way_to_them() -> None:
    assert readable(b"sys")
    assert readable(b"sys/kernel")
    assert readable(b"sys/kernel/osrelease")
    assert not readable(b"sys/kernel/core_pattern")
    assert not readable(b"sys/dev")


def test_a_listed_directory_means_all_below() -> None:
    assert readable(b"sys/kernel/random")
    assert readable(b"sys/kernel/random/uuid")
    assert not readable(b"sys/kernel/randomize")


def test_sys_is_filtered_even_when_listed_at_the_top() -> None:
    rules = ProcRules(allow=frozenset((b"sys",)))
    assert not readable(b"sys/kernel/core_pattern", rules)
