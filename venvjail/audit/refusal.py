"""Supervisor and command line (host): what the audit is made of."""

from dataclasses import dataclass


@dataclass(slots=True)
class Refusal:
    """What one program was refused, or had redirected, at one path.

    ``pid`` is the last asker's in the jail, ``host_pid`` on the host.  ``sensitive`` says what
    secrets are there, empty for none; ``on_host`` that the host has the name.  Times are seconds
    since the epoch.  Undecodable bytes are escapes (``\\xff``).
    """

    exe: str
    operation: str
    path: str
    verdict: str
    command: str
    pid: int
    host_pid: int
    sensitive: str
    on_host: bool
    count: int
    first: float
    last: float

    def add(self, count: int, last: float) -> None:
        """Count ``count`` more, of which the last was at ``last``."""
        self.count += count
        self.last = max(self.last, last)
