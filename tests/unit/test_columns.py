"""Tables of plain text: what is cropped, and what never is."""

from venvjail.commands.columns import lines

HEADING = ("PATH", "COUNT", "COMMAND")
LONG = "/home/alice/" + "x" * 80


def table(*rows: tuple[str, str, str], width: int | None) -> list[str]:
    return list(lines([HEADING, *rows], right=("COUNT",), width=width))


def test_columns_are_aligned_and_numbers_stand_to_the_right() -> None:
    assert table(("/a", "7", "cat /a"), ("/home", "1234567", "ls"), width=80) == [
        "PATH     COUNT  COMMAND",
        "/a           7  cat /a",
        "/home  1234567  ls",
    ]


def test_the_last_column_is_cropped_to_a_terminal_and_to_nothing_else() -> None:
    row = ("/home", "1", "python -c 'import this'")
    assert table(row, width=24)[1] == "/home      1  python -c…"
    assert table(row, width=None)[1] == "/home      1  python -c 'import this'"


def test_a_long_path_is_shown_whole_and_moves_its_own_line_only() -> None:
    short, long = table(("/a", "1", "ls"), (LONG, "1", "ls"), width=60)[1:]
    assert LONG in long
    assert len(short) < 80


def test_wide_characters_take_two_cells() -> None:
    first, second = table(("/家", "1", "ls"), ("/abc", "1", "ls"), width=80)[1:]
    assert first.index("1") == second.index("1") - 1
