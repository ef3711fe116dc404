"""The transition table, against counting pair by pair."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from algorithms.worlds import events_of, past, some_events
from openpersonalize.algorithms import transitions
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.returns import later_meetings
from openpersonalize.algorithms.transitions import Transitions


def dense(table: Transitions, n: int) -> np.ndarray:
    full = np.zeros((n, n))
    for row in range(n):
        span = slice(table.rows.ptr[row], table.rows.ptr[row + 1])
        full[row, table.rows.col[span]] = table.rows.value[span]
    return full


def counted(events: Events) -> np.ndarray:
    full = np.zeros((events.n, events.n))
    count = np.zeros(events.n)
    for begin, end in zip(events.ptr[:-1], events.ptr[1:], strict=True):
        later = {k: int((events.item[k + 1 : end] == events.item[k]).sum()) for k in range(begin, end)}
        for here in range(begin, end):
            count[events.item[here]] += 0.5 ** min(later[here], 8)
            for there in range(here + 1, min(here + 20, end - 1) + 1):
                again = later[here] + later[there]
                if again <= 7:
                    fade = 0.85 ** (there - here - 1) * 0.5**again
                    full[events.item[here], events.item[there]] += events.weight[there] * fade
    return full / np.maximum(count, 1)[:, None] ** 0.8 / (count + 5) ** 0.2


@pytest.mark.parametrize("seed", range(4))
def test_it_counts_what_follows(seed: int) -> None:
    events = some_events(seed)
    assert np.allclose(dense(Transitions.fit(events), events.n), counted(events), rtol=1e-5)


def test_weights_of_events_count() -> None:
    events = events_of([[0, 1, 2], [0, 2, 1]], 3, [[1.0, 1.5, 0.5], [1.0, 0.5, 1.5]])
    assert np.allclose(dense(Transitions.fit(events), 3), counted(events), rtol=1e-5)


def test_pieces_make_the_same_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    events = some_events(7)
    whole = Transitions.fit(events).rows
    monkeypatch.setattr(transitions, "PAIRS", 100)
    pieces = Transitions.fit(events).rows
    for part in ("ptr", "col", "value"):
        assert np.array_equal(getattr(whole, part), getattr(pieces, part))


def test_only_the_strongest_cells_of_a_row_stay() -> None:
    events = some_events(1)
    full, cut = counted(events), dense(Transitions.fit(events, top=3), events.n)
    for row in range(events.n):
        kept = np.sort(cut[row][cut[row] > 0])
        assert len(kept) == min(3, (full[row] > 0).sum())
        assert np.allclose(kept, np.sort(full[row])[len(full[row]) - len(kept) :], rtol=1e-5)


def test_the_newest_event_weighs_most() -> None:
    table = Transitions.fit(events_of([[0, 1], [2, 3]] * 20, 4))
    feature = table.feature(past([0, 2]))
    assert np.argsort(-feature)[:2].tolist() == [3, 1]


def test_nothing_known_says_nothing() -> None:
    table = Transitions.fit(events_of([[0, 1]], 4))
    assert len(set(table.feature(past([3])).tolist())) == 1


def test_nobody_is_no_trouble() -> None:
    assert Transitions.fit(events_of([], 5)).feature(past([1])).shape == (5,)


@pytest.mark.parametrize("robot", [[0, 1] * 1_500, [0] * 3_000, [0, 1, 2] * 1_000])
def test_one_user_adds_no_more_than_two_others(robot: list[int]) -> None:
    honest = [[0, 2], [1, 2], [0, 1]] * 10
    cells = []
    for count in (0, 30, 300, 3_000):
        events = events_of([*honest, robot[:count]], 3)
        full = dense(Transitions.fit(events), 3)
        sums = full * counted_items(events)[:, None] ** 0.8 * (counted_items(events) + 5) ** 0.2
        cells.append(sums)
    for fewer, more in itertools.pairwise(cells):
        assert (more >= fewer - 1e-4).all()  # with more events never less
    assert (cells[-1] - cells[0]).max() <= transitions.MOST_OF_A_USER + 1e-4


def counted_items(events: Events) -> np.ndarray:
    later = later_meetings(events.ptr, events.item, 8)
    return np.bincount(events.item, weights=0.5 ** later.astype(float), minlength=events.n)
