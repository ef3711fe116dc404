"""What lists are like: on worlds so small that every figure can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from openpersonalize.evaluation import lists
from openpersonalize.evaluation.lists import ItemPopularity, diversity, exposure_gini, mean_over_list
from openpersonalize.testing.worlds import sequences_of

WORLD = sequences_of(
    # a is met by all four users, b by two of them, c by one, d by nobody.
    [("u1", "a", 1), ("u1", "b", 2), ("u2", "a", 1), ("u2", "b", 2), ("u2", "a", 3), ("u3", "a", 1),
     ("u4", "a", 1), ("u4", "c", 5)],
    items=["a", "b", "c", "d"],
)  # fmt: skip


def test_popularity_counts_users_once() -> None:
    popularity = ItemPopularity.of(WORLD)
    assert popularity.users.tolist() == [4, 2, 1, 0]
    assert popularity.people == 4
    assert popularity.percentile.tolist() == [3.5 / 4, 2.5 / 4, 1.5 / 4, 0.5 / 4]
    assert popularity.surprise().tolist() == [0.0, 1.0, 2.0, 2.0]


def test_ties_share_the_middle_of_their_places() -> None:
    world = sequences_of([("u1", "a", 1), ("u1", "b", 1), ("u1", "c", 1)])
    assert ItemPopularity.of(world).percentile.tolist() == [0.5, 0.5, 0.5]


def test_the_mean_of_short_lists_is_over_what_they_hold() -> None:
    values = np.array([1.0, 2.0, 6.0])
    listed = np.array([[0, 2, -1], [1, -1, -1], [-1, -1, -1]], dtype=np.int32)
    assert mean_over_list(values, listed).tolist() == [3.5, 2.0, 0.0]


def plainly(listed: list[int]) -> float:
    met = [{0, 1, 2, 3}, {0, 1}, {3}, set()]
    pairs = [(a, b) for place, a in enumerate(listed) for b in listed[place + 1 :]]
    similar = [len(met[a] & met[b]) / math.sqrt(max(len(met[a]) * len(met[b]), 1)) for a, b in pairs]
    return 1 - sum(similar) / len(similar)


def test_diversity_is_one_minus_the_mean_cosine_of_the_pairs() -> None:
    listed = np.array([[0, 1, 2], [2, 1, 0], [1, 2, 3], [0, 1, -1], [3, -1, -1]], dtype=np.int32)
    found = diversity(WORLD, listed)
    assert found[:4] == pytest.approx([plainly([0, 1, 2]), plainly([0, 1, 2]), 1.0, plainly([0, 1])])
    assert found[4] == 0.0


def test_diversity_against_a_plain_computation_and_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    met = zip(rng.integers(0, 600, 9000).tolist(), rng.integers(0, 40, 9000).tolist(), strict=True)
    rows = [(f"u{user}", f"i{item:02}", k) for k, (user, item) in enumerate(met)]
    world = sequences_of(rows)
    listed = np.array([rng.permutation(40)[:6] for _ in range(30)], dtype=np.int32)
    table = np.zeros((600, 40))
    table[world.user, world.item] = 1
    cosine = table.T @ table / np.sqrt(np.outer(table.sum(0), table.sum(0)))
    plain = [1 - np.mean([cosine[a, b] for p, a in enumerate(one) for b in one[p + 1 :]]) for one in listed]
    assert diversity(world, listed) == pytest.approx(plain)
    monkeypatch.setattr(lists, "TABLE_BYTES", 40 * 600 // 8 // 2)  # room for every second user
    thinned = diversity(world, listed)
    assert thinned != pytest.approx(plain)
    assert thinned == pytest.approx(plain, abs=0.1)


def test_gini_of_even_and_of_concentrated_exposure() -> None:
    assert exposure_gini(np.array([[0, 1], [2, 3]], dtype=np.int32), 4) == pytest.approx(0.0)
    assert exposure_gini(np.array([[0, -1], [0, -1]], dtype=np.int32), 4) == pytest.approx(0.75)
    assert exposure_gini(np.full((2, 2), -1, dtype=np.int32), 4) == 0.0
