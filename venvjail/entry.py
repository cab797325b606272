"""Entry (host): the program behind ``venv/bin/python`` and every other command.

It asks the supervisor for the jail's namespaces, joins them, forks, and runs the command in the
child.  The parent stays as the command's stand-in on the host: it passes signals and job control
on and ends as the command ends.  Its connection to the supervisor is the command's lease.

This runs at every start of a command under ``python -I -S``, so it imports built-in modules and
little else; all after the question is in ``joining``, what only a cold start needs is in ``start``.
"""

import _socket
import posix
import sys

from venvjail import protocol
from venvjail.errors import ROOT_REFUSED, JailError, UserError, say
from venvjail.layout import VenvPaths, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    Prepare = Callable[["Environment"], list[str]]
else:
    import _signal

Environment = dict[bytes, bytes]

_NEW_SHELL = "activate-new-shell"
#: The kernel's own fs.nr_open; systemd raises it, and ``joining`` closes what is beyond.
MOST_DESCRIPTORS = 1 << 20
_ANSWER_SECONDS = 30.0
_ATTEMPTS = 10


class Command:
    """What is to be run, and what its caller gave this process.

    ``prepare``, ``arguments`` and ``is_shell`` are those of ``execute``; ``directory`` is the
    current one, empty where it is gone; ``files`` are the standard descriptors that are regular
    files.
    """

    __slots__ = ("arguments", "directory", "environment", "files", "is_shell", "prepare")

    def __init__(
        self, prepare: "Prepare", arguments: "Sequence[str]", is_shell: bool, files: list[int]
    ) -> None:
        self.prepare = prepare
        self.arguments = arguments
        self.is_shell = is_shell
        self.files = files
        self.environment = dict(posix.environ)
        try:
            self.directory = posix.getcwdb()
        except OSError:
            self.directory = b""


def main(venv: str, script: str, arguments: list[str]) -> "NoReturn":
    """Run the command whose entry is ``script`` in the jail of ``venv``, and exit as it does.

    Without the interpreter's own clean-up, 2 ms of nothing: all output went to the descriptors.
    """
    posix._exit(_status(venv, script, arguments))


def _status(venv: str, script: str, arguments: list[str]) -> int:
    try:
        paths = VenvPaths(venv)
        name = _command_name(paths, script)
        if name == _NEW_SHELL:
            from venvjail.active import shell

            return execute(paths, "shell", shell(paths), is_shell=True)
        path = f"{paths.bin}/{name}"
        return execute(paths, path, lambda _environment: [path, *arguments], arguments)
    except UserError as error:
        say(encode(str(error)))
        return error.exit_status


def execute(
    paths: VenvPaths,
    name: str,
    prepare: "Prepare",
    arguments: "Sequence[str]" = (),
    network: str = "",
    *,
    is_shell: bool = False,
) -> int:
    """Run a command in the jail; its exit status, or this process dies the death it died.

    ``name`` is the command's for the audit.  ``prepare`` is called in the jail with the command's
    environment, which it may change, and returns the command line, whose first word is a path or
    a name to be found in PATH.  ``arguments`` are looked through for hidden paths when the
    command fails.  ``network`` is the network mode that the jail must have; empty, that of the
    config.  ``is_shell`` is for a command that makes jobs of what it runs: keys that signal are
    not for the job that it is in itself then.  Raises JailError where the jail cannot be joined:
    nothing has been run then.
    """
    _refuse_root()
    files = _check_standard_descriptors()
    # Nothing the caller has open reaches the jail: a descriptor would open what the view hides.
    posix.closerange(3, MOST_DESCRIPTORS)
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    command = Command(prepare, arguments, is_shell, files)
    request = _request(name, command, network)
    for _ in range(_ATTEMPTS):
        connection = connect(paths)
        if connection is None:
            from venvjail import start

            start.start_supervisor(paths, network)
        elif _is_sent(connection, request):
            from venvjail import joining

            status = joining.run(paths, connection, command)
            if status is not None:
                return status
        # The jail ended between our connecting and its accepting: start anew.
    raise JailError(f"the jail of {paths.env} ends as soon as it starts; see {paths.run}/log")


def _request(name: str, command: Command, network: str) -> bytes:
    environment = command.environment
    fields = [environment.get(b"HOME", b""), encode(name), command.directory, *environment]
    kind = protocol.JOIN
    if network:
        kind = protocol.JOIN_NETWORK
        fields.insert(0, encode(network))
    try:
        return protocol.pack(kind, fields)
    except protocol.ProtocolError:
        raise JailError("the names of the environment variables are too long together") from None


def _is_sent(connection: _socket.socket, request: bytes) -> bool:
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.send(request)
    except OSError:
        return False
    return True


def _command_name(paths: VenvPaths, script: str) -> str:
    """The command that ``script`` stands for; JailError when it is not this venv's own entry."""
    name = script.rpartition("/")[2]
    directory = paths.state if name == _NEW_SHELL else paths.bin
    expected = f"{directory}/{name}"
    if not _same_file(script, expected):
        import os

        real = os.path.realpath(script)
        name = real.rpartition("/")[2]
        expected = f"{paths.bin}/{name}"
        if not _same_file(real, expected):
            raise JailError(
                f"{script} belongs to the venv {paths.env}, which was moved, renamed or copied; "
                f"move it back or make it anew: venvjail --clear VENV"
            )
    return name


def _same_file(first: str, second: str) -> bool:
    try:
        one, two = posix.lstat(first), posix.lstat(second)
    except OSError:
        return False
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def _refuse_root() -> None:
    if posix.geteuid() == 0 or posix.getuid() == 0:
        raise JailError(ROOT_REFUSED)


def _check_standard_descriptors() -> list[int]:
    """Fill closed ones of 0 to 2, and refuse directories: openat(2) on one gets round the view.

    Those that are regular files are returned.
    """
    files = []
    for fd in (0, 1, 2):
        try:
            mode = posix.fstat(fd).st_mode
        except OSError:
            # Gets the lowest free number, fd; closed again at exec, as all that Python opens.
            posix.open("/dev/null", posix.O_RDWR)
            continue
        if mode & 0o170000 == 0o040000:
            raise JailError(f"descriptor {fd} is a directory; redirect it from a file instead")
        if mode & 0o170000 == 0o100000:
            files.append(fd)
    return files


def connect(paths: VenvPaths) -> _socket.socket | None:
    """A connection to the supervisor, or None when no jail runs.

    Owner and mode of the runtime directory and the peer's user are checked first: a directory
    that another user can write to could hold a forged socket (the class of CVE-2022-31214).
    """
    try:
        directory = posix.open(
            paths.run, posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JailError(
            f"{paths.run}: {error.strerror}; this must be a directory of yours"
        ) from None
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    try:
        status = posix.fstat(directory)
        if status.st_uid != posix.getuid() or status.st_mode & 0o077:
            connection.close()
            raise JailError(
                f"{paths.run} must belong to you and have mode 0700: chmod 700 {paths.run}"
            )
        # Through /proc, since the path may be longer than the 107 bytes of sun_path; unix(7).
        connection.connect(f"/proc/self/fd/{directory}/control")
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise JailError(f"cannot reach the jail's supervisor: {error.strerror}") from None
    finally:
        posix.close(directory)
    credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    if int.from_bytes(credentials[4:8], sys.byteorder) != posix.getuid():
        connection.close()
        raise JailError(f"the socket in {paths.run} is served by another user; remove it")
    return connection
