"""Fading counts: against the formula, in whatever pieces the events come."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.worlds import past
from openpersonalize.algorithms.recent_popularity import HALF_LIVES, HOUR, RecentPopularity, half_lives
from openpersonalize.algorithms.timeline import Timeline

HALF_LIFE = 4 * HOUR
EVENT = st.tuples(st.integers(0, 4), st.integers(10**9, 10**9 + 30 * HOUR))
EVENTS = st.lists(EVENT, max_size=40)


def plainly(events: list[tuple[int, int]], now: int) -> np.ndarray:
    """Everything before the last complete hour, halved every four hours."""
    moment = now // HOUR * HOUR
    counts = np.zeros(5)
    for item, time in events:
        if time < moment:
            counts[item] += 2.0 ** (-(moment - time) / HALF_LIFE)
    return np.log1p(counts)


def columns(events: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    item = np.array([item for item, _ in events], dtype=np.int32)
    return (
        item,
        np.array([time for _, time in events], dtype=np.int64),
        np.ones(len(events), dtype=np.float32),
    )


@given(EVENTS, st.lists(st.integers(10**9, 10**9 + 40 * HOUR), min_size=1, max_size=6))
def test_a_timeline_can_be_asked_at_any_moment(events: list[tuple[int, int]], moments: list[int]) -> None:
    recent = RecentPopularity(HALF_LIFE, 5, Timeline.of(*columns(events)))
    for now in moments:
        assert np.allclose(recent.feature(past([0], now)), plainly(events, now), atol=1e-5)


@given(EVENTS, st.lists(st.integers(1, 39), max_size=3))
def test_live_events_in_pieces_are_as_good_as_all_at_once(
    events: list[tuple[int, int]], cuts: list[int]
) -> None:
    events = sorted(events, key=lambda event: event[1])
    recent = RecentPopularity(HALF_LIFE, 5)
    edges = [0, *sorted(cuts), len(events)]
    for begin, end in itertools.pairwise(edges):
        recent.partial_fit(*columns(events[begin:end]))
    now = 10**9 + 31 * HOUR
    assert np.allclose(recent.feature(past([0], now)), plainly(events, now), atol=1e-5)


def test_settled_and_saved_it_goes_on(tmp_path: Path) -> None:
    events = [(k % 5, 10**9 + k * 700) for k in range(60)]
    recent = RecentPopularity(HALF_LIFE, 5, Timeline.of(*columns(events[:40])))
    recent.feature(past([0], 10**9 + 3 * HOUR))
    recent.freeze()
    recent.save(tmp_path)
    opened = RecentPopularity.load(tmp_path, recent.name)
    standing = opened.feature(past([0], 10**9 + 10**7))
    assert np.array_equal(standing, opened.feature(past([0], 10**9 + 10**8)))
    assert np.allclose(standing, plainly(events[:40], (events[39][1] // HOUR + 1) * HOUR), atol=1e-5)
    opened.start_clock()
    opened.partial_fit(*columns(events[40:]))
    now = 10**9 + 20 * HOUR
    assert np.allclose(opened.feature(past([0], now)), plainly(events, now), atol=1e-5)


def test_a_pause_between_the_data_and_live_events_does_not_fade() -> None:
    events = [(k % 5, 10**9 + k * 700) for k in range(60)]
    recent = RecentPopularity(HALF_LIFE, 5, Timeline.of(*columns(events[:40])))
    recent.freeze()
    pause = 10**7
    recent.start_clock(pause)
    recent.partial_fit(*columns([(item, time + pause) for item, time in events[40:]]))
    now = 10**9 + 20 * HOUR
    assert np.allclose(recent.feature(past([0], now + pause)), plainly(events, now), atol=1e-5)


def test_within_a_step_nothing_moves() -> None:
    recent = RecentPopularity(HALF_LIFE, 5)
    recent.partial_fit(*columns([(1, 10 * HOUR)]))
    before = recent.feature(past([0], 12 * HOUR + 1)).copy()
    recent.partial_fit(*columns([(2, 12 * HOUR + 2)]))
    assert np.array_equal(recent.feature(past([0], 12 * HOUR + 3)), before)
    assert recent.feature(past([0], 13 * HOUR))[2] > 0


@pytest.mark.parametrize(("per_hour", "shortest"), [(1000, HOUR // 4), (10, HOUR), (1, 6 * HOUR)])
def test_half_lives_suit_the_density(per_hour: int, shortest: int) -> None:
    time = np.arange(0, 2000 * HOUR, HOUR // per_hour, dtype=np.int64)
    assert half_lives(time)[0] == shortest
    assert half_lives(time[:0]) == ()


def test_a_name_tells_the_half_life() -> None:
    names = [RecentPopularity(half_life, 5).name for half_life in HALF_LIVES]
    assert names[:3] == ["recent-15m", "recent-1h", "recent-6h"]
    assert len(set(names)) == len(HALF_LIVES)
