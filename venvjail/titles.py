"""Runs on the host (supervisor, command line): the supervisor's process title, and who reads it.

``ps`` and ``venvjail status`` find a venv's jail by it: ``venvjail: supervisor /home/alice/venv``.
"""

from venvjail.quoting import path_text, toml_string

_PREFIX = "venvjail: supervisor "


def supervisor_title(venv: str) -> str:
    """The title of the supervisor of ``venv``; as UTF-8, which setproctitle insists on.

    A path that is no UTF-8 is shown as a TOML string, which no absolute path looks like.
    """
    if any("\udc80" <= char <= "\udcff" for char in venv):
        venv = toml_string(venv)
    return _PREFIX + venv


def venv_of(title: str) -> str | None:
    """The venv of the supervisor with this title; None for the title of anything else."""
    if not title.startswith(_PREFIX):
        return None
    venv = title[len(_PREFIX) :]
    if venv.startswith("/"):
        return venv
    from venvjail.config import toml  # which the supervisor does without

    try:
        value = toml.loads(f"venv = {venv}")["venv"]
    except toml.TOMLDecodeError:
        return None
    return path_text(value) if isinstance(value, str) else None
