"""Command line (host): ``python -m venvjail``.

For ``-m`` Python looks for modules in the working directory first, which may be a project that a
jail writes to.  A ``click.py`` there would run, unjailed, in the place of ours.  What is beyond our
reach is a ``venvjail.py``, which Python runs instead of this (``changes.Changes`` says when one
appears), and what Python imports by itself before it comes here, as ``contextlib``: the command
``venvjail`` knows no working directory.
"""

import sys

# Not there with -P, -I or PYTHONSAFEPATH.
if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

from venvjail.cli import main

main()
