"""The terms of a fused score add up to it, and the history items that spoke for an item are those of its
side."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.base_rankers import base_rankers
from openpersonalize.recipes.fusion.cold_items import fit_content
from openpersonalize.recipes.fusion.explanation import BEHIND, CONTENT, ITEM_TO_ITEM, OBJECTIVE, TERMS
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.store import KINDS
from openpersonalize.recipes.fusion.weights import Weights
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.item_vocabulary import ItemVocabulary
from openpersonalize.recipes.objective import ItemRewards
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.training import Kind, Training, TrainingData
from openpersonalize.testing.worlds import nobody, question, two_clusters
from recipes.test_fused_model import sides, without

COLD = ("a0", "b0")


@pytest.fixture(scope="module")
def world() -> Sequences:
    return two_clusters()


@pytest.fixture(scope="module")
def learnt(world: Sequences) -> Sequences:
    return without(world, *COLD)


def made(learnt: Sequences, *, content: bool = False, share: float | None = None) -> FusedModel:
    """A model without an encoder, two of whose items nobody met."""
    rankers = base_rankers(learnt, learnt, "leave_last", True, Training(), gap=1_800)
    weights = {ranker.name: 0.3 + 0.1 * place for place, ranker in enumerate(rankers)}
    records = sides(learnt)
    vocabulary = ItemVocabulary.fit(records)
    data = TrainingData(Kind(learnt.items, records), learnt)
    rewards = None if share is None else ItemRewards(np.linspace(0, 1, len(learnt.items), dtype="f4"), share)
    return FusedModel(
        learnt.items,
        ItemCounts.of(learnt),
        rankers,
        Weights.alike(weights, {**weights, "popularity": -0.2}),
        rewards,
        vocabulary=vocabulary,
        content=fit_content(data, learnt, vocabulary, Training()) if content else None,
    )


def asked(learnt: Sequences) -> list[Query]:
    return [question(learnt, 0), question(learnt, 1, seen_excluded=True), nobody(learnt)]


@pytest.mark.parametrize(("content", "share"), [(False, None), (True, None), (False, 0.5), (True, 0.25)])
def test_the_terms_add_up_to_the_score(learnt: Sequences, content: bool, share: float | None) -> None:
    model = made(learnt, content=content, share=share)
    for query in asked(learnt):
        scores = model.scores(query)
        for row in range(len(scores)):
            terms = model.sources(query, row)
            assert sum(one.weight * one.value for one in terms) == pytest.approx(scores[row], abs=1e-4)
            assert all(one.term for one in terms)
            assert len({one.name for one in terms}) == len(terms)


def test_what_beside_the_rankers_makes_a_score_has_its_term(learnt: Sequences) -> None:
    query, cold = question(learnt, 0), learnt.items.find("a0")
    names = {one.name for one in made(learnt).sources(query, cold)}
    assert BEHIND in names
    names = {one.name for one in made(learnt, content=True, share=0.5).sources(query, cold)}
    assert {CONTENT, OBJECTIVE} <= names
    assert BEHIND not in names


def test_items_of_the_same_side_spoke_for_an_item(learnt: Sequences) -> None:
    model = made(learnt)
    query = question(learnt, 0)
    near, far = learnt.items.find("a3"), learnt.items.find("b3")
    terms = {one.name: one for one in model.sources(query, near)}
    for name in ("linear", "transitions"):
        history = terms[name].history
        assert history is not None
        assert len(history) == len(query.item)
        for_far = {one.name: one.history for one in model.sources(query, far)}[name]
        assert for_far is not None
        assert history.sum() > for_far.sum()
    assert terms["popularity"].history is None


def test_an_item_of_the_history_counts_once_at_its_newest_event(learnt: Sequences) -> None:
    query = question(learnt, 0)
    twice = Query(
        np.concatenate([query.item, query.item[:1]]),
        np.concatenate([query.time, query.time[-1:] + 60]),
        np.concatenate([query.event, query.event[:1]]),
        np.concatenate([query.weight, query.weight[:1]]),
        query.now + 60,
    )
    found = {one.name: one.history for one in made(learnt).sources(twice, learnt.items.find("a3"))}["linear"]
    assert found is not None
    assert found[0] == 0
    assert found[-1] != 0


def test_every_kind_of_ranker_has_a_term() -> None:
    assert set(TERMS) == set(KINDS)
    assert {one.kind for one in ITEM_TO_ITEM} <= set(KINDS)
