"""Runs everywhere: the errors a user sees, one lower-case line each, with the remedy."""

import posix

#: Exit status for wrong usage or an unreadable config.
EXIT_USAGE = 2
#: Exit status when the jail could not be started.
EXIT_NO_JAIL = 125

ROOT_REFUSED = (
    "refusing to run as root: a jail protects the files of the user it runs for; "
    "run it as an ordinary user (nothing was run)"
)


class UserError(Exception):
    """A message for the user: one line, no ``venvjail: `` prefix, naming path and remedy."""

    exit_status = EXIT_USAGE


class ConfigError(UserError):
    """A config file that cannot be used; starts with ``FILE:LINE:`` where the line is known."""


class JailError(UserError):
    """The jail could not be started or joined; nothing was run."""

    exit_status = EXIT_NO_JAIL


def say(line: bytes) -> None:
    """One line of ours on stderr, what a terminal would act on escaped.

    As ``quoting.printable`` does, which the entry cannot import once it is in the jail.
    """
    text = "".join(
        character if character.isprintable() else _escaped(character)
        for character in line.decode("utf-8", "surrogateescape")
    )
    try:
        posix.write(2, b"venvjail: " + text.encode() + b"\n")
    except OSError:
        return  # stderr is closed: there is nobody to tell


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8 (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]
