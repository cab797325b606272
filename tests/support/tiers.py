"""The tiers of the tests: which directory is which, and how many tests each has."""

from collections import Counter
from collections.abc import Iterable, Mapping

#: Fastest first; each is a directory below ``tests/`` and a marker.
TIERS = ("unit", "ops", "model", "mount", "jail", "escape", "faults", "docs", "soak")


def tier_of(node_id: str) -> str | None:
    """Return the tier of the test with pytest's ``node_id``, ``None`` for one outside all tiers."""
    parts = node_id.split("::", 1)[0].split("/")
    return next((tier for tier in TIERS if tier in parts[:-1]), None)


def count_by_tier(node_ids: Iterable[str]) -> Mapping[str, int]:
    """Count the different ``node_ids`` of each tier; a tier without any has the count 0."""
    return Counter(tier for node_id in set(node_ids) if (tier := tier_of(node_id)) is not None)
