"""The repeat table, against walking through every history."""

from __future__ import annotations

import numpy as np
import pytest

from algorithms.worlds import Past, events_of, past, some_events
from openpersonalize.algorithms import meetings
from openpersonalize.algorithms.companion import Events
from openpersonalize.algorithms.repeats import _PRIOR, AGES, TIMES, Own, Repeats, _logs


def walked(events: Events, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Hits and trials [AGES, TIMES] of one event type, question by question."""
    hits, trials = np.zeros((2, AGES, 2 * TIMES))
    for begin, end in zip(events.ptr[:-1], events.ptr[1:], strict=True):
        own = events.item[begin:end].tolist()
        for now in range(1, len(own)):
            for item in set(own[:now]):
                last = max(place for place in range(now) if own[place] == item)
                times = own[:now].count(item)
                age = int(np.log2(now - last))
                bucket = 0 if times == 1 else 1 if times == 2 else 2 if times == 3 else 3 if times < 6 else 4
                trials[age, bucket] += 1
                hits[age, bucket] += item in own[now : now + horizon]
    return hits, trials


@pytest.mark.parametrize("horizon", [1, 5, 50])
def test_it_counts_what_comes_back(horizon: int) -> None:
    events = some_events(3, users=20, n=8)
    hits, trials = walked(events, horizon)
    pairs = {(int(u), int(i)) for u, i in zip(events.user, events.item, strict=True)}
    unmet = horizon * len(pairs) / len(events.item) / 8
    assert np.allclose(Repeats.fit(events, horizon).table, _logs(hits, trials, 2, unmet), atol=1e-5)


def test_met_items_rise_where_things_repeat_and_fall_where_they_do_not() -> None:
    loyal = Repeats.fit(events_of([[k, k + 1, k, k + 1] * 4 for k in range(30)], 40), 5)
    fickle = Repeats.fit(events_of([list(range(k, k + 10)) for k in range(30)], 40), 5)
    assert loyal.feature(past([3, 4, 3]))[3] > 0
    assert fickle.feature(past([3, 4, 5]))[3] < 0
    assert loyal.feature(past([3, 4]))[[0, 9]].tolist() == [0, 0]
    assert _PRIOR > 0


def test_unknown_event_types_and_long_histories_are_no_trouble() -> None:
    table = Repeats.fit(some_events(1), 5)
    history = past([1] * 500)
    strange = Past(history.item, history.time, np.full(500, 7, np.int16), history.now)
    assert np.isfinite(table.feature(strange)).all()
    assert np.isfinite(table.feature(Past(history.item, history.time, np.full(500, -1, np.int16), 0))).all()
    assert not table.feature(past([])).any()


def test_own_counts_fade() -> None:
    own = Own(half_life=600, n=5)
    feature = own.feature(past([1, 2, 2], now=10**6, step=300))
    assert feature[2] == pytest.approx(np.log1p(20 * (1 + 2.0**-0.5)))
    assert feature[1] == pytest.approx(np.log1p(20 * 2.0**-1))
    assert feature[[0, 3, 4]].tolist() == [0, 0, 0]


def test_pieces_make_the_same_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    events = some_events(3)
    whole = Repeats.fit(events, 5).table
    monkeypatch.setattr(meetings, "BLOCK", 50)
    assert np.allclose(Repeats.fit(events, 5).table, whole)
