"""Counts of users, and scores that fall strictly along an order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.algorithms.popularity import item_popularity, log_popularity


@given(st.lists(st.lists(st.integers(0, 6), max_size=8), max_size=8))
def test_users_events_numbers(histories: list[list[int]]) -> None:
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in histories]))).astype(np.int64)
    item = np.array([item for one in histories for item in one], dtype=np.int32)
    users, order = item_popularity(ptr, item, 7)
    wanted = [sum(k in one for one in histories) for k in range(7)]
    assert users.tolist() == wanted
    events = [sum(one.count(k) for one in histories) for k in range(7)]
    assert order.tolist() == sorted(range(7), key=lambda k: (-wanted[k], -events[k], k))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200))
def test_ties_are_parted_by_next_to_nothing(counts: list[int]) -> None:
    users = np.array(counts, dtype=np.float32)
    order = np.lexsort((np.arange(len(users)), -users)).astype(np.int32)
    scores = log_popularity(users, order)
    assert (np.diff(scores[order]) < 0).all()
    met = users > 0
    assert np.allclose(scores[met], np.log(users[met]), atol=1e-3)
