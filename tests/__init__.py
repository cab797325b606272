"""The tests of venvjail and fusefs, in tiers by directory; see docs/contributing.md."""
