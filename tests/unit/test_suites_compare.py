"""How suites are compared, and that each difference which is expected is explained to users."""

import re
from pathlib import Path

import pytest

from tests.suites import cpython, own, stress
from tests.suites.compare import (
    Difference,
    Expected,
    differences,
    load_expected,
    not_run,
    stale,
    unexpected,
)
from tests.support.home import TREE

ENTRY = Expected("s/a*", ("view",), "ok", "failed", "A limit", "why")
KNOWN = Difference("s/ab", "view", "ok", "failed")


def test_cases_that_end_otherwise_differ_in_either_direction() -> None:
    plain = {"same": "ok", "worse": "ok", "better": "failed", "gone": "ok"}
    jailed = {"same": "ok", "worse": "failed", "better": "ok", "new": "ok"}
    assert differences("s", "view", plain, jailed) == [
        Difference("s/worse", "view", "ok", "failed"),
        Difference("s/better", "view", "failed", "ok"),
        Difference("s/gone", "view", "ok", "missing"),
        Difference("s/new", "view", "missing", "ok"),
    ]


def test_what_does_not_run_plain_either_compares_nothing() -> None:
    plain = {"a": "ok", "b": "failed", "c": "skipped", "d": "status-1", "e": "no end", "f": "EIO"}
    assert not_run("s", plain) == ["s/d: status-1", "s/e: no end"]


@pytest.mark.parametrize(
    "other",
    [
        Difference("s/b", "view", "ok", "failed"),
        Difference("s/ab", "graft", "ok", "failed"),
        Difference("s/ab", "view", "ok", "skipped"),
        Difference("s/ab", "view", "failed", "ok"),
    ],
)
def test_an_entry_covers_its_case_place_and_outcomes_only(other: Difference) -> None:
    assert unexpected([KNOWN, other], [ENTRY]) == [other]


def test_an_entry_about_what_differs_no_more_is_stale() -> None:
    assert stale("s", "view", {"ab": "ok"}, [KNOWN], [ENTRY]) == []
    assert stale("s", "view", {"ab": "ok"}, [], [ENTRY]) == [ENTRY]
    assert stale("s", "graft", {"ab": "ok"}, [], [ENTRY]) == []
    assert stale("s", "view", {"other": "ok"}, [], [ENTRY]) == [], "its case was not run"


def test_every_expected_difference_has_a_reason_and_a_heading_of_the_limits() -> None:
    limits = (TREE / "docs/limits.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^##+ (.*)$", limits, re.MULTILINE))
    for entry in load_expected():
        assert entry.limit in headings
        assert entry.reason
        assert entry.plain != entry.jailed


def test_an_entry_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "differences.toml"
    file.write_text('[[difference]]\ncase = "s/a"\nplain = "ok"\nwhen = "never"\n')
    with pytest.raises(TypeError):
        load_expected(file)


def test_a_report_of_regrtest_is_read_with_the_subtests_that_it_leaves_out() -> None:
    report = """<testsuites><testsuite>
    <testcase name="test.test_os.A.test_good" />
    <testcase name="test.test_os.A.test_skipped"><skipped>why</skipped></testcase>
    <testcase name="test.test_os.A.test_bad"><error type="OSError" /></testcase>
    <testcase />
    </testsuite></testsuites>"""
    output = "ERROR: test_sub (test.test_os.A.test_sub) (user=1)\nFAIL: test_old (test.test_os.A)\n"
    assert cpython.outcomes(report, output) == {
        "test_os.A.test_good": "ok",
        "test_os.A.test_skipped": "skipped",
        "test_os.A.test_bad": "failed",
        "test_os.A.test_sub": "failed",
        "test_os.A.test_old": "failed",
    }


@pytest.mark.parametrize(
    ("status", "output", "outcome"),
    [
        (0, "successful run completed in 2.01s", "ok"),
        (0, "link stressor will be skipped, needs more", "skipped"),
        (2, "", "failed"),
        (4, "", "skipped"),
        (5, "", "status 5"),
    ],
)
def test_how_a_stressor_ended(status: int, output: str, outcome: str) -> None:
    assert stress.outcome(status, output) == outcome


def test_a_stressor_that_is_too_dangerous_is_skipped() -> None:
    said = "stress-ng: info: disabled 'x' as it may hang or reboot the machine (enable it with"
    assert stress.outcome(1, said) == "skipped"
    assert stress.outcome(2, said) == "failed"


def test_every_program_of_our_own_is_there() -> None:
    names = {trial.name.partition("-")[0] for trial in [*own.trials(), *own.installs()]}
    programs = {path.stem for path in (TREE / "tests/suites/programs").iterdir() if path.is_file()}
    assert names | {"steps"} == programs
