"""CPython's own tests, as Debian packages them (``libpython3-testsuite``)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from tests.suites.compare import Outcomes, Trial
from tests.suites.subject import Subject

#: Those about files, processes, signals, terminals and sockets, and two that meet read-only places.
#: test_sqlite3 is not in Debian 12's package; ``programs/wal.py`` puts SQLite's log under load.
MODULES = (
    "test_os",
    "test_posix",
    "test_shutil",
    "test_tempfile",
    "test_pathlib",
    "test_glob",
    "test_subprocess",
    "test_fcntl",
    "test_mmap",
    "test_signal",
    "test_pty",
    "test_socket",
    "test_zipfile",
    "test_tarfile",
    "test_mailbox",
    "test_dbm",
    "test_venv",
    "test_threading",
    "test_asyncio",
    "test_import",
    "test_runpy",
)

_SECONDS = 600
_FAILED = re.compile(r"^(?:FAIL|ERROR): (\w+) \(([\w.]+)\)", re.MULTILINE)


def trials() -> list[Trial]:
    """One for each module."""
    return [Trial("cpython", module, partial(run_module, module)) for module in MODULES]


def run_module(module: str, subject: Subject, directory: Path) -> Outcomes:
    """How each test of ``module`` ends, its files made in ``directory``."""
    results = directory / "results.xml"
    command: list[str | Path] = [subject.python, "-m", "test", "-v", "--tempdir", directory]
    options = ["--timeout", str(_SECONDS - 60), "--junit-xml", str(results)]
    done = subject.run([*command, *options, module], cwd=directory, timeout=_SECONDS)
    report = subject.run(["cat", results], cwd=directory)
    if report.returncode:
        return {module: f"no report, status {done.returncode}"}
    return outcomes(report.stdout, done.stdout + done.stderr)


def outcomes(report: str, output: str) -> Outcomes:
    """The outcomes in a report of regrtest, with what the report leaves out: failed subtests."""
    cases = [case for case in ElementTree.fromstring(report).iter("testcase") if case.attrib]
    failed = {_case(*found.groups()): "failed" for found in _FAILED.finditer(output)}
    return {_short(case.attrib["name"]): _outcome(case) for case in cases} | failed


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "ok"


def _case(name: str, where: str) -> str:
    """The name of a case from the summary's; before Python 3.11 without the method's in it."""
    return _short(where if where.endswith(f".{name}") else f"{where}.{name}")


def _short(name: str) -> str:
    return name.removeprefix("test.")
