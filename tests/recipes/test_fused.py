"""The fused model: saved and opened it answers alike, and it knows newcomers by their metadata."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.algorithms.encoder import Shape
from openpersonalize.algorithms.encoder_plan import Plan
from openpersonalize.algorithms.encoder_training import fit_encoder
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.popularity import item_popularity
from openpersonalize.algorithms.ranker import BaseRanker, OnlineRanker
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.fused import LIVE_EVENTS, FusedModel, Weights
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.item_features import ItemFeatures
from openpersonalize.recipes.training import Training
from openpersonalize.recipes.user_personalization import base_rankers
from openpersonalize.testing.worlds import DAY, nobody, question, two_clusters

PLAN = Plan(Shape(d=16, longest=12), passes=20, tokens=256, rate=1e-2, candidates=0, dropout=0.0)


def sides(sequences: Sequences, names: list[str] | None = None) -> pl.DataFrame:
    """Items whose metadata says on which side they are."""
    ids = sequences.items.strings() if names is None else names
    return pl.DataFrame({"ITEM_ID": ids, "SIDE": [name[0] for name in ids]})


def model_of(sequences: Sequences, *, encoder: bool = True) -> FusedModel:
    """Fitted members with weights given."""
    n = len(sequences.items)
    events = Events(sequences.ptr, sequences.item, sequences.time, sequences.event, sequences.weight, n)
    vocabulary = ItemFeatures.fit(sides(sequences))
    rankers: list[BaseRanker] = base_rankers(sequences, sequences, "leave_last", True, Training())
    if encoder:
        rankers.insert(0, fit_encoder(events, vocabulary.attributes, PLAN).encoder)
    weights = {ranker.name: 0.3 for ranker in rankers} | {"encoder": 1.0}
    users, order = item_popularity(sequences.ptr, sequences.item, n)
    excluded = {**weights, "popularity": -0.2}
    return FusedModel(
        sequences.items, users, order, rankers, Weights(weights, excluded), vocabulary=vocabulary
    )


@pytest.fixture(scope="module")
def world() -> Sequences:
    return two_clusters()


@pytest.fixture(scope="module")
def model(world: Sequences) -> FusedModel:
    return model_of(world)


@pytest.fixture
def opened(model: FusedModel, tmp_path: Path) -> FusedModel:
    model.save(tmp_path)
    return FusedModel.load(tmp_path, model.items, ItemCounts(model.popularity, model.popular))


def test_opened_it_answers_alike(model: FusedModel, opened: FusedModel, world: Sequences) -> None:
    for query in (question(world, 3), question(world, 4, seen_excluded=True), nobody(world)):
        assert np.array_equal(opened.scores(query), model.scores(query))


def test_newcomers_are_known_by_their_metadata(
    model: FusedModel, opened: FusedModel, world: Sequences
) -> None:
    records = sides(world, ["a-new", "b-new", "c-new"])
    vectors = opened.embed(records)
    assert vectors is not None
    assert np.array_equal(vectors, model.embed(records))
    assert not vectors[2].any()
    assert model.encoder is not None
    for user, side in ((0, 0), (1, 1)):
        query = question(world, user)
        near = vectors @ model.encoder.encode(query.item, query.time, query.event)
        assert int(np.argmax(near)) == side


def test_without_an_encoder_newcomers_are_unknown(world: Sequences) -> None:
    assert model_of(world, encoder=False).embed(sides(world)) is None


def without(sequences: Sequences, *cold: str) -> Sequences:
    """The interactions with some items gone, which stay in the catalogue."""
    numbers = [sequences.items.find(name) for name in cold]
    return sequences.where(~np.isin(sequences.item, numbers))


def test_items_that_nobody_met_are_scored_by_their_metadata_on_the_same_scale(world: Sequences) -> None:
    learnt = without(world, "a0", "b0")
    model = model_of(learnt)
    rows = [world.items.find(name) for name in ("a0", "b0")]
    vectors = model.embed(sides(world, ["a0", "b0", "c0"]))
    assert vectors is not None
    for user, side in ((0, 0), (1, 1)):
        for query in (question(learnt, user), question(learnt, user, seen_excluded=True)):
            scores = model.scores(query)
            assert scores[rows[side]] > scores[rows[1 - side]]
            assert scores[rows[side]] < scores.max()
            # A newcomer with the same record has the same score.
            found = model.scores_of(query, vectors)
            assert np.allclose(found[:2], scores[rows], atol=2e-3)
            assert found[2] < scores.min()


def test_items_of_which_nothing_is_known_are_last(world: Sequences) -> None:
    learnt = without(world, "a0", "b0")
    rows = [world.items.find(name) for name in ("a0", "b0")]
    model = model_of(learnt, encoder=False)
    for query in (question(learnt, 0), nobody(learnt)):
        scores = model.scores(query)
        assert scores[rows].max() < np.delete(scores, rows).min()
        assert (model.scores_of(query, np.ones((2, 16), np.float32)) < scores.min()).all()


def test_newcomers_gain_what_many_meetings_are_worth(world: Sequences, tmp_path: Path) -> None:
    """As much as an item of the catalogue that nobody had met before."""
    learnt = without(world, "a0")
    model = model_of(learnt)
    model.save(tmp_path)
    other = FusedModel.load(tmp_path, model.items, ItemCounts(model.popularity, model.popular))
    cold, n = world.items.find("a0"), len(world.items)
    end = int(world.time.max())
    now = end + 2 * DAY
    rest = (np.arange(300) % (n - 1) + cold + 1) % n
    for one, number in ((model, cold), (other, n + 3)):
        for begin in (0, 200):
            items = rest[begin : begin + 200].astype(np.int32)
            items[::3] = number
            times = end + DAY + 300 * np.arange(begin, begin + len(items))
            one.observe(items, times.astype(np.int64), np.ones(len(items), np.float32))
    for query in (question(learnt, 0), question(learnt, 1, seen_excluded=True)):
        asked = replace(query, now=now)
        plan = {
            one.name: (one, weight) for one, weight in model._plan(asked) if isinstance(one, OnlineRanker)
        }
        parts = model.explain(asked, cold)
        worth = sum(parts[name] - weight * one.unseen_value(asked) for name, (one, weight) in plan.items())
        assert worth > 0.1
        gained = other.online_bonus(asked, np.array([3, -1, 0, 2, 99]))
        assert gained[0] == pytest.approx(worth, abs=1e-4)
        assert gained[[1, 4]].tolist() == [0.0, 0.0]
        # Numbers in between that nobody told anything of are as new as can be.
        assert gained[2] == gained[3] == pytest.approx(0.0, abs=1e-6)
    assert not model.online_bonus(asked, np.array([0])).any()


def test_newcomers_wait_for_nobody_and_move_nobody(world: Sequences) -> None:
    """However many events are about them: what was there at training follows its own."""
    model, n = model_of(world), len(world.items)
    for ranker in model.rankers:
        if isinstance(ranker, OnlineRanker):
            ranker.freeze()
    asked = replace(question(world, 0), now=int(world.time.max()) + 3 * DAY)
    before = model.scores(asked)
    for begin in range(0, 5 * LIVE_EVENTS, LIVE_EVENTS):
        times = asked.now - DAY + 100 * np.arange(begin, begin + LIVE_EVENTS, dtype=np.int64)
        model.observe(np.full(LIVE_EVENTS, n, np.int32), times, np.ones(LIVE_EVENTS, np.float32))
    assert np.array_equal(model.scores(asked), before)
    assert model.online_bonus(asked, np.array([0]))[0] > 0.1


def test_an_objective_leaves_newcomers_on_the_scale(world: Sequences) -> None:
    learnt = without(world, "a0", "b0")
    plain = model_of(learnt)
    reward = np.zeros(len(world.items), np.float32)
    model = FusedModel(
        plain.items, plain.popularity, plain.popular, plain.rankers, plain.weights,
        reward, 0.5, vocabulary=plain.vocabulary,
    )  # fmt: skip
    query = question(learnt, 0)
    vectors = model.embed(sides(world, ["a0", "b0"]))
    assert vectors is not None
    rows = [world.items.find(name) for name in ("a0", "b0")]
    assert np.allclose(model.scores_of(query, vectors), model.scores(query)[rows], atol=2e-3)


WORDS = {"a": ["teapot", "kettle", "spoon", "plate"], "b": ["guitar", "violin", "piano", "trumpet"]}


def test_texts_order_items_that_nobody_met(world: Sequences) -> None:
    """Only the text says on which side an item is: as prose it counts, unflagged it is not trained on."""
    rng = np.random.default_rng(0)
    ids = world.items.strings()

    def text(name: str) -> str:
        return "A " + " and ".join(rng.permutation(WORDS[name[0]])[:3].tolist()) + ", <b>new</b>"

    table = pl.DataFrame({"ITEM_ID": ids, "PLOT": [text(name) for name in ids]})
    vocabulary = ItemFeatures.fit(table, {"PLOT"})
    assert [one.dense is not None for one in vocabulary.attributes] == [False, True]
    events = Events(world.ptr, world.item, world.time, world.event, world.weight, len(ids))
    encoder = fit_encoder(events, vocabulary.attributes, PLAN).encoder
    fresh = pl.DataFrame({"ITEM_ID": ["x", "y"], "PLOT": ["Kettle, plate", "Violins; a piano"]})
    vectors = encoder.vectors_of(vocabulary.of(fresh))
    for user in range(10):
        query = question(world, user)
        near = vectors @ encoder.encode(query.item, query.time, query.event)
        assert int(np.argmax(near)) == user % 2
