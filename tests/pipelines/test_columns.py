"""Tables of plain text."""

from __future__ import annotations

from imgfix.pipelines import columns

TITLES = ("name", "size", "")
ROWS = [("a", "12 MB", "first"), ("\u753b\u50cf", "1 MB", "wide letters"), ("long-name", "", "")]


def test_columns_are_aligned_by_what_a_terminal_shows() -> None:
    lines = columns.table(TITLES, ROWS, right=("size",))
    assert lines == [
        "name        size", "a          12 MB  first", "\u753b\u50cf        1 MB  wide letters", "long-name"
    ]  # fmt: skip
    assert {columns.cells(line[: line.index("MB")]) for line in lines if "MB" in line} == {14}


def test_lines_are_cut_on_a_terminal_and_whole_in_a_pipe() -> None:
    rows = [("name", "1 MB", "words " * 40)]
    assert all(columns.cells(line) <= 40 for line in columns.table(TITLES, rows, width=40))
    assert columns.table(TITLES, rows, width=40)[1].endswith("...")
    assert columns.table(TITLES, rows)[1].endswith("words")


def test_values_are_folded_beside_their_name() -> None:
    lines = columns.pairs([("licence", ["MIT"]), ("about", ["one two three four five six seven", "eight"])], width=30)
    assert lines == [
        "licence  MIT", "about    one two three four", "         five six seven", "         eight"
    ]  # fmt: skip
    assert len(columns.pairs([("about", ["words " * 40])])) == 1


def test_what_would_move_the_cursor_is_shown_and_not_obeyed() -> None:
    assert "\x1b" not in "".join(columns.table(("a", "b"), [("\x1b[2J", "x")]))
