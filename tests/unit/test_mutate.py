"""Which faults ``make mutate`` puts into a module: those that change what it does, each once."""

import ast
import importlib.util
import sys

import pytest

from tests.support.home import TREE

_SPEC = importlib.util.spec_from_file_location("mutate", TREE / "scripts/mutate.py")
assert _SPEC is not None
assert _SPEC.loader is not None
mutate = importlib.util.module_from_spec(_SPEC)
sys.modules["mutate"] = mutate  # for its classes, which ask for their module
_SPEC.loader.exec_module(mutate)


def changes(text: str) -> list[str]:
    return [mutant.name.removeprefix("m: ") for mutant in mutate.mutants_of("m", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x < 3", {"x < 3 -> x <= 3", "3 -> 4"}),
        ("a and b", {"a and b -> a or b", "a and b without a", "a and b without b"}),
        ("A | B", {"A | B without A", "A | B without B"}),
        ("not a", {"not a without not"}),
        ("'name', b'name', 'words for people'", {"'name' -> other", "b'name' -> other"}),
        ("a if b else c", {"a if b else c: always the first", "a if b else c: always the second"}),
        (
            "Access.HIDDEN",
            {f"Access.HIDDEN -> {name}" for name in mutate._ENUMERATIONS["Access"][1:]},
        ),
    ],
)
def test_each_kind_of_fault(text: str, expected: set[str]) -> None:
    assert set(changes(f"f({text})")) == {
        f"f({text}): {each}" for each in (*expected, f"without f({text})")
    }


def test_of_two_lines_that_are_alike_each_has_its_fault() -> None:
    text = "def f():\n    return a\ndef g():\n    return a\n"
    assert changes(text) == ["return a: without return a", "return a: without return a 2"]
    first, second = (mutant.source for mutant in mutate.mutants_of("m", text))
    assert first != second


def test_what_has_no_effect_is_left() -> None:
    assert not changes('"""doc"""\nclass Kind(enum.Enum):\n    """doc"""\n    HIDE = "hide"\n')[1:]
    assert not changes('def f(a: "x" | None) -> 3:\n    """doc"""\n')


def test_each_fault_is_a_program_and_another_one() -> None:
    text = (TREE / "venvjail/planning/policy.py").read_text(encoding="utf-8")
    sources = [mutant.source for mutant in mutate.mutants_of("m", text)]
    for source in sources:
        compile(source, "m", "exec")
    assert len({*sources, ast.unparse(ast.parse(text))}) == len(sources) + 1


def test_the_page_has_the_figures_of_each_module() -> None:
    """All faults are found but those that have a reason."""
    page = (TREE / "docs/reliability.md").read_text(encoding="utf-8")
    for module in mutate.SUITES:
        alike = sum(name.startswith(f"{module}: ") for name in mutate.equivalent())
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{module}` |"))
        faults, found, nothing = map(int, row.strip("|").split("|")[2:])
        assert nothing == alike
        assert found == faults - alike
