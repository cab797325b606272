"""What the tests of several tiers use."""
