"""Put small faults into the policy, one at a time, and see that a test finds each.

Usage: mutate.py [MODULE...]      (default: all of `SUITES`)

For each fault a child process is forked off this one, which has pytest and the libraries loaded; it
imports the faulty module instead of the real one and runs the module's tests until one
fails. A fault that no test finds survives, unless `mutants_equivalent.txt` says why it changes
nothing; any other survivor makes the status 1, and so does an entry there that is of none. Nothing
is written to the tree.
"""

from __future__ import annotations

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeGuard

TREE = Path(__file__).parents[1]
EQUIVALENT = TREE / "scripts/mutants_equivalent.txt"
#: A fault with which the tests need so many times the processor that they need without it is an
#: endless loop, and found. By the clock, a busy machine would find faults that no test does.
PATIENCE = 10

_LINKS = [
    f"tests/ops/test_{name}.py" for name in ("links", "link_walks", "rare_answers", "escapes")
]

_SEARCHES = ["tests/ops/test_guards.py", "tests/ops/test_guard_search.py"]

#: The modules that decide what is seen, and the tests that have to find any fault in them.
SUITES = {
    "fusefs.rules": ["tests/unit/test_rules.py", "tests/unit/test_config_view.py"],
    "fusefs.links": [*_LINKS, "tests/model"],
    "venvjail.planning.policy": ["tests/unit/test_view_policy.py"],
    "venvjail.planning.guards": _SEARCHES,
    "venvjail.planning.search": _SEARCHES,
    "venvjail.serving.watched": ["tests/ops/test_watched.py"],
    "venvjail.walls.landlock": ["tests/unit/test_landlock_grants.py", "tests/ops/test_landlock.py"],
}
# Assertions as they are: to rewrite them pytest wants to load its plugins itself.
_OPTIONS = [
    *("-x", "-q", "--assert=plain", "-p", "no:cacheprovider"),
    *("-k", "not mount_does and not fresh and not no_slower"),
]

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_STATEMENTS = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Return, ast.If)
_ENUMERATIONS = {
    "Access": ("HIDDEN", "ANCESTOR", "MERGED", "READ_ONLY", "MOUNTPOINT"),
    "Kind": ("ALLOW", "ALLOW_RO", "HIDE", "MOUNTPOINT", "NEVER"),
    "Shape": ("LINK", "DANGLING", "TARGET", "REFUSED"),
}


class Mutant(NamedTuple):
    """One fault: ``name`` says where and what, the same as long as the line is the same.

    Of two that are alike, in lines that are, the second has a 2 behind its name.
    """

    module: str
    name: str
    line: int
    source: str


def mutants(module: str) -> Iterator[Mutant]:
    """Every fault of ``module``."""
    text = (TREE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
    return mutants_of(module, text)


def mutants_of(module: str, text: str) -> Iterator[Mutant]:
    """Every fault of a ``module`` whose source is ``text``."""
    tree = ast.parse(text)
    lines = text.splitlines()
    alike: Counter[str] = Counter()
    said = {id(part) for node in ast.walk(tree) for part in _without_effect(node)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in said:
            continue
        for change, faulty in faults(node):
            line = getattr(faulty, "lineno", getattr(node, "lineno", 0))
            whole = copy.deepcopy(tree)
            _replace(whole, number, faulty)
            name = f"{module}: {lines[line - 1].strip()}: {change}"
            alike[name] += 1
            name += f" {alike[name]}" if alike[name] > 1 else ""
            yield Mutant(module, name, line, ast.unparse(ast.fix_missing_locations(whole)))


def faults(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may take the place of ``node``, each with what it says."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            other = _COMPARISONS[type(operator)]
            compared = copy.deepcopy(node)
            compared.ops[index] = other()
            yield f"{ast.unparse(node)} -> {ast.unparse(compared)}", compared
    elif isinstance(node, ast.BoolOp):
        yield from _boolean(node)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield f"{ast.unparse(node)} without {ast.unparse(node.left)}", node.right
        yield f"{ast.unparse(node)} without {ast.unparse(node.right)}", node.left
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"{ast.unparse(node)} without not", node.operand
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        for member in _ENUMERATIONS.get(node.value.id, ()):
            if node.attr in _ENUMERATIONS[node.value.id] and member != node.attr:
                faulty = ast.Attribute(node.value, member, node.ctx)
                yield f"{ast.unparse(node)} -> {member}", ast.copy_location(faulty, node)
    elif isinstance(node, ast.IfExp):
        yield f"{ast.unparse(node)}: always the first", node.body
        yield f"{ast.unparse(node)}: always the second", node.orelse
    elif isinstance(node, _STATEMENTS) and not _is_docstring(node):
        first = ast.unparse(node).splitlines()[0]
        yield f"without {first}", ast.copy_location(ast.Pass(), node)


def _without_effect(node: ast.AST) -> Iterator[ast.AST]:
    """The annotations of ``node``, the text of a docstring, the values of an enumeration."""
    if _is_docstring(node):
        yield node.value
    if isinstance(node, ast.ClassDef) and "enum.Enum" in map(ast.unparse, node.bases):
        yield from (member.value for member in node.body if isinstance(member, ast.Assign))
    for field in ("annotation", "returns"):
        if (annotation := getattr(node, field, None)) is not None:
            yield from ast.walk(annotation)


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _boolean(node: ast.BoolOp) -> Iterator[tuple[str, ast.AST]]:
    other = copy.deepcopy(node)
    other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield f"{ast.unparse(node)} -> {ast.unparse(other)}", other
    for index, value in enumerate(node.values):
        rest = [one for place, one in enumerate(node.values) if place != index]
        shorter = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        yield f"{ast.unparse(node)} without {ast.unparse(value)}", ast.copy_location(shorter, node)


def _constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield (
            f"{node.value} -> {not node.value}",
            ast.copy_location(ast.Constant(not node.value), node),
        )
    elif isinstance(node.value, int):
        yield (
            f"{node.value} -> {node.value + 1}",
            ast.copy_location(ast.Constant(node.value + 1), node),
        )
    elif isinstance(node.value, bytes):
        yield f"{node.value!r} -> other", ast.copy_location(ast.Constant(node.value + b"?"), node)
    elif (
        isinstance(node.value, str) and node.value and " " not in node.value
    ):  # no words for people
        yield f"{node.value!r} -> other", ast.copy_location(ast.Constant(node.value + "?"), node)


def _replace(tree: ast.AST, number: int, faulty: ast.AST) -> None:
    wanted = next(node for index, node in enumerate(ast.walk(tree)) if index == number)
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is wanted:
                setattr(parent, field, faulty)
                return
            if isinstance(value, list) and any(item is wanted for item in value):
                value[:] = [faulty if item is wanted else item for item in value]
                return


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant's source for its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: object, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's, of no other."""
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the faulty source."""
        exec(compile(self._mutant.source, f"<{self._mutant.name}>", "exec"), module.__dict__)


class Run(NamedTuple):
    """How the tests of a module ended with one fault; ``None`` is no fault at all."""

    mutant: Mutant | None
    status: int
    """As of `os.waitstatus_to_exitcode`."""
    seconds: float
    """Of the processor, which the tests and their child processes had."""


def runs(
    module: str, every: list[Mutant | None], jobs: int, seconds: int = resource.RLIM_INFINITY
) -> Iterator[Run]:
    """Run the tests of ``module`` with each fault, each run for ``seconds`` of the processor."""
    running: dict[int, Mutant | None] = {}
    waiting = list(reversed(every))
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[_start(mutant, module, seconds)] = mutant
        child, status, usage = os.wait3(0)
        if child not in running:
            continue  # of the shell that became this process by exec
        used = usage.ru_utime + usage.ru_stime
        yield Run(running.pop(child), os.waitstatus_to_exitcode(status), used)


def _start(mutant: Mutant | None, module: str, seconds: int) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
            status = _run_tests(mutant, module)
        finally:
            os._exit(status)
    return child


def _run_tests(mutant: Mutant | None, module: str) -> int:
    if mutant is not None:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        sys.meta_path.insert(0, _Finder(mutant))
    import pytest

    with tempfile.TemporaryDirectory() as base:
        os.environ["TMPDIR"] = base
        tempfile.tempdir = None
        return int(pytest.main([*_OPTIONS, f"--basetemp={base}/t", *SUITES[module]]))


def equivalent() -> dict[str, str]:
    """The faults that change no verdict, each with the reason: lines ``NAME  # REASON``."""
    known = {}
    for line in EQUIVALENT.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition("  # ")
            known[name] = reason
    return known


def _preload() -> None:
    """What every child would import, but nothing of ours."""
    for name in ("hypothesis", "hypothesis.stateful", "pytest", "pyfuse3", "trio"):
        importlib.import_module(name)


def judge(module: str, known: dict[str, str], jobs: int) -> int:
    """Print a line for each survivor of ``module`` and the numbers; 1 if one is not ``known``."""
    (faultless,) = runs(module, [None], 1)
    if faultless.status != 0:
        print(f"{module}: its tests fail without any fault")
        return 2
    every: list[Mutant | None] = [*mutants(module)]
    unseen = {name for name in known if name.startswith(f"{module}: ")}
    unknown = endless = 0
    for run in runs(module, every, jobs, 1 + int(PATIENCE * faultless.seconds)):
        assert run.mutant is not None
        endless += run.status == -signal.SIGXCPU
        if run.status == 0 and run.mutant.name not in known:
            unknown += 1
            print(f"survived, line {run.mutant.line}: {run.mutant.name}", flush=True)
        elif run.status == 0:
            unseen.remove(run.mutant.name)
    alike = sum(name.startswith(f"{module}: ") for name in known) - len(unseen)
    for name in sorted(unseen):
        print(f"no survivor of this name: {name}")
    print(
        f"{module}: {len(every)} faults, {len(every) - alike - unknown} found "
        f"({endless} as endless loops), {alike} known to change nothing, {unknown} survived",
        flush=True,
    )
    return int(bool(unknown or unseen))


def main(modules: list[str]) -> int:
    """Judge each of ``modules``, or all; the worst of their statuses."""
    os.chdir(TREE)
    sys.path.insert(0, str(TREE))
    _preload()
    known = equivalent()
    jobs = int(os.environ.get("JOBS") or 2)
    return max(judge(module, known, jobs) for module in modules or SUITES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
