"""User segmentation: who is drawn to an item or to an attribute, on worlds whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.datasets.splits import split_newest
from openpersonalize.evaluation.segments import SegmentQuestion, asked, measure_segments
from openpersonalize.recipes.facts import Facts
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_attributes import ItemAttributes
from openpersonalize.recipes.model import Segments
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import DAY, sequences_of, two_clusters

ITEMS = recipe("aws-item-affinity")
ATTRIBUTES = recipe("aws-item-attribute-affinity")
assert ITEMS is not None
assert ATTRIBUTES is not None

USERS, KINDS, OF_A_KIND = 400, 8, 20
SCHEMA = Schema(
    (Field("ITEM_ID", "string"), Field("KIND", "string", categorical=True), Field("PRICE", "double"))
)


def kind_of(item: str) -> str:
    """The category of an item, as its record says."""
    return f"k{int(item[1:]) % KINDS}"


def records(ids: list[str]) -> pl.DataFrame:
    """The Items dataset of the planted world."""
    prices = [float(int(one[1:])) for one in ids]
    return pl.DataFrame({"ITEM_ID": ids, "KIND": [kind_of(one) for one in ids], "PRICE": prices})


def planted(seed: int = 0, extra: list[str] | None = None) -> tuple[Sequences, np.ndarray]:
    """Everybody has a rate, from few events to many, and a taste for kinds of items; and float64[U, kinds],
    how many events of each kind each user is expected to have: the best ranking there can be."""
    rng = np.random.default_rng(seed)
    rate = rng.integers(6, 40, USERS)
    taste = rng.dirichlet(np.full(KINDS, 0.25), USERS)
    rows = []
    for user in range(USERS):
        kinds = rng.choice(KINDS, int(rate[user]), p=taste[user])
        places = (OF_A_KIND * rng.random(len(kinds)) ** 1.5).astype(int)
        times = np.sort(rng.integers(0, 90 * DAY, len(kinds)))
        rows += [
            (f"u{user:03}", f"i{place * KINDS + kind:03}", int(time))
            for place, kind, time in zip(places.tolist(), kinds.tolist(), times, strict=True)
        ]
    return sequences_of(rows, extra), rate[:, None] * taste


def data_of(sequences: Sequences, attributes: bool) -> TrainingData:
    """What is learned from, with the items' records."""
    items = records(sequences.items.strings())
    known = ItemAttributes.of(items, SCHEMA, ("KIND", "PRICE"), sequences.items) if attributes else None
    ranked = Kind(sequences.users, name="users")
    return TrainingData(ranked, sequences, of_items=Kind(sequences.items, items), attributes=known)


def fitted(facts: Facts, data: TrainingData) -> Segments:
    """Trained with the defaults."""
    code = recipe(facts.name)
    assert code is not None
    model = code.fit(data, read_configuration(facts, {}), Training(seed=1))
    assert isinstance(model, Segments)
    return model


class TestItems(RecipeContract):
    recipe = ITEMS


class TestAttributes(RecipeContract):
    recipe = ATTRIBUTES

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> TrainingData:
        world = two_clusters()
        items = pl.DataFrame({"ITEM_ID": world.items.strings()})
        items = items.with_columns(SIDE=pl.col("ITEM_ID").str.head(1))
        schema = Schema((Field("ITEM_ID", "string"), Field("SIDE", "string", categorical=True)))
        attributes = ItemAttributes.of(items, schema, ("SIDE",), world.items)
        ranked = Kind(world.users, name="users")
        return TrainingData(ranked, world, of_items=Kind(world.items, items), attributes=attributes)


def regression(learnt: Sequences, categories: np.ndarray, kind: int) -> np.ndarray:
    """float64[U]: a logistic regression of having any of a kind among the newest half of the events, by the
    shares of all kinds and the number of the older ones; asked about all events."""
    half = np.arange(len(learnt.item)) < np.repeat(learnt.ptr[:-1] + learnt.counts // 2, learnt.counts)

    def shares(events: np.ndarray) -> np.ndarray:
        found = np.zeros((len(learnt.users), KINDS))
        np.add.at(found, (learnt.user[events], categories[learnt.item[events]]), 1)
        total = found.sum(axis=1, keepdims=True)
        return np.hstack([found / np.maximum(total, 1), np.log1p(total), np.ones((len(found), 1))])

    later = np.bincount(learnt.user[~half & (categories[learnt.item] == kind)], minlength=len(learnt.users))
    known, target = shares(half), (later > 0).astype(float)
    weights = np.zeros(known.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-known @ weights))
        slope = (known * (chance * (1 - chance))[:, None]).T @ known + 1e-2 * np.eye(len(weights))
        weights += np.linalg.solve(slope, known.T @ (target - chance) - 1e-2 * weights)
    return shares(np.ones(len(learnt.item), bool)) @ weights


@pytest.fixture(scope="module")
def world() -> tuple[Sequences, np.ndarray]:
    return planted()


def recalls(questions: list[SegmentQuestion], scores: dict[str, list[Any]]) -> dict[str, float]:
    """Of the first tenth of the users, for each ranking: recall, a mean of all questions."""
    k = USERS // 10
    return {
        name: float(
            np.mean(
                [
                    np.isin(np.argsort(-score, kind="stable")[:k], question.users).sum()
                    / min(k, len(question.users))
                    for score, question in zip(found, questions, strict=True)
                ]
            )
        )
        for name, found in scores.items()
    }


@pytest.mark.parametrize("facts", [ITEMS.facts, ATTRIBUTES.facts], ids=["items", "attributes"])
def test_nearly_as_well_as_can_be(world: tuple[Sequences, np.ndarray], facts: Facts) -> None:
    """Beside the best there can be, the most active users, and a logistic regression for each kind."""
    sequences, expected = world
    held_out = split_newest(sequences)
    learnt = sequences.where(held_out.training)
    data = data_of(learnt, facts.needs_attribute)
    model = fitted(facts, data)
    questions = list(asked(sequences, held_out, data.attributes))
    categories = np.array([int(kind_of(item)[1:]) for item in sequences.items.strings()])
    kinds = [int(categories[question.items[0]]) for question in questions]
    regressions = [regression(learnt, categories, kind) for kind in range(KINDS)]
    recall = recalls(
        questions,
        {
            "ours": [model.affinity(question.items) for question in questions],
            "optimum": [expected[:, kind] for kind in kinds],
            "active": [learnt.counts] * len(questions),
            "regression": [regressions[kind] for kind in kinds],
        },
    )
    assert recall["ours"] > 0.93 * recall["optimum"], recall
    assert recall["ours"] > 2 * recall["active"], recall
    assert recall["ours"] > recall["regression"], recall


def test_cold_items_by_their_metadata(world: tuple[Sequences, np.ndarray]) -> None:
    sequences, expected = planted(extra=["i900", "i901"])  # nobody met them; of the kinds k4 and k5
    model = fitted(ITEMS.facts, data_of(sequences, attributes=False))
    for item, kind in (("i900", 4), ("i901", 5)):
        assert kind_of(item) == f"k{kind}"
        scores = model.affinity(np.array([sequences.items.find(item)]))
        best = np.argsort(-scores, kind="stable")[:20]
        drawn = np.argsort(-expected[:, kind])[:60]
        assert np.isin(best, drawn).mean() > 0.8


def test_metrics_have_the_keys_and_the_values(world: tuple[Sequences, np.ndarray]) -> None:
    sequences, _ = world
    held_out = split_newest(sequences)
    data = data_of(sequences.where(held_out.training), attributes=True)

    class Knows:
        """Ranks those first who interacted later."""

        def affinity(self, items: np.ndarray) -> np.ndarray:
            later = ~held_out.training & np.isin(sequences.item, items)
            return np.bincount(sequences.user[later], minlength=USERS).astype(np.float32)

        def without_users(self, kept: np.ndarray) -> Segments:
            raise NotImplementedError

    best = measure_segments(Knows(), sequences, held_out, data.attributes).metrics
    assert set(best) == {"coverage", "hits_at_1_percent", "recall_at_1_percent"}
    assert best["recall_at_1_percent"] == 1.0
    assert best["hits_at_1_percent"] == 4.0  # one percent of 400, for every kind
    assert 0 < best["coverage"] <= 4 * KINDS / USERS
    items = measure_segments(Knows(), sequences, held_out).metrics
    sizes = [len(one.users) for one in asked(sequences, held_out, None)]
    assert items["hits_at_1_percent"] == pytest.approx(np.minimum(sizes, 4).mean())


def test_a_question_has_items_that_train_and_users_that_come_later() -> None:
    rows = [(f"u{user}", f"i{place % 3}", place) for user in range(3) for place in range(5)]
    rows += [("u0", "late", 100), ("u1", "i2", 100)]
    sequences = sequences_of(rows)
    held_out = split_newest(sequences)
    assert held_out.end.tolist() == sequences.ptr[1:].tolist()
    assert (held_out.end - held_out.start).tolist() == [1, 1, 1]
    found = {
        sequences.items[int(one.items[0])]: one.users.tolist() for one in asked(sequences, held_out, None)
    }
    assert found == {"i2": [1], "i1": [2]}  # nobody met `late` before
