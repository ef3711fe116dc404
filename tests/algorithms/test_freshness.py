"""Freshness: ages against the formula, at any moment, settled, saved and following live events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from algorithms.worlds import past
from openpersonalize.algorithms.freshness import AGE_SCALES, FirstSeen, Freshness
from openpersonalize.algorithms.recent_popularity import HOUR
from openpersonalize.algorithms.timeline import Timeline

ITEMS = 6
START = 10**9
EVENTS = st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(START, START + 30 * HOUR)), max_size=40)


def columns(events: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    item = np.array([item for item, _ in events], dtype=np.int32)
    time = np.array([time for _, time in events], dtype=np.int64)
    return item, time, np.ones(len(events), dtype=np.float32)


def fresh(events: list[tuple[int, int]], span: int = HOUR) -> Freshness:
    """Of any age: so few events would tell none."""
    return Freshness(span, replace(FirstSeen.of(Timeline.of(*columns(events)), ITEMS), youngest=0))


def plainly(events: list[tuple[int, int]], now: int, span: int = HOUR) -> np.ndarray:
    """By the time since the first event before `now`; without one, since the first of all."""
    first = [min((t for i, t in events if i == item and t < now), default=None) for item in range(ITEMS)]
    oldest = min((t for _, t in events), default=now)
    ages = [now - min(oldest if one is None else one, now) for one in first]
    return -np.log1p(np.array(ages) / span)


@given(EVENTS, st.lists(st.integers(START, START + 40 * HOUR), min_size=1, max_size=6))
def test_while_training_only_what_came_before_the_moment_is_met(
    events: list[tuple[int, int]], moments: list[int]
) -> None:
    ranker = fresh(events)
    for now in moments:
        assert np.allclose(ranker.feature(past([0], now)), plainly(events, now), atol=1e-5)


@given(EVENTS, st.integers(START, START + 40 * HOUR), st.integers(1, ITEMS))
def test_a_part_of_it_is_the_same_as_the_whole(events: list[tuple[int, int]], now: int, k: int) -> None:
    ranker = fresh(events)
    whole, part = ranker.feature(past([0], now)), ranker.lazy(past([0], now))
    rows = np.arange(ITEMS)[::2]
    assert np.array_equal(part.at(rows), whole[rows])
    met = sorted({item for item, time in events if time < now}, key=lambda item: whole[item])
    assert sorted(whole[part.top(k)].tolist()) == sorted(whole[met[-k:]].tolist())


def test_settled_and_saved_the_clock_stands_until_it_follows(tmp_path: Path) -> None:
    events = [(0, START), (1, START + HOUR), (2, START + 2 * HOUR)]
    ranker = fresh(events)
    ranker.freeze()
    ranker.save(tmp_path)
    opened = Freshness.load(tmp_path, ranker.name)
    standing = opened.feature(past([0], START + 10**7))
    assert np.allclose(standing, -np.log1p([2, 1, 0, 0, 0, 0]), atol=1e-5)
    pause = 10**6
    opened.start_clock(pause)
    opened.partial_fit(*columns([(4, START + 3 * HOUR + pause), (0, START + 3 * HOUR + pause)]))
    now = START + 4 * HOUR + pause
    # A step of the clock is a quarter of an hour; here one began 100 seconds earlier.
    ages = np.array([4, 3, 2, 0, 1, 0])
    assert np.allclose(opened.feature(past([0], now)), -np.log1p(ages), atol=0.02)
    assert opened.unseen_value(past([0], now)) == 0.0  # what nobody met is new


def test_within_a_step_it_is_the_same_array() -> None:
    ranker = fresh([(0, START), (1, START + HOUR)])
    ranker.freeze()
    ranker.start_clock()
    step = HOUR // 4
    now = (START // step + 12) * step
    assert ranker.feature(past([0], now)) is ranker.feature(past([1], now + step - 1))
    assert ranker.feature(past([0], now)) is not ranker.feature(past([0], now + step))


def test_without_any_event_all_are_alike() -> None:
    assert np.ptp(fresh([]).feature(past([0], START))) == 0


def test_a_name_tells_the_span() -> None:
    assert [fresh([], span).name for span in AGE_SCALES] == ["freshness-15m", "freshness-24h"]


def test_what_is_younger_than_anything_asked_for_is_as_old_as_the_youngest(tmp_path: Path) -> None:
    """Five items met once in hours, so that no question is about a young one; then a new one comes."""
    events = [(k % 5, START + k * HOUR) for k in range(100)]
    ranker = Freshness(HOUR, FirstSeen.of(Timeline.of(*columns(events)), ITEMS))
    assert 84 * HOUR < ranker.youngest < 92 * HOUR
    ranker.freeze()
    ranker.save(tmp_path)
    opened = Freshness.load(tmp_path, ranker.name)
    feature = opened.feature(past([0], START + 10**7))
    assert opened.youngest == ranker.youngest
    assert np.allclose(feature[5], -np.log1p(ranker.youngest / HOUR), atol=1e-5)
    assert np.ptp(feature) < 0.15


def test_where_new_items_are_asked_for_ages_are_told_from_minutes_on() -> None:
    events = [(k, START + k * 10**5) for k in range(1000)]
    again = [(item, time + 120) for item, time in events]
    timeline = Timeline.of(*columns(sorted(events + again, key=lambda one: one[1])))
    assert FirstSeen.of(timeline, 1000).youngest == 120


def test_where_new_items_are_there_ages_are_told_whatever_was_asked_for() -> None:
    """A new item comes every quarter of an hour, and everybody goes on with the first."""
    new = [(k, START + k * HOUR // 4) for k in range(1, 1000)]
    events = [(0, START)] + [event for one in new for event in (one, (0, one[1] + 60))]
    assert 0 < FirstSeen.of(Timeline.of(*columns(events)), 1000).youngest <= HOUR // 4
