"""Item neighbours: who has common users, and no one else."""

from __future__ import annotations

import itertools

import numpy as np

from algorithms.worlds import events_of, past, some_events
from openpersonalize.algorithms.item_counts import distinct_items
from openpersonalize.algorithms.neighbours import Neighbours


def test_pairs_are_exactly_the_items_with_common_users() -> None:
    events = some_events(2, users=25, n=40, longest=6)
    ptr, item = distinct_items(events.ptr, events.item, events.n)
    wanted = set()
    for begin, end in itertools.pairwise(ptr):
        mine = item[begin:end].tolist()
        wanted |= {(a, b) for a in mine for b in mine if a != b}
    rows = Neighbours.fit(events).rows
    found = set(zip(np.repeat(np.arange(40), np.diff(rows.ptr)).tolist(), rows.col.tolist(), strict=True))
    assert found == wanted
    assert (rows.value > 0).all()


def test_similarity_is_mutual() -> None:
    events = some_events(6, users=40, n=15, longest=8)
    rows = Neighbours.fit(events).rows
    full = np.zeros((15, 15))
    full[np.repeat(np.arange(15), np.diff(rows.ptr)), rows.col] = rows.value
    assert np.allclose(full, full.T)


def test_a_user_of_few_items_says_more_than_one_of_many() -> None:
    many = list(range(2, 30))
    events = events_of([[0, 1], [0, *many], [1, *many]] + [[k] for k in range(30)], 30)
    assert np.argmax(Neighbours.fit(events).feature(past([0]))) == 1


def test_pieces_make_the_same_whole() -> None:
    events = some_events(8, users=60, n=30)
    whole = Neighbours.fit(events).rows
    pieces = Neighbours.fit(events, at_once=50).rows
    for part in ("ptr", "col", "value"):
        assert np.array_equal(getattr(whole, part), getattr(pieces, part))


def test_only_the_newest_items_of_long_histories_are_paired() -> None:
    rows = Neighbours.fit(events_of([[0, 1, 2, 3]], 4), most_paired=2).rows
    assert np.diff(rows.ptr).tolist() == [0, 0, 1, 1]
