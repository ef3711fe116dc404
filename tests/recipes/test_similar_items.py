"""aws-similar-items: behaviour and metadata together, items without events, and its hyperparameters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.similar_items import SimilarItemsModel
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.storage.idtable import IdTable
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import sequences_of, two_clusters

SIMILAR = recipe("aws-similar-items")
assert SIMILAR is not None


def settings(**changed: float) -> Configuration:
    read = read_configuration(SIMILAR.facts, {})
    return replace(read, parameters={**read.parameters, **changed})


def shop() -> TrainingData:
    """Two clusters of ten items; teas a0..a9, saws b0..b9, and two of each that nobody met."""
    world = two_clusters()
    ids = pl.concat([world.items.series(), pl.Series("id", ["a_new", "b_new", "nothing"])])
    wider = replace(world, items=IdTable.from_series(ids))
    old, ids = world.items.strings(), wider.items.series()
    number = {name: k for k, name in enumerate(ids)}
    wider = replace(wider, item=np.array([number[old[item]] for item in world.item], dtype=np.int32))
    titles = [
        None if one == "nothing" else "a tin of green tea" if one[0] == "a" else "a saw of steel"
        for one in ids
    ]
    kinds = [None if one == "nothing" else ("Kitchen|Tea" if one[0] == "a" else "Garage|Saw") for one in ids]
    prices = [None if one == "nothing" else float(k % 7) for k, one in enumerate(ids)]
    records = pl.DataFrame({"ITEM_ID": ids, "TITLE": titles, "KIND": kinds, "PRICE": prices})
    return TrainingData.of(wider, records, frozenset({"TITLE"}))


class TestContract(RecipeContract):
    recipe = SIMILAR


class TestContractWithMetadata(RecipeContract):
    recipe = SIMILAR

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> TrainingData:
        world = two_clusters()
        kinds = pl.Series([f"{one[0]}|all" for one in world.items.strings()])
        return TrainingData.of(world, pl.DataFrame({"ITEM_ID": world.items.series(), "KIND": kinds}))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SimilarItemsModel:
    """Trained, saved and opened."""
    folder: Path = tmp_path_factory.mktemp("similar")
    data = shop()
    SIMILAR.fit(data, settings(), Training(seed=1)).save(folder)
    return SIMILAR.load(folder, data.ranked.ids, data.counts)  # type: ignore[return-value]


def best(model: SimilarItemsModel, scores: np.ndarray, count: int, without: str = "") -> list[str]:
    names = shop().ranked.ids.strings()
    return [names[k] for k in np.argsort(-scores, kind="stable") if names[k] != without][:count]


def ask(model: SimilarItemsModel, item: str) -> np.ndarray:
    return model.scores(Query.of_nobody(1, anchor=int(shop().ranked.ids.find(item))))


def test_items_nobody_met_are_answers_and_are_answered_by_their_metadata(model: SimilarItemsModel) -> None:
    assert {one[0] for one in best(model, ask(model, "a3"), 10, "a3")} == {"a"}
    assert "a_new" in best(model, ask(model, "a3"), 10, "a3")
    assert {one[0] for one in best(model, ask(model, "b_new"), 10, "b_new")} == {"b"}


def test_an_item_that_came_after_training_is_answered_by_its_record(model: SimilarItemsModel) -> None:
    late = replace(Query.of_nobody(1), anchor_record={"TITLE": "saw of steel", "KIND": "Saw", "PRICE": 3.0})
    assert {one[0] for one in best(model, model.cold_scores(late), 11)} == {"b"}


def test_of_an_item_of_which_nothing_is_known_the_popular_ones(model: SimilarItemsModel) -> None:
    popular = ItemCounts.of(shop().sequences).order.tolist()
    for scores in (
        ask(model, "nothing"),
        model.cold_scores(Query.of_nobody(1)),
        model.cold_scores(replace(Query.of_nobody(1), anchor_record={"TITLE": "zebra"})),
    ):
        assert np.argsort(-scores, kind="stable").tolist() == popular


def test_the_discount_takes_popular_items_back() -> None:
    """Everybody has `hit`, whatever else; the users of `anchor` have `niche`, too."""
    rows = [(f"u{user}", item, user) for user in range(12) for item in ("anchor", "niche", "hit")]
    rows += [(f"v{user}", item, user) for user in range(40) for item in ("hit", f"x{user % 7}")]
    learnt = sequences_of(rows)

    def gap(discount: float) -> float:
        fitted = SIMILAR.fit(
            TrainingData.of(learnt), settings(popularity_discount_factor=discount), Training()
        )
        scores = fitted.scores(Query.of_nobody(1, anchor=int(learnt.items.find("anchor"))))
        return float(scores[learnt.items.find("niche")] - scores[learnt.items.find("hit")])

    expected = np.log1p(52) - np.log1p(12)
    assert gap(1.0) - gap(0.0) == pytest.approx(expected, abs=1e-3)


def test_dimensions_are_those_of_the_search() -> None:
    data = shop()
    for size in (3, 7):
        fitted = SIMILAR.fit(
            data, settings(item_id_hidden_dim=size, item_metadata_hidden_dim=size + 1), Training()
        )
        assert isinstance(fitted, SimilarItemsModel)
        assert fitted.pairs.vectors.shape[1] == size
        assert fitted.metadata.vectors.shape[1] == size + 1


def histories(seed: int = 0) -> Sequences:
    """Histories say nothing of who is like whom, but the first word of a title does: two of one word follow
    one another."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(400):
        word, pair = int(rng.integers(0, 50)), rng.permutation(8)[:2].tolist()
        rows += [(f"u{user}", f"w{word:02}-{k}", 10 * user + place) for place, k in enumerate(pair)]
    return sequences_of(rows)


def test_the_weights_follow_what_joins_held_out_pairs() -> None:
    world = histories()
    ids = world.items.series()
    titles = pl.Series([f"{one[:3]} thing" for one in ids])
    colours = pl.Series([f"c{k % 50}" for k in np.random.default_rng(5).permutation(len(ids))])
    records = pl.DataFrame({"ITEM_ID": ids, "TITLE": titles, "COLOUR": colours})
    fitted = SIMILAR.fit(TrainingData.of(world, records, frozenset({"TITLE"})), settings(), Training())
    assert isinstance(fitted, SimilarItemsModel)
    state = fitted.tuned_state()
    total = dict(zip(state["similarities"], np.sum(state["weights"], axis=0), strict=True))
    assert total["metadata: TITLE"] > 3 * abs(total["metadata: COLOUR"])
