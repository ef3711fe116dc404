"""Where sessions begin and end, and whether events of one second have an order."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.algorithms.sessions import (
    DEFAULT_GAP,
    LEAST_GAP,
    MOST_GAP,
    MOST_RUNNING,
    are_baskets,
    in_session,
    running_session,
    session_gap,
    session_starts,
    shuffled_ties,
)


def packed(users: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in users]))).astype(np.int64)
    return ptr, np.array([time for one in users for time in one], dtype=np.int64)


def visits(inside: float, between: float, users: int = 60, seed: int = 0) -> list[list[int]]:
    """Visits of eight events; about `inside` seconds between events, about `between` between visits."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(users):
        steps = rng.lognormal(np.log(inside), 0.5, 48)
        steps[::8] = rng.lognormal(np.log(between), 0.5, 6)
        found.append(np.cumsum(steps).astype(int).tolist())
    return found


def test_sessions_begin_after_a_pause_and_with_every_user() -> None:
    ptr, time = packed([[0, 10, 1_000, 1_001], [], [1_002], [0, 5_000]])
    assert session_starts(ptr, time, 900).tolist() == [0, 2, 4, 5, 6]
    assert session_starts(ptr, time, 10_000).tolist() == [0, 4, 5]
    assert session_starts(*packed([[]]), 900).tolist() == []


def test_the_running_session_is_that_of_the_newest_event() -> None:
    time = np.array([0, 100, 5_000, 5_100, 5_200], dtype=np.int64)
    assert running_session(time, 5_300, 900) == 2
    assert running_session(time, 5_200 + 901, 900) == 5
    assert in_session(time, 5_200 + 900, 900)
    assert not in_session(time, 5_200 + 901, 900)
    assert not in_session(time[:0], 0, 900)
    # A robot never pauses: only so much of it counts.
    assert running_session(np.arange(1_000), 1_000, 900) == 1_000 - MOST_RUNNING


@pytest.mark.parametrize(("inside", "between"), [(30, 86_400), (60, 3 * 86_400), (120, 40_000)])
def test_the_gap_lies_between_the_two_humps(inside: float, between: float) -> None:
    found = session_gap(*packed(visits(inside, between)))
    assert 3 * inside < found < between / 3
    assert LEAST_GAP <= found <= MOST_GAP


def test_the_gap_is_bounded_and_has_a_default() -> None:
    assert session_gap(*packed(visits(5, 60))) == LEAST_GAP
    assert session_gap(*packed(visits(3_000, 10**7))) == MOST_GAP
    assert session_gap(*packed([[0, 30, 86_400]])) == DEFAULT_GAP
    assert session_gap(*packed([[7] * 1_000])) == DEFAULT_GAP
    assert session_gap(*packed([])) == DEFAULT_GAP


def test_ties_are_shuffled_among_themselves_alone() -> None:
    ptr, time = packed([[1, 2, 2, 2, 2, 2, 2, 2, 3], [3, 3, 3, 3, 3], [3], [4, 5]])
    seen = set()
    for seed in range(5):
        order = shuffled_ties(ptr, time, np.random.default_rng(seed))
        assert (time[order] == time).all()
        assert sorted(order.tolist()) == list(range(len(time)))
        user = np.repeat(np.arange(4), np.diff(ptr))
        assert (user[order] == user).all()
        assert order[[0, 8, 14, 15, 16]].tolist() == [0, 8, 14, 15, 16]
        seen.add(tuple(order.tolist()))
    assert len(seen) > 3


def test_baskets_are_told_from_streams() -> None:
    ptr, time = packed([[1, 1, 1, 9, 9], [1, 1]])
    assert are_baskets(ptr, np.arange(7, dtype=np.int32), time)
    assert not are_baskets(ptr, np.zeros(7, dtype=np.int32), time)
    assert not are_baskets(ptr, np.arange(7, dtype=np.int32), np.arange(7))
