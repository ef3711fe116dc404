"""Item neighbours within sessions, against counting session by session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from algorithms.worlds import Past, events_of, past
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.session_neighbours import SessionNeighbours

GAP = 1_800


def shop(users: list[list[list[int]]], n: int) -> Events:
    """Events of users' orders, a day apart."""
    ptr = np.concatenate(([0], np.cumsum([sum(map(len, one)) for one in users]))).astype(np.int64)
    item = [item for one in users for order in one for item in order]
    time = [86_400 * day for one in users for day, order in enumerate(one) for _ in order]
    return Events(
        ptr,
        np.array(item, dtype=np.int32),
        np.array(time, dtype=np.int64),
        np.zeros(len(item), dtype=np.int16),
        np.ones(len(item), dtype=np.float32),
        n,
    )


def dense(table: SessionNeighbours) -> np.ndarray:
    full = np.zeros((table.rows.n, table.rows.n))
    for row in range(table.rows.n):
        span = slice(table.rows.ptr[row], table.rows.ptr[row + 1])
        full[row, table.rows.col[span]] = table.rows.value[span]
    return full


def counted(users: list[list[list[int]]], n: int) -> np.ndarray:
    pairs, sessions = np.zeros((n, n)), np.zeros(n)
    for orders in users:
        for age, order in enumerate(reversed(orders), start=1):
            items = np.unique(order)
            worth = 1 / age / np.sqrt(len(items))
            sessions[items] += worth
            for one in items:
                pairs[one, items[items != one]] += worth
    return pairs / np.sqrt(np.outer(sessions + 1, sessions + 1))


def some_orders(seed: int, n: int = 12) -> list[list[list[int]]]:
    rng = np.random.default_rng(seed)
    return [
        [rng.integers(0, n, rng.integers(1, 6)).tolist() for _ in range(rng.integers(1, 4))]
        for _ in range(30)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_it_counts_what_stood_in_one_session(seed: int) -> None:
    users = some_orders(seed)
    events = shop(users, 12)
    found = dense(SessionNeighbours.fit(events, GAP))
    # The worth of a session is one of 32 levels.
    assert np.allclose(found, counted(users, 12), atol=0.04)
    assert ((found > 0) == (counted(users, 12) > 0)).all()
    pieces = dense(SessionNeighbours.fit(events, GAP, at_once=20))
    assert np.allclose(found, pieces)


def test_the_feature_is_about_the_running_session_alone(tmp_path: Path) -> None:
    table = SessionNeighbours.fit(shop([[[0, 1]], [[0, 1]], [[2, 3]], [[2, 3]], [[4]]], 5), GAP)
    table.save(tmp_path)
    for one in (table, SessionNeighbours.load(tmp_path, table.name)):
        cart = one.feature(past([0], step=60))
        assert cart.argmax() == 1
        assert np.allclose(cart[[0, 2, 3, 4]], np.log(0.1))
        assert one.unseen_value(past([0])) == pytest.approx(np.log(0.1))
        # Long ago 0 was bought; what is in the cart today is 2.
        both = past([0, 2], step=60)
        time = both.time.copy()
        time[0] -= 10 * 86_400
        assert one.feature(Past(both.item, time, both.event, both.now)).argmax() == 3
        # Nobody is there, or nothing is known of what is in the cart.
        assert not one.feature(past([0], step=GAP + 1)).any()
        assert not one.feature(past([4])).any()
        assert not one.feature(past([])).any()


def test_a_robot_and_an_enormous_order_do_not_rule() -> None:
    honest = [[[0, 1]] for _ in range(20)]
    robot = [[[0, 2]] * 3_000]
    everything = [[list(range(1_000))]]
    table = SessionNeighbours.fit(shop(honest + robot + everything + [[[0]]], 1_000), GAP)
    assert table.feature(past([0])).argmax() == 1
    row = slice(table.rows.ptr[500], table.rows.ptr[501])
    assert len(table.rows.col[row]) <= 99
    assert len(table.rows.col) <= 100 * 99 + 4


def test_nobody_and_orders_of_one_line_break_nothing() -> None:
    for events in (shop([], 3), shop([[]], 3), shop([[[0]], [[1], [2]]], 3), events_of([[]], 0)):
        table = SessionNeighbours.fit(events, GAP)
        assert not len(table.rows.col)
        if events.n:
            assert not table.feature(past([0])).any()
