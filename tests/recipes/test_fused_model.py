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
from openpersonalize.algorithms.ranker import BaseRanker, OnlineRanker
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.base_rankers import base_rankers
from openpersonalize.recipes.fusion.candidates import FusedRetriever
from openpersonalize.recipes.fusion.cold_items import fit_content
from openpersonalize.recipes.fusion.model import FusedModel, OnlineFusion
from openpersonalize.recipes.fusion.online import START_EVENTS
from openpersonalize.recipes.fusion.weights import Weights
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.item_vocabulary import ItemVocabulary
from openpersonalize.recipes.objective import ItemRewards
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.worlds import DAY, chain, nobody, question, two_clusters

PLAN = Plan(Shape(d=16, longest=12), passes=20, tokens=256, rate=1e-2, candidates=0, dropout=0.0)


def sides(sequences: Sequences, names: list[str] | None = None) -> pl.DataFrame:
    """Items whose metadata says on which side they are."""
    ids = sequences.items.strings() if names is None else names
    return pl.DataFrame({"ITEM_ID": ids, "SIDE": [name[0] for name in ids]})


def model_of(sequences: Sequences, *, encoder: bool = True) -> FusedModel:
    """Fitted members with weights given."""
    vocabulary = ItemVocabulary.fit(sides(sequences))
    rankers: list[BaseRanker] = base_rankers(sequences, sequences, "leave_last", True, Training(), gap=1_800)
    if encoder:
        rankers.insert(0, fit_encoder(sequences.events, vocabulary.attributes, PLAN).encoder)
    weights = {ranker.name: 0.3 for ranker in rankers} | {"encoder": 1.0}
    excluded = {**weights, "popularity": -0.2}
    counts = ItemCounts.of(sequences)
    return FusedModel(
        sequences.items, counts, rankers, Weights.alike(weights, excluded), vocabulary=vocabulary
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
    return FusedModel.load(tmp_path, model.items, model.counts)


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


@pytest.mark.parametrize("encoder", [False, True])
def test_metadata_order_items_that_nobody_met_for_each_user(
    world: Sequences, tmp_path: Path, encoder: bool
) -> None:
    """With an encoder or without, of the catalogue or not, written out or asked one by one, saved or not."""
    learnt = without(world, "a0", "b0")
    plain = model_of(learnt, encoder=encoder)
    data = TrainingData.of(learnt, sides(world).drop("ITEM_ID"))
    content = fit_content(data, learnt, plain.vocabulary, Training())
    assert content is not None
    made = FusedModel(
        plain.items,
        plain.counts,
        plain.rankers,
        plain.weights,
        vocabulary=plain.vocabulary,
        content=content,
    )
    made.save(tmp_path)
    model = FusedModel.load(tmp_path, made.items, made.counts)
    rows = np.array([world.items.find(name) for name in ("a0", "b0")])
    records = model.embed(sides(world, ["a-new", "b-new", "c-new"]))
    assert records is not None
    assert records.any(axis=1).tolist() == [True, True, False]
    for user, side in ((0, 0), (1, 1)):
        for query in (question(learnt, user), question(learnt, user, seen_excluded=True)):
            scores = model.scores(query)
            assert np.array_equal(scores, made.scores(query))
            # What anybody met keeps its scores.
            met = plain.interacted
            assert np.array_equal(scores[met], plain.scores(query)[met])
            assert scores[rows[side]] > scores[rows[1 - side]] + 0.5
            assert scores[rows[side]] < scores.max()
            found = model.scores_of(query, records)
            assert np.allclose(found[:2], scores[rows], atol=2e-3)
            assert found[2] < scores.min()
            assert np.allclose(FusedRetriever(model, 1).scores_at(query, rows), scores[rows], atol=2e-3)
            parts = model.explain(query, int(rows[side]))
            assert sum(parts.values()) == pytest.approx(float(scores[rows[side]]), abs=2e-3)
            assert parts["content"] > 0
            assert "content" not in model.explain(query, int(rows[side]) + 1)


def test_newcomers_gain_what_many_meetings_are_worth(world: Sequences, tmp_path: Path) -> None:
    """As much as an item of the catalogue that nobody had met before."""
    learnt = without(world, "a0")
    model = model_of(learnt)
    model.save(tmp_path)
    other = FusedModel.load(tmp_path, model.items, model.counts)
    cold, n = world.items.find("a0"), len(world.items)
    end = int(world.time.max())
    now = end + 2 * DAY
    rest = (np.arange(300) % (n - 1) + cold + 1) % n
    followed, beside = model.online(), other.online()
    assert isinstance(followed, OnlineFusion)
    assert isinstance(beside, OnlineFusion)
    for one, number in ((followed, cold), (beside, n + 3)):
        for begin in (0, 200):
            items = rest[begin : begin + 200].astype(np.int32)
            items[::3] = number
            times = end + DAY + 300 * np.arange(begin, begin + len(items))
            one.observe(items, times.astype(np.int64), np.ones(len(items), np.float32))
    for query in (question(learnt, 0), question(learnt, 1, seen_excluded=True)):
        asked = replace(query, now=now)
        plan = {
            one.name: (one, weight) for one, weight in followed.plan(asked) if isinstance(one, OnlineRanker)
        }
        parts = followed.explain(asked, cold)
        worth = sum(parts[name] - weight * one.unseen_value(asked) for name, (one, weight) in plan.items())
        assert worth > 0.1
        gained = beside.online_bonus(asked, np.array([3, -1, 0, 2, 99]))
        assert gained[0] == pytest.approx(worth, abs=1e-4)
        assert gained[[1, 4]].tolist() == [0.0, 0.0]
        # Numbers in between that nobody told anything of are as new as can be.
        assert gained[2] == gained[3] == pytest.approx(0.0, abs=1e-6)
    assert not followed.online_bonus(asked, np.array([0])).any()


def test_newcomers_wait_for_nobody_and_move_nobody(world: Sequences, tmp_path: Path) -> None:
    """However many events are about them: what was there at training follows its own."""
    trained, n = model_of(world), len(world.items)
    trained.save(tmp_path)
    model = trained.online()
    assert model is not None
    asked = replace(question(world, 0), now=int(world.time.max()) + 3 * DAY)
    before = model.scores(asked)
    for begin in range(0, 5 * START_EVENTS, START_EVENTS):
        times = asked.now - DAY + 100 * np.arange(begin, begin + START_EVENTS, dtype=np.int64)
        model.observe(np.full(START_EVENTS, n, np.int32), times, np.ones(START_EVENTS, np.float32))
    assert np.array_equal(model.scores(asked), before)
    assert model.online_bonus(asked, np.array([0]))[0] > 0.1


def test_an_objective_leaves_newcomers_on_the_scale(world: Sequences) -> None:
    learnt = without(world, "a0", "b0")
    plain = model_of(learnt)
    rewards = ItemRewards(np.zeros(len(world.items), np.float32), 0.5)
    model = FusedModel(
        plain.items, plain.counts, plain.rankers, plain.weights, rewards, vocabulary=plain.vocabulary
    )
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
    vocabulary = ItemVocabulary.fit(table, {"PLOT"})
    assert [one.dense is not None for one in vocabulary.attributes] == [False, True]
    events = Events(world.ptr, world.item, world.time, world.event, world.weight, len(ids))
    encoder = fit_encoder(events, vocabulary.attributes, PLAN).encoder
    fresh = pl.DataFrame({"ITEM_ID": ["x", "y"], "PLOT": ["Kettle, plate", "Violins; a piano"]})
    vectors = encoder.vectors_of(vocabulary.of(fresh))
    for user in range(10):
        query = question(world, user)
        near = vectors @ encoder.encode(query.item, query.time, query.event)
        assert int(np.argmax(near)) == user % 2


def test_what_was_learned_online_is_saved_and_goes_on(world: Sequences, tmp_path: Path) -> None:
    trained, n = model_of(world), len(world.items)
    trained.save(tmp_path)
    end, rng = int(world.time.max()), np.random.default_rng(0)
    asked = [replace(question(world, user), now=end + 3 * DAY) for user in (0, 1)]
    time = end + np.sort(rng.integers(0, 2 * DAY, 3 * START_EVENTS))
    item = rng.integers(0, n + 3, len(time)).astype(np.int32)
    # Before the clocks started, at once after it, and well on.
    for saved_after in (START_EVENTS // 2, 2 * START_EVENTS, 3 * START_EVENTS):
        first, second = trained.online(), trained.online()
        assert isinstance(first, OnlineFusion)
        assert isinstance(second, OnlineFusion)
        for begin in range(0, 3 * START_EVENTS, START_EVENTS // 2):
            some = slice(begin, begin + START_EVENTS // 2)
            if begin == saved_after:
                folder = tmp_path / f"online-{saved_after}"
                folder.mkdir()
                first.save_online(folder)
                second.load_online(folder)
            first.observe(item[some], time[some], np.ones(len(item[some]), np.float32))
            if begin >= saved_after:
                second.observe(item[some], time[some], np.ones(len(item[some]), np.float32))
        if saved_after == 3 * START_EVENTS:
            folder = tmp_path / "online-end"
            folder.mkdir()
            first.save_online(folder)
            second.load_online(folder)
        for query in asked:
            assert np.array_equal(first.scores(query), second.scores(query))
            new = np.arange(-1, 5)
            assert np.array_equal(first.online_bonus(query, new), second.online_bonus(query, new))
        assert not np.array_equal(first.scores(asked[0]), trained.scores(asked[0]))


def test_an_online_state_belongs_to_its_model(world: Sequences, tmp_path: Path) -> None:
    online = []
    for number, sequences in enumerate((world, chain())):
        folder = tmp_path / str(number)
        folder.mkdir()
        trained = model_of(sequences)
        trained.save(folder)
        online.append(trained.online())
    first, second = online
    assert first is not None
    assert second is not None
    (tmp_path / "online").mkdir()
    first.save_online(tmp_path / "online")
    with pytest.raises(ValueError, match="another model"):
        second.load_online(tmp_path / "online")
