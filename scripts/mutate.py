"""Put small faults into the policy, one at a time, and see that a test finds each.

Usage: mutate.py [MODULE...]      (default: all of `SUITES`)

For each fault a child process is forked off this one, which has pytest and the libraries loaded; it
imports the faulty module instead of the real one and runs the module's tests until one
fails. A fault that no test finds survives, unless `mutants_equivalent.txt` says why it changes
nothing; any other survivor makes the status 1. Nothing is written to the tree.
"""

from __future__ import annotations

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

TREE = Path(__file__).parents[1]
EQUIVALENT = TREE / "scripts/mutants_equivalent.txt"
SECONDS = 90

_LINKS = [f"tests/ops/test_{name}.py" for name in ("links", "rare_answers", "escapes")]

#: The modules that decide what is seen, and the tests that have to find any fault in them.
SUITES = {
    "fusefs.rules": ["tests/unit/test_rules.py", "tests/unit/test_config_view.py"],
    "fusefs.links": [*_LINKS, "tests/model"],
    "venvjail.planning.policy": ["tests/unit/test_view_policy.py"],
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
    """One fault: ``name`` says where and what, the same as long as the line is the same."""

    module: str
    name: str
    line: int
    source: str


def mutants(module: str) -> Iterator[Mutant]:
    """Every fault of ``module``."""
    text = (TREE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.splitlines()
    for number, node in enumerate(ast.walk(tree)):
        for change, faulty in faults(node):
            line = getattr(faulty, "lineno", getattr(node, "lineno", 0))
            whole = copy.deepcopy(tree)
            _replace(whole, number, faulty)
            name = f"{module}: {lines[line - 1].strip()}: {change}"
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


def _is_docstring(node: ast.AST) -> bool:
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


def survivors(module: str, every: list[Mutant | None], jobs: int) -> Iterator[Mutant | None]:
    """Those with which the tests of ``module`` pass in time; ``None`` is no fault at all."""
    running: dict[int, Mutant | None] = {}
    waiting = list(reversed(every))
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[_start(mutant, module)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if os.waitstatus_to_exitcode(status) == 0:
            yield mutant


def _start(mutant: Mutant | None, module: str) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = _run_tests(mutant, module)
        finally:
            os._exit(status)
    return child


def _run_tests(mutant: Mutant | None, module: str) -> int:
    signal.alarm(SECONDS)  # an endless loop is a fault found
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


def main(modules: list[str]) -> int:
    """Print a line for each survivor and the numbers; 1 if one is not known to be equivalent."""
    os.chdir(TREE)
    sys.path.insert(0, str(TREE))
    _preload()
    known, status = equivalent(), 0
    jobs = int(os.environ.get("JOBS") or 2)
    for module in modules or SUITES:
        if not list(survivors(module, [None], 1)):
            print(f"{module}: its tests fail without any fault")
            return 2
        every = list({mutant.name: mutant for mutant in mutants(module)}.values())
        alike = unknown = 0
        for mutant in survivors(module, list(every), jobs):
            assert mutant is not None
            if mutant.name in known:
                alike += 1
                continue
            unknown += 1
            print(f"survived, line {mutant.line}: {mutant.name}", flush=True)
        found = len(every) - alike - unknown
        print(
            f"{module}: {len(every)} faults, {found} found, "
            f"{alike} known to change nothing, {unknown} survived",
            flush=True,
        )
        status = status or int(bool(unknown))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
