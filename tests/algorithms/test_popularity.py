"""Counts of users, and scores that fall strictly along an order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.algorithms.popularity import item_events, item_popularity, log_popularity


@given(st.lists(st.lists(st.integers(0, 6), max_size=8), max_size=8))
def test_users_events_numbers(histories: list[list[int]]) -> None:
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in histories]))).astype(np.int64)
    item = np.array([item for one in histories for item in one], dtype=np.int32)
    users, order = item_popularity(ptr, item, 7)
    wanted = [sum(k in one for one in histories) for k in range(7)]
    assert users.tolist() == wanted
    events = [sum(one.count(k) for one in histories) for k in range(7)]
    assert order.tolist() == sorted(range(7), key=lambda k: (-wanted[k], -events[k], k))


@given(st.lists(st.lists(st.integers(0, 6), max_size=8), max_size=8))
def test_events_count_the_less_the_more_often_a_user_repeats_them(histories: list[list[int]]) -> None:
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in histories]))).astype(np.int64)
    item = np.array([item for one in histories for item in one], dtype=np.int32)
    events, order = item_events(ptr, item, 7)
    wanted = [sum(sum(0.75**j for j in range(one.count(k))) for one in histories) for k in range(7)]
    assert np.allclose(events, wanted, atol=1e-5)
    assert (np.diff(events[order]) <= 0).all()


def test_three_thousand_events_of_one_user_put_nothing_first() -> None:
    """Six users have item 0 once, one has item 1 again and again."""
    ptr = np.array([0, 1, 2, 3, 4, 5, 6, 3006])
    item = np.array([0] * 6 + [1] * 3000, dtype=np.int32)
    events, order = item_events(ptr, item, 2)
    assert order.tolist() == [0, 1]
    assert events.tolist() == [6.0, 4.0]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200))
def test_ties_are_parted_by_next_to_nothing(counts: list[int]) -> None:
    users = np.array(counts, dtype=np.float32)
    order = np.lexsort((np.arange(len(users)), -users)).astype(np.int32)
    scores = log_popularity(users, order)
    assert (np.diff(scores[order]) < 0).all()
    met = users > 0
    assert np.allclose(scores[met], np.log(users[met]), atol=1e-3)
