"""Entry (host, then the jail): take the supervisor's answer, join the jail and run the command.

Imported when the question is on its way, so that the supervisor and this process work at once.
Nothing is imported once the jail's mounts are those of this process: it would be the jail's code.
"""

import _socket
import posix

from venvjail import imports, job, protocol, syscalls
from venvjail.answer import Answer, RefusedError, receive
from venvjail.entry import MOST_DESCRIPTORS
from venvjail.errors import EXIT_NO_JAIL, JailError, say
from venvjail.layout import VenvPaths, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn

    from venvjail.entry import Command, Environment
    from venvjail.streams import Redirected
else:
    import _signal

#: Of a failed command's arguments so many are looked at, and none that is too long for a path.
_MOST_WORDS = 24
_PATH_MAX = 4096
_ENOMEM = 12


def run(paths: VenvPaths, connection: _socket.socket, command: "Command") -> int | None:
    """Run the command in the jail, as ``entry.execute`` says; None where the jail has ended.

    ``connection`` is where the answer to a JOIN comes from.
    """
    answer = _answer(paths, connection)
    if answer is None:
        return None
    redirected = None
    if command.files:
        from venvjail.streams import Redirected

        redirected = Redirected(command.files)
    for notice in answer.notices:
        say(notice)
    _apply_environment(paths, command.environment, answer)
    syscalls.close_from(MOST_DESCRIPTORS)
    start = Start(paths, command, answer, redirected)
    terminal = answer.relays and start.terminal()
    if terminal:
        from venvjail import relay

        status = relay.run(*terminal, start)
    else:
        status = _stand_in(start)
    _say_done(paths, answer.lease, status, command)
    return job.end_like(status)


class Start:
    """The start of ``command`` in the jail of ``paths``, its environment ready.

    ``redirected`` are those of its streams that have to be opened anew in the jail.
    """

    __slots__ = ("answer", "caller", "command", "paths", "redirected")

    def __init__(
        self,
        paths: VenvPaths,
        command: "Command",
        answer: Answer,
        redirected: "Redirected | None",
    ) -> None:
        self.paths = paths
        self.command = command
        self.answer = answer
        self.caller = job.Caller()
        self.redirected = redirected

    def terminal(self) -> tuple[int, list[int]] | None:
        """The terminal in the caller's reach, opened anew; and the standard streams at one.

        One that is no stream counts as well: /dev/tty leads to it.
        """
        streams = [fd for fd in (0, 1, 2) if posix.isatty(fd)]
        path = "/dev/tty"
        if streams and not any(map(_is_controlling, streams)):
            path = f"/proc/self/fd/{streams[0]}"
        try:
            # A description of our own: that it does not block must be no news to the caller.
            flags = posix.O_RDWR | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
            return posix.open(path, flags), streams
        except OSError as error:
            if not streams:
                return None
            raise JailError(
                f"descriptor {streams[0]} is a terminal that cannot be opened: {error.strerror}; "
                f'redirect it, or allow the jail to use it: [jail] terminal = "shared" in '
                f"{self.paths.config}"
            ) from None

    def enter(self) -> None:
        """Join the jail."""
        imports.end()
        _enter(self.paths, self.answer.namespaces)
        # While the child is in the jail and still has our memory, no jailed process may trace it;
        # exec(2) makes the command dumpable again.  Not before setns(2), which makes it what
        # fs.suid_dumpable says; proc_sys_fs(5).
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        if self.redirected is not None:
            self.redirected.reopen()

    def fork(self, begin: "Callable[[], None] | None" = None) -> int:
        """Start the command, which calls ``begin`` first; its pid."""
        child = fork(self.paths)
        if child == 0:
            _become(self, begin)
        syscalls.clear_capability_sets()
        for fd, _ in self.answer.namespaces:
            posix.close(fd)
        return child

    def end(self) -> None:
        """The command has ended: leave the caller's files as it would have."""
        if self.redirected is not None:
            self.redirected.give_back()


def _stand_in(start: Start) -> int:
    """Run the command in this process's place, at the caller's terminal if there is one."""
    start.enter()
    child = start.fork()
    status = job.accompany(child, start.caller)
    start.end()
    return status


def _is_controlling(terminal: int) -> bool:
    try:
        posix.tcgetpgrp(terminal)
    except OSError:
        return False
    return True


def _answer(paths: VenvPaths, connection: _socket.socket) -> Answer | None:
    try:
        return receive(connection)
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
        return None


def fork(paths: VenvPaths) -> int:
    """fork(2); raises JailError."""
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


def _apply_environment(paths: VenvPaths, environment: "Environment", answer: Answer) -> None:
    for name in answer.withhold:
        environment.pop(name, None)
    environment[b"VENVJAIL"] = encode(paths.env)
    environment.update(answer.assign)


def _become(start: Start, begin: "Callable[[], None] | None") -> "NoReturn":
    """In the child, all namespaces joined: confine this process and run the command in it.

    ``begin`` is called first.  Without it the command stays in the caller's session.
    """
    command, answer = start.command, start.answer
    try:
        if begin is not None:
            begin()
        _change_directory(command.directory, answer.home)
        _mend_directories(command.environment, answer.home)
        words = command.prepare(command.environment)
        syscalls.drop_capabilities()
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if answer.processes is not None:
            syscalls.limit_processes(answer.processes)
        if answer.memory is not None:
            syscalls.limit_memory(answer.memory)
        if answer.ruleset is not None:
            syscalls.landlock_restrict_self(*answer.ruleset)
            if start.redirected is not None:
                start.redirected.check()
        # Last of all credential changes: they clear it (prctl(2)).
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)
        if start.caller.entry_is_gone():
            posix._exit(EXIT_NO_JAIL)
        start.caller.restore_signals()
        if answer.filter:
            syscalls.install_filter(answer.filter)
        elif begin is None:
            # There is no filter for this machine that keeps it from typing into the terminal
            # (TIOCSTI), which takes a terminal of one's own session; tty_ioctl(4).
            posix.setsid()
        posix._exit(_execute(words, command.environment))
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


def _mend_directories(environment: "Environment", home: bytes) -> None:
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


def _execute(command: list[str], environment: "Environment") -> int:
    """Execute the command; returns only when that fails, with the shell's status for it."""
    program = encode(command[0])
    candidates = [program]
    if b"/" not in program:
        path = environment.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin")
        candidates = [(entry or b".") + b"/" + program for entry in path.split(b":")]
    arguments = [encode(word) for word in command]
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


def _say_done(paths: VenvPaths, lease: _socket.socket, status: int, command: "Command") -> None:
    """Wait until the host's ``venv/bin`` shows what the command installed, but not for long.

    And print what the supervisor has to tell of the command, or of the jail's end.
    """
    fields = [b"%d" % status, command.directory]
    if status:
        words = [encode(word) for word in command.arguments[:_MOST_WORDS]]
        fields += [word for word in words if len(word) <= _PATH_MAX]
    lease.settimeout(5.0)
    try:  # noqa: SIM105 - contextlib takes milliseconds to import
        lease.send(protocol.pack(protocol.DONE, fields))
    except (OSError, protocol.ProtocolError):
        pass  # the jail has ended, and may have said why
    try:
        _, answer = protocol.unpack(lease.recv(protocol.LIMIT))
    except (OSError, protocol.ProtocolError):
        # The next start brings venv/bin up to date.
        if posix.WIFSIGNALED(status) and posix.WTERMSIG(status) == _signal.SIGKILL:
            say(b"the jail of " + encode(paths.env) + b" has ended, and the command with it")
        return
    for field in answer:
        if field[:1] == protocol.NOTICE:
            say(field[1:])
