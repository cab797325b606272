"""Entry and supervisor (host): the messages on the control socket.

The socket is of type SOCK_SEQPACKET, so a message is one packet: three bytes of magic with the
protocol's version, one byte of kind, then fields of a 32-bit big-endian length and that many
bytes.  Small and fixed, so that a compiled client could replace the entry; one round trip joins.

Both sides parse strictly: anything else raises ProtocolError and ends the connection.  Only what
the entry can afford is imported here.
"""

MAGIC = b"VJ1"
#: Upper bound of a message, bytes; below the default send buffer of a Unix socket (208 KiB).
LIMIT = 131072
#: Upper bound of descriptors in one message.
MAX_DESCRIPTORS = 8

JOIN = b"J"
"""Entry to supervisor: join the jail.

Fields: home, command, working directory, names of environment variables."""
JOIN_NETWORK = b"N"
"""As JOIN, for a jail of this network mode alone, which is the first field."""
DONE = b"D"
"""Entry to supervisor: the command has ended.

Fields: its status as of waitpid(2), its working directory, its arguments if it failed.  Answered
when ``venv/bin`` is up to date, with a NOTICE field for each line to be printed."""
STATUS = b"S"
"""Command line to supervisor: one field of JSON comes back, the audit has been written."""
STOP = b"X"
"""Command line to supervisor: end the jail; the connection closes when it has ended."""
RELOAD = b"R"
"""Command line to supervisor: read the config files now.

The answer has a NOTICE field for each line to be printed."""
OK = b"O"
"""Supervisor's answer."""
ERROR = b"E"
"""Supervisor's refusal.  Field: one line for the user."""

# The fields of an answer to JOIN or DONE start with a byte that says what they are.
NAMESPACE = b"n"
"""The CLONE_NEW* flag, decimal, of the next descriptor that came with the message."""
RULESET = b"r"
"""The flags, decimal, to enforce the next descriptor with: a Landlock ruleset."""
FILTER = b"f"
"""The seccomp filter to install: an array of ``struct sock_filter``."""
PROCESSES = b"p"
"""Processes and threads, decimal, that the jail may have; absent where there is no limit."""
MEMORY = b"m"
"""Bytes of memory, decimal, that a process of the jail may have; absent where there is no limit."""
RELAY = b"t"
"""No value: the command must not get the caller's terminal, but one of the jail's."""
HOME = b"h"
"""The home in the jail, where a command starts whose working directory is hidden."""
WITHHOLD = b"-"
"""Name of an environment variable that the command must not get."""
ASSIGN = b"="
"""``NAME=value`` to set in the command's environment."""
NOTICE = b"!"
"""A line to print on stderr; also in the answer to DONE."""


class ProtocolError(Exception):
    """The other side sent something that is not a message."""


def pack(kind: bytes, fields: list[bytes]) -> bytes:
    """One message; ProtocolError where it would be longer than LIMIT."""
    parts = [MAGIC, kind]
    for field in fields:
        parts += (len(field).to_bytes(4, "big"), field)
    message = b"".join(parts)
    if len(message) > LIMIT:
        raise ProtocolError(f"message of {len(message)} bytes, at most {LIMIT} are possible")
    return message


def unpack(message: bytes) -> tuple[bytes, list[bytes]]:
    """Kind and fields of a message; ProtocolError where it is none."""
    if len(message) < 4 or message[:3] != MAGIC or len(message) > LIMIT:
        raise ProtocolError("not a message of this version")
    fields = []
    position = 4
    while position < len(message):
        length = int.from_bytes(message[position : position + 4], "big")
        start = position + 4
        position = start + length
        if position > len(message):
            raise ProtocolError("a field ends beyond its message")
        fields.append(message[start:position])
    return message[3:4], fields
