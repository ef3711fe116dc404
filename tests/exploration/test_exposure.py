"""Ages and counts of items, as training leaves them for exploration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from openpersonalize.exploration.exposure import NO_TIME, Exposure
from openpersonalize.testing.worlds import sequences_of


def world() -> Exposure:
    rows = [("u", "a", 100), ("u", "b", 200), ("v", "a", 50), ("v", "c", 300)]
    sequences = sequences_of(rows, ["d", "e"])
    created = np.array([np.nan, 150.0, np.nan, np.nan, 900.0])
    return Exposure.of(sequences, created, np.array([0, 1, 2, 3, 2**40]))


def test_an_item_came_when_it_says_else_when_it_was_first_met_else_last() -> None:
    assert world().created.tolist() == [50, 150, 300, 300, 900]
    assert world().latest == 300


def test_interactions_and_times_passed_over_are_counted() -> None:
    assert world().interactions.tolist() == [2, 1, 1, 0, 0]
    assert world().passed_over.tolist() == [0, 1, 2, 3, 2**31 - 1]


def test_it_comes_back(tmp_path: Path) -> None:
    made = world()
    made.save(tmp_path)
    found = Exposure.load(tmp_path, 5)
    for name in ("created", "interactions", "passed_over"):
        assert np.array_equal(getattr(found, name), getattr(made, name))
        assert getattr(found, name).dtype == getattr(made, name).dtype
    assert found.latest == made.latest


def test_in_older_folders_nothing_counts_as_new(tmp_path: Path) -> None:
    found = Exposure.load(tmp_path, 3)
    assert found.created.tolist() == [NO_TIME] * 3
    assert found.interactions.tolist() == [0] * 3
