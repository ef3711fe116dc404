"""A feature asked for a few items is the one that is written out for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from algorithms.worlds import Past, past, some_events
from openpersonalize.algorithms.coded import Coded
from openpersonalize.algorithms.companion import (
    Companion,
    Dense,
    Float32,
    History,
    Int64,
    Mixture,
    different,
    largest,
)
from openpersonalize.algorithms.groups import Groups
from openpersonalize.algorithms.linear import Linear
from openpersonalize.algorithms.neighbours import Neighbours
from openpersonalize.algorithms.popularity import Popularity, by_users
from openpersonalize.algorithms.repeats import Own, Repeats
from openpersonalize.algorithms.transitions import Transitions

N = 60
EVENTS = some_events(2, users=80, n=N, longest=30)
EVENTS.item[EVENTS.user % 2 == 0] //= 3  # users of even number like the first items
TOWNS = {"TOWN": Coded.of(pl.Series("TOWN", ["Oslo|Rome", "Lyon"] * 40))}


class Plain(Companion):
    """One that knows nothing of partial features."""

    kind = "plain"

    def feature(self, history: History) -> Float32:
        return np.cos(np.arange(N, dtype=np.float32))

    def save(self, folder: object) -> None:
        raise NotImplementedError


def members() -> list[Companion]:
    groups = Groups.fit(EVENTS, "profile", TOWNS, EVENTS.user)
    made = [
        Plain(),
        Transitions.fit(EVENTS),
        Transitions.fit(EVENTS, top=3),
        Linear.fit(EVENTS),
        Neighbours.fit(EVENTS, top=5),
        Popularity(by_users(EVENTS.ptr, EVENTS.item, N)[0]),
        Repeats.fit(EVENTS, 5),
        Own(600, N),
    ]
    return made if groups is None else [*made, groups]


def histories() -> list[Past]:
    plain = [past([3]), past([5, 9, 5, 5, 40]), past(list(range(N)) * 4)]
    return [*plain, replace(plain[1], profile={"TOWN": "Rome|Lyon"})]


@pytest.mark.parametrize("member", members(), ids=lambda one: one.name)
def test_a_part_of_a_feature_is_the_feature_there(member: Companion) -> None:
    rows = np.array([59, 0, 5, 9, 41])
    for history in histories():
        whole, part = member.feature(history), member.partial(history)
        assert np.allclose(part.at(rows), whole[rows], atol=1e-5)
        assert np.allclose(part.at(np.arange(N)), whole, atol=1e-5)
        assert part.at(rows).dtype == np.float32
        assert len(part.at(rows[:0])) == 0


@pytest.mark.parametrize("member", members()[:-1], ids=lambda one: one.name)
def test_its_best_are_the_best(member: Companion) -> None:
    for history in histories():
        whole, best = member.feature(history), member.partial(history).best(4)
        assert best.dtype == np.int64
        assert len(set(best.tolist())) == len(best) <= 4
        others = np.setdiff1d(np.arange(N), best)
        if isinstance(member, Repeats) or not len(best):
            assert set(best.tolist()) <= set(history.item.tolist())
        else:
            assert whole[best].min() >= whole[others].max() - 1e-5


def test_a_group_names_what_its_values_like() -> None:
    groups = members()[-1]
    assert isinstance(groups, Groups)
    liked = groups.partial(replace(past([]), profile={"TOWN": "Oslo"})).best(5)
    assert 0 < len(liked) <= 5
    assert len(groups.partial(past([])).best(5)) == 0


@pytest.mark.parametrize("values", [[], [3], [3, 1, 3, 3, 2, 1]])
def test_different_values(values: list[int]) -> None:
    assert different(np.array(values, dtype=np.int64)).tolist() == sorted(set(values))


def test_the_largest() -> None:
    values = np.array([3, 1, 2], dtype=np.float32)
    found: Int64 = largest(values, 2)
    assert sorted(found.tolist()) == [0, 2]
    assert sorted(largest(values, 7).tolist()) == [0, 1, 2]
    assert largest(values, 0).tolist() == []


@pytest.mark.parametrize("shape", ["spread", "tied", "rising", "mostly gone", "in step"])
@pytest.mark.parametrize("n", [30, 1000, 5003])
def test_the_largest_of_many(shape: str, n: int) -> None:
    values = np.random.default_rng(n).normal(size=n).astype(np.float32)
    if shape == "tied":
        values = np.round(values)
    elif shape == "rising":
        values = np.sort(values)
    elif shape == "mostly gone":
        values[n // 50 :] = -np.inf
    elif shape == "in step":
        values[:: 4 * 20] += 50  # all in one part
    for k in (1, 20, 25):
        expected = np.argsort(-values, kind="stable")[:k]
        assert sorted(largest(values, k).tolist()) == sorted(expected.tolist())


def test_of_equal_ones_the_first_are_the_largest() -> None:
    values = np.array([0, 5, 0, 0, 7, 0], dtype=np.float32)
    assert sorted(largest(values, 4).tolist()) == [0, 1, 2, 4]
    assert sorted(largest(values, 1).tolist()) == [4]


def test_a_mixture_adds_up_and_puts_forward_what_leads_in_it() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 50)).astype(np.float32)
    mixture = Mixture([(Dense(one), 0.5), (Dense(other), -2.0)])
    total = 0.5 * one - 2.0 * other
    rows = np.array([7, 3, 49])
    np.testing.assert_allclose(mixture.at(rows), total[rows], rtol=1e-5)
    found = mixture.best(50)
    assert sorted(found.tolist()) == list(range(50))
    few = mixture.best(5)
    assert len(few) == 5
    assert set(few.tolist()) <= set(largest(one, 5).tolist()) | set(largest(other, 5).tolist())
