"""Command line (host): ``venvjail`` and ``python -m venvjail``."""

import sys

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
