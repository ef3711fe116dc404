"""Item-to-item: common users counted, discounted by the other item's popularity."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from algorithms.worlds import some_events
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.item_counts import distinct_items
from openpersonalize.algorithms.item_to_item import ItemToItem


def counted(events: Events) -> np.ndarray:
    """int[n, n], users that two items have in common; on the diagonal those of each."""
    ptr, item = distinct_items(events.ptr, events.item, events.n)
    common = np.zeros((events.n, events.n), dtype=int)
    for begin, end in itertools.pairwise(ptr):
        mine = item[begin:end]
        common[np.ix_(mine, mine)] += 1
    return common


@pytest.mark.parametrize(("least", "discount"), [(0, 0.0), (2, 0.5), (3, 1.0)])
def test_it_is_what_the_definition_says(least: int, discount: float) -> None:
    events = some_events(3, users=40, n=15, longest=8)
    common = counted(events)
    users = common.diagonal()
    table = ItemToItem.fit(events, least=least, discount=discount)
    for anchor in range(events.n):
        rows, values = table.of(anchor)
        others = [
            item for item in range(events.n) if item != anchor and common[anchor, item] >= max(least, 1)
        ]
        assert rows.tolist() == others
        wanted = np.log(common[anchor, others]) - discount * np.log(users[others])
        assert np.allclose(values, wanted, atol=1e-6)


def test_only_the_best_of_each_are_kept_and_pieces_make_the_same_whole() -> None:
    events = some_events(4, users=60, n=20, longest=9)
    whole = ItemToItem.fit(events, least=1, discount=0.5)
    few = ItemToItem.fit(events, least=1, discount=0.5, top=3)
    for anchor in range(events.n):
        rows, values = few.of(anchor)
        assert len(rows) == 3
        assert sorted(values) == sorted(whole.of(anchor)[1])[-3:]
    pieces = ItemToItem.fit(events, least=1, discount=0.5, at_once=40)
    for part in ("ptr", "col", "value"):
        assert np.array_equal(getattr(whole.rows, part), getattr(pieces.rows, part))


def test_saved_and_mapped(tmp_path: Path) -> None:
    table = ItemToItem.fit(some_events(5, users=30, n=10), least=1, discount=0.5)
    table.save(tmp_path)
    opened = ItemToItem.load(tmp_path)
    for anchor in range(10):
        assert [part.tolist() for part in opened.of(anchor)] == [part.tolist() for part in table.of(anchor)]
