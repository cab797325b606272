"""Runs on the host (creator): the config a new venv starts with."""


def initial_text(project: str | None) -> str:
    """``venvjail.toml`` of a new venv whose project is ``project``."""
    import json

    if project is None:
        return "# What programs in this venv's jail may see and change.\n"
    return f"[project]\npath = {json.dumps(project)}\n"
