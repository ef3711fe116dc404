"""EASE, against the formula."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from algorithms.worlds import events_of, past, some_events
from openpersonalize.algorithms import linear
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.item_counts import distinct_items
from openpersonalize.algorithms.linear import Linear, co_occurrences, invert


def incidence(events: Events) -> np.ndarray:
    x = np.zeros((len(events.ptr) - 1, events.n))
    x[events.user, events.item] = 1
    return x


@pytest.mark.parametrize(("n", "longest"), [(12, 40), (300, 12), (300, 80)])
def test_co_occurrences_whichever_way_they_are_counted(
    n: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "_PAIRS", 500)
    events = some_events(3, users=50, n=n, longest=longest)
    x = incidence(events)
    assert np.array_equal(co_occurrences(*distinct_items(events.ptr, events.item, events.n), n), x.T @ x)


def test_it_is_the_closed_form() -> None:
    events = some_events(4, users=200)
    x = incidence(events)
    inverse = np.linalg.inv(x.T @ x + 10.0 * np.eye(events.n))
    wanted = inverse / -np.diag(inverse)
    np.fill_diagonal(wanted, 0)
    rows = Linear.fit(events, regularisation=10.0).rows
    for row in range(events.n):
        found = np.zeros(events.n)
        span = slice(rows.ptr[row], rows.ptr[row + 1])
        found[rows.col[span]] = rows.value[span]
        assert np.allclose(found, wanted[row], atol=1e-4)


def test_the_feature_is_standardised_and_repeats_do_not_count() -> None:
    model = Linear.fit(some_events(5, users=100), regularisation=1.0)
    feature = model.feature(past([1, 2, 1, 1]))
    assert feature.mean() == pytest.approx(0, abs=1e-6)
    assert feature.std() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(feature, model.feature(past([2, 1])))


def test_items_of_one_user_have_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Linear.fit(events_of([[0, 1, 2], [0, 1], [0, 1]], 4))
    assert np.diff(model.rows.ptr).tolist() == [2, 2, 0, 0]
    monkeypatch.setattr(linear, "MOST_ITEMS", 1)
    assert np.diff(Linear.fit(events_of([[0, 1], [0, 1], [0]], 4)).rows.ptr).tolist() == [1, 0, 0, 0]


def test_nobody_is_no_trouble() -> None:
    assert Linear.fit(events_of([], 3)).feature(past([1])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("n", [0, 1, 5, 512, 513, 1300])
def test_inverted_in_place(n: int) -> None:
    rng = np.random.default_rng(n)
    rows = rng.random((n + 3, n)).astype(np.float32) < 0.1
    matrix = (rows.T.astype(np.float32) @ rows.astype(np.float32)) + 30 * np.eye(n, dtype=np.float32)
    found = matrix.copy()
    invert(found)
    assert np.allclose(found, np.linalg.inv(matrix.astype(np.float64)), rtol=1e-3, atol=1e-6)


def test_only_the_inversion_takes_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def threads() -> set[int]:
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    seen = []
    solve = np.linalg.inv
    monkeypatch.setattr(np.linalg, "inv", lambda matrix: seen.append(threads()) or solve(matrix))
    with threadpool_limits(limits=1, user_api="blas"):
        invert(np.eye(4, dtype=np.float32), threads=2)
        assert threads() == {1}
    assert seen == [{2}]
