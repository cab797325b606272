"""The arithmetic of the benchmarks and their page; nothing is measured here."""

import os
import threading
from xml.etree import ElementTree

import pytest

from bench.measure import Spread, in_turn, number, ratios, sleeps, spread, wake_ups
from bench.page import Chart, Section, Table, markdown
from bench.svg import draw
from tests.support.waiting import eventually

CHART = Chart(
    "growth", "How it <grows>", "names", "ms", {"view": [(10, 1.5), (1000, 4)], "native": [(10, 1)]}
)


def test_spread_is_median_quartiles_and_best() -> None:
    assert spread([5, 1, 2, 4, 3]) == Spread(3, 2, 4, 1)
    assert spread([7]) == Spread(7, 7, 7, 7)


def test_ratios_are_within_rounds() -> None:
    # The second round was slow for both: the ratio of the medians would be 2.5.
    assert ratios([20, 200, 25], [10, 100, 10]) == Spread(2, 2, 2.25, 2)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (1.2345, "1.23"), (12.345, "12.3"), (1234.5, "1234"), (0, "0.000")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_spread_in_words() -> None:
    assert Spread(0.0123, 0.0119, 0.013, 0.01).scaled(1000, "ms") == "12.3 (11.9-13.0) ms"


def test_subjects_take_turns() -> None:
    order: list[str] = []

    def subject(name: str) -> float:
        order.append(name)
        return float(len(order))

    values = in_turn({"a": lambda: subject("a"), "b": lambda: subject("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert values == {"a": [1, 3], "b": [2, 4]}


def test_a_thread_that_was_woken_is_counted() -> None:
    woken, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (woken.wait(60), ended.wait(60)))
    thread.start()
    name = str(thread.native_id)
    eventually(lambda: sleeps(os.getpid())[name] > 0, "the thread sleeps")
    before = {name: sleeps(os.getpid())[name]}
    woken.set()
    eventually(lambda: wake_ups(before, sleeps(os.getpid())) > 0, "it was woken")
    ended.set()
    thread.join()


def test_a_thread_that_ended_was_woken_once() -> None:
    assert wake_ups({"1": 5, "2": 7}, {"1": 5}) == 1
    assert wake_ups({"1": 5}, {"1": 6, "2": 3}) == 4
    assert wake_ups({"1": 5, "2": 7}, {"1": 5, "2": 7}) == 0


def test_page_has_tables_and_charts() -> None:
    table = Table(("", "plain", "jailed|x"), [("start", "8 ms", "18 ms")])
    page = markdown("Made by hand.", [Section("Start", "What.\n", [table, CHART])])
    assert page == (
        "# Performance\n\nMade by hand.\n\n## Start\n\nWhat.\n\n"
        "|  | plain | jailed\\|x |\n| --- | ---: | ---: |\n| start | 8 ms | 18 ms |\n\n"
        "![How it <grows>](performance-growth.svg)\n\n"
        "| names | view, ms | native, ms |\n| --- | ---: | ---: |\n"
        "| 10 | 1.5 | 1 |\n| 1000 | 4 |  |\n"
    )


def test_chart_is_xml_with_every_point() -> None:
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(draw(CHART))
    texts = [element.text for element in root.iter(f"{svg}text")]
    assert {"How it <grows>", "names", "ms", "view", "native", "10", "1000"} <= set(texts)
    assert len(root.findall(f"{svg}polyline")) == 2
    first, last, _ = root.findall(f"{svg}circle")
    assert float(first.attrib["cx"]) < float(last.attrib["cx"])
    assert float(first.attrib["cy"]) > float(last.attrib["cy"])


def test_chart_of_one_point_and_of_nothing_but_zero() -> None:
    draw(Chart("one", "One", "x", "y", {"a": [(5, 0)]}))
