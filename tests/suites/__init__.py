"""Suites that others wrote, run plain and in the jail: the difference is the result.

`python -m tests.suites DIRECTORY` runs all of them (``make suites``); a few run as ordinary tests,
``tests/jail/test_suites.py``.  What differs and is to differ is in ``differences.toml``.
"""
