"""Each user's items, each once, in whatever pieces they are counted."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.worlds import some_events
from openpersonalize.algorithms import item_counts as counting
from openpersonalize.algorithms.item_counts import distinct_items, item_counts, user_blocks


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_each_item_once_per_user(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(counting, "BLOCK", block)
    events = some_events(5)
    ptr, item = distinct_items(events.ptr, events.item, events.n)
    assert ptr[0] == 0
    for user in range(len(events.ptr) - 1):
        wanted = np.unique(events.item[events.ptr[user] : events.ptr[user + 1]])
        assert np.array_equal(item[ptr[user] : ptr[user + 1]], wanted)


def test_counts_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BLOCK", 7)
    events = some_events(5)
    assert np.array_equal(item_counts(events.item, 15), np.bincount(events.item, minlength=15))


def test_nobody_is_no_trouble() -> None:
    ptr, item = distinct_items(np.zeros(1, np.int64), np.empty(0, np.int32), 3)
    assert ptr.tolist() == [0]
    assert not len(item)
    assert not list(user_blocks(np.zeros(1, np.int64)))
