"""Skip what cannot work on this machine, or fail where it must work."""

import os

import pytest


def require(condition: bool, reason: str) -> None:
    """Skip the running test unless ``condition`` holds; ``reason`` says what is missing here.

    With ``VENVJAIL_MUST_WORK=1``, as CI sets, the test fails instead: a jail that could not be
    tried must not look like one that held.
    """
    if condition:
        return
    if os.environ.get("VENVJAIL_MUST_WORK") == "1":
        pytest.fail(f"VENVJAIL_MUST_WORK=1, but {reason}", pytrace=False)
    pytest.skip(reason)
