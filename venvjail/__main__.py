"""Command line (host): ``venvjail`` and ``python -m venvjail``.

For ``-m`` Python looks for modules in the working directory first, which may be a project that a
jail writes to.  A ``click.py`` there would run, unjailed, in the place of ours.  What is beyond our
reach is a ``venvjail.py``, which Python runs instead of this (``changes.Changes`` says when one
appears), and what Python imports by itself before it comes here, as ``contextlib``: the command
``venvjail`` knows no working directory.
"""

import sys

# Not there with -P, -I or PYTHONSAFEPATH.
if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

from venvjail.errors import EXIT_NO_JAIL


def main() -> None:
    """Run the command line; exits with the status that README.md lists.

    All that it imports is looked for in here: a dependency that is missing, or was built for a
    libfuse or a Python that has gone since, ends in a line that says what to install.
    """
    try:
        from venvjail.cli import main

        main()
    except ImportError as error:
        from venvjail.doctor.remedies import for_import, this_distribution

        sys.stderr.write(f"venvjail: {for_import(error, this_distribution())}\n")
        sys.exit(EXIT_NO_JAIL)


if __name__ == "__main__":
    main()
