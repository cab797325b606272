"""Entry (host): start the supervisor of a venv, exactly one however many commands start at once.

Whoever finds no socket takes the lock in the runtime directory and looks again; the supervisor
inherits the lock and gives it up when it listens, so the others find the socket then.
"""

import fcntl
import os
import resource
import sys

from venvjail import entry, recorded
from venvjail.errors import EXIT_NO_JAIL, JailError
from venvjail.layout import VenvPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from venvjail.recorded import Fields
else:
    import _signal  # signal itself imports enum

_ENVIRONMENT = ("HOME", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "XDG_RUNTIME_DIR")
_LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_NPROC,
)
_SUPERVISOR = (
    "import sys; sys.path[:0] = sys.argv[5:]; "
    "from venvjail.serving.supervisor import main; "
    "main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
)


def start_supervisor(paths: VenvPaths, network: str = "") -> None:
    """Return when a supervisor listens; JailError with its reason when it cannot.

    ``network`` takes the place of ``[network] mode`` where this call starts it.
    """
    record = recorded.load(paths.env)
    lock = _open_lock(paths)
    # Others wait for the lock: Ctrl-Z takes effect when the jail runs.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGTSTP})
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = entry.connect(paths)
        if connection is not None:
            connection.close()
            return
        result = _launch(paths, record, lock, network)
    finally:
        os.close(lock)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    if result != b"R":
        raise _failure(result, paths)


def _open_lock(paths: VenvPaths) -> int:
    """The start lock, not held yet; the runtime directory is made where it is missing."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:  # noqa: SIM105 - contextlib takes milliseconds to import
            os.mkdir(paths.run, 0o700)
        except FileExistsError:
            pass  # of a jail before
        return os.open(paths.run + "/lock", flags, 0o600)
    except OSError as error:
        raise JailError(
            f"{error.filename or paths.run}: {error.strerror}; the jail needs a file of yours "
            f"there, in a directory that you can write to"
        ) from None


def _failure(result: bytes, paths: VenvPaths) -> JailError:
    if result[:1] != b"E":
        return JailError(f"the jail's supervisor died at its start; see {paths.run}/log")
    error = JailError(result[4:].decode("utf-8", "surrogateescape"))
    error.exit_status = int(result[1:4])
    return error


def _launch(paths: VenvPaths, record: "Fields", lock: int, network: str) -> bytes:
    """Start the supervisor apart from this process; what it says: ``R``, or ``E`` and why."""
    ready_read, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _detach(paths, lock, ready_write, record, network)
        finally:
            os._exit(1)
    os.close(ready_write)
    try:  # noqa: SIM105 - as above
        os.waitpid(child, 0)
    except ChildProcessError:
        pass  # the caller ignores SIGCHLD: reaped already
    with open(ready_read, "rb") as ready:
        return ready.read(65536)


def _forget_caller() -> None:
    """Undo, as far as the kernel lets us, what the first caller had set for its own command.

    The supervisor serves others too: it must hear its signals, know of its children's ends, and
    not be slow or fail because of ``ulimit -f`` or taskset(1) in one terminal.
    """
    for number in _signal.valid_signals():
        if _signal.getsignal(number) == _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    for limit in _LIMITS:
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (hard, hard))
    os.sched_setaffinity(0, range(os.sysconf("SC_NPROCESSORS_CONF")))
    os.umask(0o077)


def _detach(paths: VenvPaths, lock: int, ready: int, record: "Fields", network: str) -> None:
    """In the child: a session of its own, nothing of the caller's, then the supervisor."""
    if os.fork():
        os._exit(0)
    os.setsid()
    _forget_caller()
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    log = os.open(paths.run + "/log", log_flags, 0o600)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir("/")
    os.set_inheritable(lock, True)
    os.set_inheritable(ready, True)
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    words = [paths.env, str(lock), str(ready), network]
    python = str(record["python"])
    arguments = [python, "-IS", "-c", _SUPERVISOR, *words, *record["roots"]]
    try:
        os.execve(python, arguments, environment)
    except OSError as error:
        line = (
            f"E{EXIT_NO_JAIL}cannot start {python}: {error.strerror}; venvjail was "
            f"installed there: install it again, then: venvjail --upgrade {paths.env}"
        )
        os.write(ready, os.fsencode(line))
        sys.exit(1)
