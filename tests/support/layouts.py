"""Homes for the file system's tests: something of each kind, and an empty store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fusefs.rules import Kind, Rule

SECRET = "the secret"

RULES = (
    Rule(b".bashrc", Kind.ALLOW),
    Rule(b".profile", Kind.ALLOW),
    Rule(b".config/fish", Kind.ALLOW),
    Rule(b".config/git", Kind.ALLOW),
    Rule(b".config/git/credentials", Kind.HIDE),
    Rule(b".local/bin", Kind.ALLOW),
    Rule(b".pyenv", Kind.ALLOW_RO),
    Rule(b"later", Kind.ALLOW),
    Rule(b"proj", Kind.MOUNTPOINT),
)

_FILES = {
    ".bashrc": "alias ll='ls -l'\n",
    ".dirjailconfig": "",
    ".ssh/id_rsa": SECRET,
    ".config/fish/config.fish": "set -x A 1\n",
    ".config/git/config": "[user]\n",
    ".config/git/credentials": SECRET,
    ".config/other/settings": SECRET,
    ".local/bin/tool": "#!/bin/sh\n",
    ".pyenv/version": "3.11\n",
    "docs/diary": SECRET,
    "dotfiles/profile": "umask 022\n",
    "dotfiles/more/deep": "deep\n",
    "proj/code.py": "pass\n",
}


@dataclass(frozen=True)
class Layout:
    """Where a test's files are, all below one temporary directory."""

    base: Path

    @property
    def host(self) -> Path:
        """The host's home."""
        return self.base / "alice"

    @property
    def store(self) -> Path:
        """The store, in the host's home as it is for a user."""
        return self.host / "proj" / "venv" / "home"

    @property
    def state(self) -> Path:
        """A directory that is never shown."""
        return self.host / "proj" / "venv" / ".venvjail"

    @property
    def never(self) -> tuple[Path, ...]:
        """The paths that are never shown."""
        return self.store, self.state, self.host / ".dirjailconfig"

    @property
    def mountpoint(self) -> Path:
        """Where the view is mounted."""
        return self.base / "mnt"

    @classmethod
    def make(cls, base: Path) -> Layout:
        """Create a home with everything that `RULES` speaks of, and much that they hide."""
        layout = cls(base)
        for name, text in _FILES.items():
            path = layout.host / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (layout.host / ".profile").symlink_to("dotfiles/profile")
        layout.store.mkdir(parents=True)
        layout.state.mkdir()
        (layout.state / "config").write_text(SECRET)
        layout.mountpoint.mkdir()
        return layout
