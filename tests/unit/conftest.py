"""The same examples in each run: a test that fails now and then is worse than one never written."""

from hypothesis import settings

# No database: the checkout may be read-only for the user who tests.  No deadline: machines differ.
settings.register_profile("venvjail", derandomize=True, database=None, deadline=None)
settings.load_profile("venvjail")
