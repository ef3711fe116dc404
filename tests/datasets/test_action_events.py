"""Event types of action interactions in all their spellings."""

from __future__ import annotations

import polars as pl
import pytest

from openpersonalize.datasets.action_events import FoldedTypes, Outcome, folded, folded_column, outcomes_of


@pytest.mark.parametrize(
    ("spelling", "outcome"),
    [
        ("Taken", Outcome.TAKEN),
        ("TAKEN", Outcome.TAKEN),
        ("Not taken", Outcome.NOT_TAKEN),
        ("Not Taken", Outcome.NOT_TAKEN),
        ("NOT_TAKEN", Outcome.NOT_TAKEN),
        ("viewed", Outcome.VIEWED),
        ("opened", Outcome.OTHER),
        ("", Outcome.OTHER),
    ],
)
def test_spellings(spelling: str, outcome: Outcome) -> None:
    found = outcomes_of([spelling])
    assert found.tolist() == [outcome, Outcome.OTHER]
    column = pl.DataFrame({"type": [spelling]}).select(folded_column(pl.col("type")))["type"].to_list()
    assert column == [folded(spelling)]


def test_numbers_are_found_in_any_spelling() -> None:
    types = FoldedTypes(["nottaken", "taken"])
    assert [types.get(one, -1) for one in ("NOT_TAKEN", "Taken", "Viewed")] == [0, 1, -1]
    assert len(types) == len(list(types)) == 2
