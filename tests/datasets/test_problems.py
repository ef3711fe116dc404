"""The failure reason: the first problem's sentence, the count, the first places."""

from __future__ import annotations

from openpersonalize.datasets import problems as reasons
from openpersonalize.datasets.problems import IN_REASON, LISTED, Problem, Problems


def test_the_reason_shows_the_first_twenty_and_counts_all():
    listed: list[tuple[str, int, str, str]] = []
    problems = Problems(lambda *place: listed.append(place))
    assert (problems.count, problems.room) == (0, LISTED)
    first = Problem("a.csv", 2, "X", "is empty", reasons.bad_timestamp("X"))
    problems.add([first, *(Problem("a.csv", k, "Y", "is odd") for k in range(3, 40))], unlisted=5)
    assert problems.count == 43
    assert problems.reason().startswith(
        "Invalid timestamp in column X. 43 problems; first 20: file a.csv, line 2, column X: is empty; file"
        " a.csv, line 3, column Y: is odd; "
    )
    assert problems.reason().count("file a.csv") == IN_REASON
    assert len(listed) == 38


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
