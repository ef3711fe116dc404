"""The failure reason: the first problem's sentence, the count, the first places."""

from __future__ import annotations

from openpersonalize.datasets import problems as reasons
from openpersonalize.datasets.problems import GIVEN_UP, IN_REASON, LISTED, Problem, Problems


def test_the_reason_shows_the_first_twenty_and_counts_all():
    listed: list[tuple[str, int, str, str]] = []
    problems = Problems(lambda *place: listed.append(place))
    assert (problems.count, problems.room) == (0, LISTED)
    first = Problem("a.csv", 2, "X", "is empty", reasons.bad_timestamp("X"))
    problems.add([first, *(Problem("a.csv", k, "Y", "is odd") for k in range(3, 40))], unlisted=5)
    assert problems.count == 43
    assert problems.reason().startswith(
        "Invalid timestamp in column X. 43 problems; first 20: file a.csv, line 2, column X: is empty; file"
        " a.csv, line 3, column Y: is odd (and 18 more like it: lines 4, 5, 6, "
    )
    assert problems.reason().endswith(f", {IN_REASON}, {IN_REASON + 1})")
    assert len(listed) == 38


def test_a_sentence_about_other_values_is_told_once() -> None:
    problems = Problems(lambda *place: None)
    wrong = [Problem("a.csv", k, "T", f'"0{k}.01.2026" is not in seconds; write a number') for k in (2, 3)]
    other = Problem("a.csv", 3, "P", '"x" is not in seconds; write a number', "Bad.")
    problems.add([*wrong, other, Problem("b.csv", 2, "T", wrong[0].what)])
    assert problems.places == (
        'file a.csv, line 2, column T: "02.01.2026" is not in seconds; write a number (and 1 more like it:'
        ' line 3); file a.csv, line 3, column P: "x" is not in seconds; write a number; file b.csv, line 2,'
        ' column T: "02.01.2026" is not in seconds; write a number'
    )


def test_a_problem_of_a_whole_row_names_no_column():
    problems = Problems(lambda *place: None)
    problems.add([Problem("a.csv", 4, "", "the row has 9 values, the header 8", "Bad.")])
    assert problems.reason() == (
        "Bad. 1 problems; first 20: file a.csv, line 4: the row has 9 values, the header 8"
    )


def test_no_more_than_so_many_are_listed():
    listed: list[tuple[str, int, str, str]] = []
    problems = Problems(lambda *place: listed.append(place))
    for _ in range(3):
        problems.add(Problem("a", k, "c", "w") for k in range(LISTED // 2 + 1))
    assert len(listed) == LISTED
    assert problems.room == 0
    assert problems.count == 3 * (LISTED // 2 + 1)


def test_long_names_are_cut_and_all_listed_ones_are_bounded() -> None:
    listed: list[tuple[str, int, str, str]] = []
    problems = Problems(lambda *place: listed.append(place))
    name = "A" * 1_000_000
    for _ in range(3):
        problems.add(Problem(name, k, name, name) for k in range(LISTED))
    assert max(len(text) for file, _, column, what in listed for text in (file, column, what)) <= 303
    assert sum(len(file) + len(column) + len(what) for file, _, column, what in listed) < 5_000_000
    assert len(problems.reason()) < 20_000
    assert problems.count == 3 * LISTED


def test_what_does_not_print_is_escaped() -> None:
    listed: list[tuple[str, int, str, str]] = []
    problems = Problems(lambda *place: listed.append(place))
    problems.add([Problem("a\x1b]0;x\x07", 1, "\u009b2J", '"\u2028" is no number: \ud800')])
    assert listed == [("a\\x1b]0;x\\x07", 1, "\\x9b2J", '"\\u2028" is no number: \\ud800')]


def test_so_many_problems_are_given_up() -> None:
    problems = Problems(lambda *place: None)
    problems.add([Problem("a", 1, "c", "w")], unlisted=GIVEN_UP - 2)
    assert not problems.given_up
    problems.add([], unlisted=1)
    assert problems.given_up
    assert "The rest was not read" in problems.reason()
