"""Entry (host, then the jail): the program behind ``venv/bin/python`` and every other command.

It asks the supervisor for the jail's namespaces, joins them, forks, and runs the command in the
child.  The parent stays as the command's stand-in on the host: it passes signals and job control
on and ends as the command ends.  Its connection to the supervisor is the command's lease.

This runs at every start of a command under ``python -I -S``, so it imports built-in modules and
little else; what only a cold start needs is in ``start``.
"""

import _socket
import posix
import sys

from venvjail import job, protocol, syscalls
from venvjail.answer import Answer, RefusedError, receive
from venvjail.errors import EXIT_NO_JAIL, ROOT_REFUSED, JailError, UserError
from venvjail.layout import VenvPaths

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
_ANSWER_SECONDS = 30.0
_ATTEMPTS = 10
#: Of a failed command's arguments so many are looked at, and none that is too long for a path.
_MOST_WORDS = 24
_PATH_MAX = 4096
_ENOMEM = 12


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

            return execute(paths, "shell", shell(paths))
        path = f"{paths.bin}/{name}"
        return execute(paths, path, lambda _environment: [path, *arguments], arguments)
    except UserError as error:
        say(syscalls.encode(str(error)))
        return error.exit_status


def execute(
    paths: VenvPaths, command: str, prepare: "Prepare", arguments: "Sequence[str]" = ()
) -> int:
    """Run a command in the jail; its exit status, or this process dies the death it died.

    ``command`` is its name for the audit.  ``prepare`` is called in the jail with the command's
    environment, which it may change, and returns the command line, whose first word is a path or
    a name to be found in PATH.  ``arguments`` are looked through for hidden paths when the
    command fails.  Raises JailError where the jail cannot be joined: nothing has been
    run then.
    """
    _refuse_root()
    files = _check_standard_descriptors()
    redirected = None
    if files:
        from venvjail.streams import Redirected

        redirected = Redirected(files)
    # Nothing the caller has open reaches the jail: a descriptor would open what the view hides.
    posix.closerange(3, 1 << 20)
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    environment = dict(posix.environ)
    try:
        directory = posix.getcwdb()
    except OSError:
        directory = b""
    answer = _join(paths, command, directory, environment)
    for notice in answer.notices:
        say(notice)
    _apply_environment(paths, environment, answer)
    # While this process is in the jail's user namespace and still has its own memory, no jailed
    # process may trace it; exec(2) makes the command dumpable again.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    _enter(paths, answer.namespaces)
    if redirected is not None:
        redirected.reopen()
    caller = job.Caller()
    child = _fork(paths)
    if child == 0:
        _become(prepare, environment, directory, answer, caller)
    syscalls.clear_capability_sets()
    for fd, _ in answer.namespaces:
        posix.close(fd)
    status = job.accompany(child, caller)
    if redirected is not None:
        redirected.give_back()
    _say_done(answer.lease, status, directory, arguments)
    return job.end_like(status)


def _fork(paths: VenvPaths) -> int:
    try:
        return posix.fork()
    except OSError as error:
        reason = error.strerror
        if error.errno == _ENOMEM:  # also where init has ended; pid_namespaces(7)
            reason = "it has ended meanwhile; run the command again"
        raise JailError(f"cannot run in the jail of {paths.env}: {reason}") from None


def _enter(paths: VenvPaths, namespaces: list[tuple[int, int]]) -> None:
    try:
        for fd, kind in namespaces:
            syscalls.setns(fd, kind)
    except OSError as error:
        raise JailError(
            f"cannot join the jail of {paths.env}: {error.strerror} (was it started in another "
            f"container or user namespace?); end it: venvjail stop {paths.env}"
        ) from None


def say(line: bytes) -> None:
    """One line of ours on stderr, what a terminal would act on escaped.

    As ``quoting.printable`` does, which cannot be imported once in the jail.
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
                f"move it back or make it anew: python -m venvjail --clear VENV"
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
            paths.run, syscalls.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
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
        raise JailError(f"the socket in {paths.run} is served by another user; remove it")
    return connection


def _join(paths: VenvPaths, command: str, directory: bytes, environment: Environment) -> Answer:
    fields = [environment.get(b"HOME", b""), syscalls.encode(command), directory, *environment]
    try:
        request = protocol.pack(protocol.JOIN, fields)
    except protocol.ProtocolError:
        raise JailError("the names of the environment variables are too long together") from None
    for _ in range(_ATTEMPTS):
        connection = connect(paths)
        if connection is None:
            from venvjail import start

            start.start_supervisor(paths)
            continue
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.send(request)
            answer = receive(connection)
        except TimeoutError:
            raise JailError(
                f"the jail's supervisor does not answer; try: venvjail stop {paths.env}"
            ) from None
        except RefusedError as refusal:
            raise JailError(str(refusal)) from None
        except protocol.ProtocolError:
            raise JailError(
                f"the socket in {paths.run} does not answer as this venvjail does; "
                f"end what serves it: venvjail stop {paths.env}"
            ) from None
        except OSError:
            answer = None
        if answer is not None:
            return answer
        # The jail ended between our connecting and its accepting: start anew.
    raise JailError(f"the jail of {paths.env} ends as soon as it starts; see {paths.run}/log")


def _apply_environment(paths: VenvPaths, environment: Environment, answer: Answer) -> None:
    for name in answer.withhold:
        environment.pop(name, None)
    environment[b"VENVJAIL"] = syscalls.encode(paths.env)
    environment.update(answer.assign)


def _become(
    prepare: "Prepare",
    environment: Environment,
    directory: bytes,
    answer: Answer,
    caller: job.Caller,
) -> None:
    """In the child, all namespaces joined: confine this process and run the command in it."""
    try:
        _change_directory(directory, answer.home)
        _mend_directories(environment, answer.home)
        command = prepare(environment)
        syscalls.drop_capabilities()
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if answer.processes is not None:
            syscalls.limit_processes(answer.processes)
        if answer.ruleset is not None:
            syscalls.landlock_restrict_self(*answer.ruleset)
        # Last of all credential changes: they clear it (prctl(2)).
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)
        if caller.entry_is_gone():
            posix._exit(EXIT_NO_JAIL)
        caller.restore_signals()
        if answer.filter:
            syscalls.install_filter(answer.filter)
        else:
            # There is no filter for this machine that keeps it from typing into the terminal
            # (TIOCSTI), which takes a terminal of one's own session; tty_ioctl(4).
            posix.setsid()
        posix._exit(_run(command, environment))
    except BaseException as error:  # noqa: BLE001 - whatever it is, this process must not go on
        say(f"cannot run the command: {error}".encode("utf-8", "surrogateescape"))
        posix._exit(EXIT_NO_JAIL)


def _change_directory(directory: bytes, home: bytes) -> None:
    try:
        posix.chdir(directory)
        return
    except OSError:
        pass
    try:
        posix.chdir(home)
    except OSError:
        posix.chdir("/")
    if directory:
        say(directory + b" is not visible in the jail; the command starts in " + posix.getcwdb())


def _mend_directories(environment: Environment, home: bytes) -> None:
    """Without the host's TMPDIR programs fall back to /tmp; HOME may be a hidden symlink to it."""
    for name in (b"TMPDIR", b"TEMP", b"TMP", b"HOME"):
        path = environment.pop(name, None)
        if path is None:
            continue
        try:
            posix.stat(path)
            environment[name] = path
        except OSError:
            if name == b"HOME":
                environment[name] = home


def _run(command: list[str], environment: Environment) -> int:
    """Execute the command; returns only when that fails, with the shell's status for it."""
    program = syscalls.encode(command[0])
    candidates = [program]
    if b"/" not in program:
        path = environment.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin")
        candidates = [(entry or b".") + b"/" + program for entry in path.split(b":")]
    arguments = [syscalls.encode(word) for word in command]
    denied = None
    for candidate in candidates:
        try:
            posix.execve(candidate, arguments, environment)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            denied = denied or error
    if denied is None:
        say(program + b": not found in the jail")
        return 127
    say(program + b": " + (denied.strerror or "").encode())
    return 126


def _say_done(
    lease: _socket.socket, status: int, directory: bytes, arguments: "Sequence[str]"
) -> None:
    """Wait until the host's ``venv/bin`` shows what the command installed, but not for long.

    And print what the supervisor has to tell of the command.
    """
    fields = [b"%d" % status, directory]
    if status:
        words = [syscalls.encode(word) for word in arguments[:_MOST_WORDS]]
        fields += [word for word in words if len(word) <= _PATH_MAX]
    try:
        lease.settimeout(5.0)
        lease.send(protocol.pack(protocol.DONE, fields))
        _, answer = protocol.unpack(lease.recv(protocol.LIMIT))
    except (OSError, protocol.ProtocolError):
        return  # the jail has ended; the next start brings venv/bin up to date
    for field in answer:
        if field[:1] == protocol.NOTICE:
            say(field[1:])
