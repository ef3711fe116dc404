from __future__ import annotations

import polars as pl
import pytest

from openpersonalize.datasets.hints import WARNING
from openpersonalize.datasets.known_ids import known_sentence


@pytest.mark.parametrize(
    ("met", "records", "told"),
    [
        (["101", "102"], ["101.0", "102.0", "7.0"], "ids like 101.0 in one are 101 in the other"),
        (["a ", "b "], ["a", "b"], "blanks"),
        (["A", "B"], ["a", "b"], "capital"),
        (["007", "008"], ["7", "8"], "leading zeros"),
        (["x", "y", "z"], ["x", "p"], "written in the same way?"),
        (["x"], [], "(interactions: \"x\"; Items: none)"),
    ],
)  # fmt: skip
def test_few_known_ids_are_a_warning_with_the_likely_cause(
    met: list[str], records: list[str], told: str
) -> None:
    text = known_sentence("ITEMS", pl.Series(met, dtype=pl.String), pl.Series(records, dtype=pl.String))
    assert text.startswith(WARNING)
    assert told in text


def test_enough_known_ids_are_told_plainly() -> None:
    text = known_sentence("USERS", pl.Series(["a", "b", "c", "d"]), pl.Series(["b", "c", "x"]))
    assert text == "of the 4 users in the interactions, 2 are in the Users dataset, which has 3"
