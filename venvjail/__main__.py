"""Command line (host): ``python -m venvjail``."""

from venvjail.cli import main

main()
