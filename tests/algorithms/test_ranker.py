"""A feature asked for a few items, or for many queries together, is the one that is written out for all."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from algorithms.worlds import Past, past, some_events
from openpersonalize.algorithms.arrays import Float32
from openpersonalize.algorithms.dict_column import DictColumn
from openpersonalize.algorithms.linear import Linear
from openpersonalize.algorithms.naive_bayes import NaiveBayes
from openpersonalize.algorithms.neighbours import Neighbours
from openpersonalize.algorithms.popularity import Popularity, item_popularity
from openpersonalize.algorithms.ranker import BaseRanker, QueryBlock, RankerQuery
from openpersonalize.algorithms.repeat_consumption import PersonalFrequency, RepeatConsumption
from openpersonalize.algorithms.transitions import Transitions

N = 60
EVENTS = some_events(2, users=80, n=N, longest=30)
EVENTS.item[EVENTS.user % 2 == 0] //= 3  # users of even number like the first items
TOWNS = {"TOWN": DictColumn.of(pl.Series("TOWN", ["Oslo|Rome", "Lyon"] * 40))}


class Plain(BaseRanker):
    """One that knows nothing of partial features."""

    kind = "plain"

    def feature(self, history: RankerQuery) -> Float32:
        return np.cos(np.arange(N, dtype=np.float32))

    def save(self, folder: object) -> None:
        raise NotImplementedError


def rankers() -> list[BaseRanker]:
    groups = NaiveBayes.fit(EVENTS, "profile", TOWNS, EVENTS.user)
    made = [
        Plain(),
        Transitions.fit(EVENTS),
        Transitions.fit(EVENTS, top=3),
        Linear.fit(EVENTS),
        Neighbours.fit(EVENTS, top=5),
        Popularity(item_popularity(EVENTS.ptr, EVENTS.item, N)[0]),
        RepeatConsumption.fit(EVENTS, 5),
        PersonalFrequency(600, N),
    ]
    return made if groups is None else [*made, groups]


def histories() -> list[Past]:
    plain = [past([3]), past([5, 9, 5, 5, 40]), past(list(range(N)) * 4)]
    return [*plain, replace(plain[1], profile={"TOWN": "Rome|Lyon"})]


@pytest.mark.parametrize("ranker", rankers(), ids=lambda one: one.name)
def test_a_part_of_a_feature_is_the_feature_there(ranker: BaseRanker) -> None:
    rows = np.array([59, 0, 5, 9, 41])
    for history in histories():
        whole, part = ranker.feature(history), ranker.lazy(history)
        assert np.allclose(part.at(rows), whole[rows], atol=1e-5)
        assert np.allclose(part.at(np.arange(N)), whole, atol=1e-5)
        assert part.at(rows).dtype == np.float32
        assert len(part.at(rows[:0])) == 0


@pytest.mark.parametrize("ranker", rankers()[:-1], ids=lambda one: one.name)
def test_its_best_are_the_best(ranker: BaseRanker) -> None:
    for history in histories():
        whole, best = ranker.feature(history), ranker.lazy(history).top(4)
        assert best.dtype == np.int64
        assert len(set(best.tolist())) == len(best) <= 4
        others = np.setdiff1d(np.arange(N), best)
        if isinstance(ranker, RepeatConsumption) or not len(best):
            assert set(best.tolist()) <= set(history.item.tolist())
        else:
            assert whole[best].min() >= whole[others].max() - 1e-5


@pytest.mark.parametrize("ranker", rankers(), ids=lambda one: one.name)
def test_together_queries_have_the_features_that_each_has(ranker: BaseRanker) -> None:
    asked = [*histories(), past([7, 7, 2]), past(list(range(40, 0, -1)))] * 3
    block = QueryBlock.of([*asked[3:], *asked[:3], *asked])
    total = np.full((len(block), N), 0.5, dtype=np.float32)
    ranker.accumulate(block, np.float32(-2.0), total)
    for row, history in zip(total, block.queries, strict=True):
        assert np.allclose(row, 0.5 - 2.0 * ranker.feature(history), atol=1e-5)


def test_a_block_knows_the_newest_events_and_the_distinct_items_of_each_query() -> None:
    block = QueryBlock.of([past([3, 1, 3]), past([5]), past([2, 2, 9, 4])])
    ptr, places = block.newest(2)
    assert ptr.tolist() == [0, 2, 3, 5]
    assert block.item[places].tolist() == [1, 3, 5, 9, 4]
    ends, items = block.distinct(3)
    assert [items[a:b].tolist() for a, b in itertools.pairwise(ends)] == [[1, 3], [5], [2, 4, 9]]
    pieces = [*block.pieces(1), *block.pieces(10**9)]
    assert [(piece.start, piece.stop) for piece in pieces] == [(0, 3), (0, 1), (1, 2), (2, 3)]


def test_a_group_names_what_its_values_like() -> None:
    groups = rankers()[-1]
    assert isinstance(groups, NaiveBayes)
    liked = groups.lazy(replace(past([]), profile={"TOWN": "Oslo"})).top(5)
    assert 0 < len(liked) <= 5
    assert len(groups.lazy(past([])).top(5)) == 0
