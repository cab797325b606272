"""Runs everywhere: the errors a user sees, one lower-case line each, with the remedy."""

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
