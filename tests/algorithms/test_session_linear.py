"""The linear model over sessions, against solving it as it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from algorithms.test_session_neighbours import GAP, shop, some_orders
from algorithms.worlds import Past, past
from openpersonalize.algorithms.session_linear import REGULARISATION, SessionLinear


def solved(users: list[list[list[int]]], n: int) -> np.ndarray:
    rows = []
    for orders in users:
        for age, order in enumerate(reversed(orders), start=1):
            row = np.zeros(n)
            row[order] = np.sqrt(1 / age)
            rows.append(row)
    inverse = np.linalg.inv(np.transpose(rows) @ rows + REGULARISATION * np.eye(n))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@pytest.mark.parametrize("seed", range(3))
def test_it_solves_over_sessions(seed: int) -> None:
    users = some_orders(seed)
    table = SessionLinear.fit(shop(users, 12), GAP)
    expected = solved(users, 12)
    for row in range(12):
        span = slice(table.rows.ptr[row], table.rows.ptr[row + 1])
        found = np.zeros(12)
        found[table.rows.col[span]] = table.rows.value[span]
        # The worth of a session is one of 32 levels.
        assert np.allclose(found, expected[row], atol=0.01)


def test_what_belongs_together_leads_and_not_what_is_popular(tmp_path: Path) -> None:
    # Everybody buys 4; 0 goes with 1, 2 with 3.
    users = [[[0, 1, 4]], [[2, 3, 4]]] * 30
    table = SessionLinear.fit(shop(users, 6), GAP)
    table.save(tmp_path)
    for one in (table, SessionLinear.load(tmp_path, table.name)):
        cart = one.feature(past([2, 4], step=60))
        assert cart.argmax() == 3
        # What is in the cart is no answer.
        assert cart[2] == cart[4] == cart.min()
        assert one.lazy(past([2, 4], step=60)).top(1).tolist() == [3]
        # Only the running session is asked with.
        both = past([2, 0], step=60)
        time = both.time.copy()
        time[0] -= 10 * 86_400
        assert one.feature(Past(both.item, time, both.event, both.now)).argmax() == 1
        for nothing in (past([0], step=GAP + 1), past([5]), past([])):
            assert not one.feature(nothing).any()


def test_the_part_is_the_whole() -> None:
    table = SessionLinear.fit(shop(some_orders(0), 12), GAP)
    for items in ([3], [1, 5, 2], [0, 0, 7]):
        query = past(items, step=60)
        dense, part = table.feature(query), table.lazy(query)
        assert np.allclose(part.dense(12), dense, atol=1e-5)
        assert np.allclose(part.at(np.arange(12)), dense, atol=1e-5)
        assert table.unseen_value(query) == pytest.approx(part.rest, abs=1e-5)


def test_rare_items_and_nobody() -> None:
    table = SessionLinear.fit(shop(some_orders(1), 14), GAP, most_items=5)
    assert (np.diff(table.rows.ptr) > 0).sum() == 5
    for users in ([], [[]], [[[0]], [[1]]]):
        assert not SessionLinear.fit(shop(users, 3), GAP).feature(past([0])).any()
