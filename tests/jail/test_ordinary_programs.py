"""What ordinary programs do goes on as on the host, with all walls up."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv

MULTIPROCESSING = """
import multiprocessing as mp
from multiprocessing import shared_memory

def work(numbers, semaphore, results):
    with semaphore:
        results.put(sum(numbers))

def main():
    for method in ("fork", "spawn", "forkserver"):
        context = mp.get_context(method)
        semaphore, results = context.Semaphore(2), context.Queue()
        children = [
            context.Process(target=work, args=([n, n], semaphore, results)) for n in range(3)
        ]
        for child in children:
            child.start()
        assert sorted(results.get(timeout=30) for _ in children) == [0, 2, 4]
        for child in children:
            child.join()
            assert child.exitcode == 0
        with context.Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
    block = shared_memory.SharedMemory(create=True, size=16)
    block.close()
    block.unlink()
    with mp.Manager() as manager:
        assert manager.list([1]) [0] == 1

if __name__ == "__main__":
    main()
"""

ASYNCIO = """
import asyncio, socket, sys

async def serve(reader, writer):
    writer.write(await reader.readline())
    writer.close()

async def main():
    for start, connect, place in (
        (asyncio.start_server, asyncio.open_connection, ("localhost", 0)),
        (asyncio.start_unix_server, asyncio.open_unix_connection, ("/tmp/asyncio.socket",)),
    ):
        server = await start(serve, *place)
        if len(place) == 2:
            place = server.sockets[0].getsockname()[:2]
        reader, writer = await connect(*place)
        writer.write(b"echo\\n")
        assert await reader.readline() == b"echo\\n"
        writer.close()
        server.close()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(1)", stdout=-1)
    assert (await child.communicate())[0] == b"1\\n"
    assert await asyncio.to_thread(socket.getaddrinfo, "localhost", 80)

asyncio.run(main())
"""

FILES = """
import fcntl, mmap, os, shutil, sqlite3, subprocess, sys, tempfile, threading
from pathlib import Path

filter = {"filter": "data"} if sys.version_info >= (3, 12) else {}  # which warn without it
for directory in (None, ".", "/dev/shm", "/var/tmp", str(Path.home())):
    with tempfile.TemporaryDirectory(dir=directory) as name:
        one, two = Path(name, "one"), Path(name, "sub/two")
        one.write_text("x" * 5000)
        one.chmod(0o750)
        two.parent.mkdir(mode=0o1777)
        one.rename(two)
        os.link(two, one)
        os.truncate(one, 10)
        shutil.copy2(two, Path(name, "three"))
        assert Path(name, "three").stat().st_mode & 0o7777 == 0o750
        with one.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            mmap.mmap(file.fileno(), 10)[0:1] = b"y"
        shutil.make_archive(f"{name}/archive", "gztar", name, "sub")
        shutil.unpack_archive(f"{name}/archive.tar.gz", f"{name}/unpacked", **filter)
        database = sqlite3.connect(f"{name}/database")
        database.execute("PRAGMA journal_mode = WAL")
        with database:
            database.execute("CREATE TABLE t AS SELECT 1")
        database.close()
with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryFile() as other:
    subprocess.run(["/bin/echo", "x"], stdout=other, check=True, start_new_session=True)
threads = [threading.Thread(target=os.getpid) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for name, value in (("oom_score_adj", "500"), ("coredump_filter", "0x33"), ("comm", "me")):
    Path("/proc/self", name).write_text(value)
Path("/dev/null").write_text("x")
"""

GIT = """set -e
git init -q repo && cd repo
git config user.name A && git config user.email a@example.org
echo 1 > file && chmod +x file && git add . && git commit -qm one
git switch -qc branch && echo 2 > file && git commit -qam two && git switch -q -
git merge -q branch && git gc -q && git worktree add -q ../tree branch
git clone -q . ../clone && git -C ../clone fetch -q && git stash list && git fsck
test "$(cat ../clone/file)" = 2
"""

TOOLS = """set -e
mkdir t && cd t
printf '#include <stdio.h>\\nint main(void) { puts("hello"); return 0; }\\n' > hello.c
printf 'hello: hello.c\\n\\tcc -o $@ $<\\n' > Makefile
make -s && test "$(./hello)" = hello
install -m 750 hello bin && cp -p bin copy && test "$(stat -c %a copy)" = 750
mkdir -m 1777 shared && cp -a . ../t2
tar cf ../t.tar . && mkdir out && tar xpf ../t.tar -C out && out/copy > /dev/null
mkfifo fifo && (echo through > fifo &) && test "$(cat fifo)" = through
test "$(cat <(echo process) <(echo substitution) | tr '\\n' ' ')" = "process substitution "
echo error > /dev/stderr && echo output > /dev/stdout && echo fd > /dev/fd/1
sort -R hello.c | head -1 > /dev/null; mv hello /tmp/moved; rm /tmp/moved; find . | xargs ls > ls
"""

NODE = """
const fs = require("fs"), http = require("http"), { execFileSync } = require("child_process");
const { Worker } = require("worker_threads");
fs.mkdtempSync("/tmp/node-");
fs.writeFileSync("node.txt", "x");
fs.renameSync("node.txt", "n-node.txt");
if (execFileSync("echo", ["child"]).toString() !== "child\\n") process.exit(3);
const server = http.createServer((request, response) => response.end("page"));
server.listen(0, "127.0.0.1", async () => {
  const page = await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text();
  const text = await fs.promises.readFile("n-node.txt", "utf8");
  new Worker("require('worker_threads').parentPort.postMessage(1)", { eval: true }).on(
    "message", () => process.exit(page === "page" && text === "x" ? 0 : 4));
});
"""


@pytest.fixture(scope="module")
def place(jail: JailedVenv) -> Path:
    """A directory of the project where the programs work."""
    directory = jail.home.project / "work"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("code", [MULTIPROCESSING, ASYNCIO, FILES], ids=["mp", "asyncio", "files"])
def test_python(jail: JailedVenv, place: Path, code: str) -> None:
    script = place / "script.py"  # a file: multiprocessing imports the main module anew
    script.write_text(code, encoding="utf-8")
    jail.home.check([jail.bin / "python", "-W", "error", script], cwd=place)


@pytest.mark.parametrize("script", [GIT, TOOLS], ids=["git", "tools"])
def test_shell(jail: JailedVenv, place: Path, script: str) -> None:
    jail.check(["bash", "-c", script], cwd=place)


PAGE = "data:text/html,<script>document.write(40 + 2)</script>"

#: Programs that not every machine has, with arguments and what they print then.
OPTIONAL: dict[str, tuple[list[str], str]] = {
    "node": (["-e", NODE], ""),
    "gdb": (["-batch", "-ex", "starti", "-ex", "info proc", "/bin/true"], "exe = '/"),
    "strace": (["-o", "trace", "-f", "sh", "-c", "echo traced"], "traced"),
    "java": (["-version"], ""),
    "ssh-keygen": (["-q", "-N", "", "-f", "/tmp/key"], ""),
}


@pytest.mark.parametrize("name", [name for name in OPTIONAL if shutil.which(name)])
def test_program(jail: JailedVenv, place: Path, name: str) -> None:
    arguments, printed = OPTIONAL[name]
    assert printed in jail.check([name, *arguments], cwd=place)


@pytest.fixture(scope="module")
def nesting(shared_home: FakeHome) -> Iterator[JailedVenv]:
    """A jail whose programs may make user namespaces."""
    with JailedVenv(shared_home, "venv-nesting") as venv:
        config = Path(venv.paths.config)
        text = config.read_text(encoding="utf-8")
        allowed = text.replace("\n[jail]\n", "\n[jail]\nuser_namespaces = true\n")
        config.write_text(allowed, encoding="utf-8")
        yield venv


def test_user_namespaces_where_allowed(nesting: JailedVenv, jail: JailedVenv) -> None:
    assert nesting.check(["unshare", "-Ur", "id", "-u"]) == "0\n"
    assert jail.run(["unshare", "-Ur", "id", "-u"]).returncode == 1


# Not require(): a browser is much to install for one test, and whoever has one runs it.
@pytest.mark.parametrize("browser", ["chromium-headless-shell", "chromium"])
def test_browser_with_its_own_sandbox(nesting: JailedVenv, browser: str) -> None:
    if not shutil.which(browser):
        pytest.skip(f"{browser} is not installed")
    assert "<body>42</body>" in nesting.check([browser, "--headless", "--dump-dom", PAGE])


def test_streams_of_a_terminal_can_be_opened_anew(jail: JailedVenv) -> None:
    """The terminal is the host's, in a ``/dev/pts`` that the jail does not have."""
    script = "for name in stdout stderr tty; do echo to $name > /dev/$name; done; tty"
    arguments = ["-c", f"import os; os.execvp('sh', ['sh', '-c', '{script}'])"]
    child = pexpect.spawn(
        str(jail.bin / "python"), arguments, env=jail.home.env, cwd=jail.home.project, timeout=30
    )
    child.expect(pexpect.EOF)
    child.close()
    for name in ("stdout", "stderr", "tty"):
        assert f"to {name}\r\n" in child.before.decode(), child.before


@pytest.fixture(scope="module")
def with_pip(shared_home: FakeHome) -> Iterator[JailedVenv]:
    with JailedVenv(shared_home, "venv-pip", options=()) as venv:
        yield venv


def test_pip_installs_a_wheel(with_pip: JailedVenv) -> None:
    wheel = with_pip.home.project / "greeter-1.0-py3-none-any.whl"
    info = "greeter-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("greeter.py", "def main():\n    print('hello')\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ngreet = greeter:main\n")
        archive.writestr(f"{info}/RECORD", "")
    with_pip.home.check([with_pip.bin / "pip", "install", "--no-index", "--quiet", wheel])
    assert with_pip.home.check([with_pip.bin / "greet"]) == "hello\n"
    with_pip.home.check([with_pip.bin / "pip", "uninstall", "--yes", "--quiet", "greeter"])
    assert not (with_pip.bin / "greet").exists()
