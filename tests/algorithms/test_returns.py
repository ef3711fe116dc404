"""How long ago a user met an item before: against walking through the events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.worlds import some_events
from openpersonalize.algorithms import item_counts as counting
from openpersonalize.algorithms.arrays import Int64
from openpersonalize.algorithms.returns import GapLog, gaps_between, later_meetings, news

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 1000)), max_size=60)


def walked(users: Int64, items: Int64, times: Int64) -> tuple[list[float], list[int]]:
    """Seconds since the event before of each pair, and how many follow."""
    gaps, later = [], []
    for k, (user, item, time) in enumerate(zip(users, items, times, strict=True)):
        same = [j for j in range(len(users)) if (users[j], items[j]) == (user, item)]
        before = [times[j] for j in same if j < k]
        gaps.append(float(time - before[-1]) if before else np.inf)
        later.append(sum(j > k for j in same))
    return gaps, later


@pytest.mark.parametrize("block", [40, 500_000])
def test_packed_events(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(counting, "BLOCK", block)
    events = some_events(3)
    gaps, later = walked(events.user, events.item, events.time)
    assert gaps_between(events.ptr, events.item, events.time).tolist() == gaps
    assert later_meetings(events.ptr, events.item, 100).tolist() == later
    assert later_meetings(events.ptr, events.item, 2).tolist() == [min(one, 2) for one in later]


def test_nothing() -> None:
    assert len(gaps_between(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.int64))) == 0
    assert len(later_meetings(np.zeros(1, np.int64), np.empty(0, np.int32), 3)) == 0
    nothing = GapLog().gaps(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.uint64))
    assert len(nothing) == 0


@given(EVENTS, st.integers(1, 60), st.integers(0, 20))
def test_live_events_in_pieces(events: list[tuple[int, int, int]], piece: int, recent: int) -> None:
    events = sorted(events, key=lambda one: one[2])
    log, found = GapLog(recent=recent), []
    columns = [np.array([one[k] for one in events], dtype=np.int64) for k in range(3)]
    for begin in range(0, len(events), piece):
        user, item, time = (one[begin : begin + piece] for one in columns)
        found += log.gaps(item.astype(np.int32), time, (user * 2**40 + 77).astype(np.uint64)).tolist()
    assert found == walked(*columns)[0]


def test_a_late_event_is_no_news_and_takes_nothing_back() -> None:
    log, user = GapLog(), np.array([5], np.uint64)
    told = [log.gaps(np.array([1], np.int32), np.array([time], np.int64), user) for time in (100, 40, 130)]
    assert [one.tolist() for one in told] == [[np.inf], [0.0], [30.0]]


def test_memory_is_bounded_and_the_newest_stay() -> None:
    log = GapLog(most=1_000, recent=100)
    for begin in range(0, 20_000, 500):
        item = np.arange(begin, begin + 500, dtype=np.int32)
        log.gaps(item, item.astype(np.int64), np.full(500, 9, np.uint64))
        assert len(log) <= 1_000 + 100 + 500
    again = np.array([19_990, 3], np.int32)
    assert log.gaps(again, np.full(2, 20_000, np.int64), np.full(2, 9, np.uint64)).tolist() == [10.0, np.inf]


def test_a_user_counts_once() -> None:
    """However many events: as much as the newest one of them."""
    times = np.sort(np.random.default_rng(0).integers(0, 100_000, 3_000))
    gap = gaps_between(np.array([0, 3_000]), np.zeros(3_000, np.int32), times)
    faded = 0.5 ** ((100_000 - times) / 3_600)
    assert float((news(gap, 3_600) * faded).sum()) == pytest.approx(float(faded[-1]), rel=1e-3)
