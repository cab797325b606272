"""venvjail: a Python virtual environment whose programs run in a jail.

This module stays empty of imports: the entry behind every command in ``venv/bin``
imports the package, and its start is what a user feels.
"""

__version__ = "0.1.0"
