"""aws-semantic-similarity: by texts alone, with the influences of popularity and freshness, items after
training, and a sentence encoder of the operator's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from algorithms.tiny_onnx import write_encoder
from openpersonalize.errors import JobFailed
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.semantic_similarity import SemanticModel, SemanticSimilarity
from openpersonalize.recipes.training import Kind, Training, TrainingData
from openpersonalize.storage.idtable import IdTable
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import sequences_of, two_clusters

SEMANTIC = recipe("aws-semantic-similarity")
assert isinstance(SEMANTIC, SemanticSimilarity)
SETTINGS = read_configuration(SEMANTIC.facts, {})
DAY = 86_400
PROSE = frozenset({"NAME", "TEXT"})


class TestContract(RecipeContract):
    recipe = SEMANTIC

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> TrainingData:
        world = two_clusters()
        texts = ["a tin of green tea" if one[0] == "a" else "a saw of steel" for one in world.items.strings()]
        records = pl.DataFrame({"ITEM_ID": world.items.series(), "NAME": texts})
        return TrainingData.of(world, records, frozenset({"NAME"}))


SHOP = {
    "tea-1": ("Green tea", "Loose leaves from Japan, fresh and mild.", 10),
    "tea-2": ("Black tea", "Loose leaves from Assam, strong and malty.", 20),
    "tea-3": ("Tea pot", "For loose leaves, of cast iron.", 30),
    "saw-1": ("Hand saw", "Cuts boards; teeth of hardened steel.", 40),
    "saw-2": ("Jig saw", "Cuts curves in boards, blades of steel.", 50),
    "rug-1": ("Wool rug", "Hand woven, warm underfoot.", 60),
    "rug-2": ("Cotton rug", "Woven, light, can be washed.", 70),
    "mute": (None, None, None),
}


def shop(events: bool = True) -> TrainingData:
    names = sorted(SHOP)
    records = pl.DataFrame(
        {
            "ITEM_ID": names,
            "NAME": [SHOP[one][0] for one in names],
            "TEXT": [SHOP[one][1] for one in names],
            "PRICE": [float(len(one)) for one in names],
            "CREATION_TIMESTAMP": [None if SHOP[one][2] is None else SHOP[one][2] * DAY for one in names],
        }
    )
    if not events:
        return TrainingData(Kind(IdTable.from_series(pl.Series(names)), records, PROSE), None)
    rows = [(f"u{k}", "saw-2", k) for k in range(9)] + [(f"u{k}", "tea-3", k) for k in range(3)]
    return TrainingData.of(sequences_of(rows, names), records, PROSE)


def fitted(data: TrainingData, folder: Path, training: Training = Training()) -> SemanticModel:
    """Trained, saved and opened."""
    SEMANTIC.fit(data, SETTINGS, training).save(folder)
    model = SEMANTIC.load(folder, data.ranked.ids, data.counts)
    assert isinstance(model, SemanticModel)
    return model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SemanticModel:
    return fitted(shop(), tmp_path_factory.mktemp("semantic"))


def about(item: str, **influence: float) -> Query:
    return replace(Query.of_nobody(1), anchor=sorted(SHOP).index(item), influence=influence)


def order(scores: np.ndarray, without: str = "") -> list[str]:
    names = sorted(SHOP)
    return [names[k] for k in np.argsort(-scores, kind="stable") if names[k] != without]


@pytest.mark.parametrize("item", ["tea-1", "tea-2", "saw-1", "saw-2", "rug-1", "rug-2"])
def test_items_of_the_same_words_are_nearest(model: SemanticModel, item: str) -> None:
    assert order(model.scores(about(item)), item)[0][:3] == item[:3]


def test_popularity_and_freshness_count_as_much_as_they_are_told(model: SemanticModel) -> None:
    plain, popular, fresh = (
        model.scores(about("tea-1", **sent)) for sent in ({}, {"POPULARITY": 0.5}, {"FRESHNESS": 0.25})
    )
    names = sorted(SHOP)
    assert popular[names.index("saw-2")] - plain[names.index("saw-2")] == pytest.approx(0.5, abs=1e-5)
    gained = np.log1p(3) / np.log1p(9) / 2
    assert popular[names.index("tea-3")] - plain[names.index("tea-3")] == pytest.approx(gained, abs=1e-5)
    assert popular[names.index("rug-1")] == plain[names.index("rug-1")]
    for name, newness in (("rug-2", 1.0), ("saw-1", 0.5), ("tea-1", 0.0), ("mute", 0.0)):
        place = names.index(name)
        assert fresh[place] - plain[place] == pytest.approx(newness / 4, abs=1e-5)


def test_an_item_of_the_year_after_next_makes_no_other_old(tmp_path: Path) -> None:
    """It counts as created when the training began; its freshness was 1, and that of all others below 0.1."""
    data = shop()
    assert data.ranked.records is not None
    claimed = pl.when(pl.col("ITEM_ID") == "mute").then(800 * DAY).otherwise("CREATION_TIMESTAMP")
    records = data.ranked.records.with_columns(CREATION_TIMESTAMP=claimed)
    ranked = replace(data.ranked, records=records)
    model = fitted(replace(data, ranked=ranked), tmp_path, Training(moment=70 * DAY))
    newness = dict(zip(sorted(SHOP), model.newness.tolist(), strict=True))
    assert newness["mute"] == newness["rug-2"] == 1.0
    assert newness["saw-1"] == pytest.approx(0.5)
    later = model.embed(LATE.with_columns(CREATION_TIMESTAMP=pl.lit(900 * DAY)))
    assert later.newness.tolist() == [1.0] * 4


def test_similarity_is_at_most_one(model: SemanticModel) -> None:
    for item in SHOP:
        if item != "mute":
            scores = model.scores(about(item))
            assert scores.max() == pytest.approx(1.0, abs=1e-3)
            assert scores[sorted(SHOP).index(item)] == pytest.approx(1.0, abs=1e-3)


LATE = pl.DataFrame(
    {
        "ITEM_ID": ["new-saw", "new-tea", "empty", "strange"],
        "NAME": ["Chain saw", "Oolong tea", None, "Zeppelin"],
        "TEXT": ["Cuts trees, blades of steel.", "Loose leaves, strong.", None, "Lighter than air"],
        "CREATION_TIMESTAMP": [100 * DAY, 10 * DAY, None, 40 * DAY],
    }
)


def test_items_that_came_after_training_stand_on_the_same_scale(model: SemanticModel) -> None:
    vectors = model.embed(LATE)
    assert vectors is not None
    numbers = np.full(4, -1)
    for item, best in (("saw-1", 0), ("tea-2", 1)):
        found = model.new_item_scores(about(item), vectors, numbers)
        assert int(found.argmax()) == best
        assert found[2:].tolist() == [-np.inf] * 2
    fresh = model.new_item_scores(about("saw-1", FRESHNESS=1.0), vectors, numbers)
    plain = model.new_item_scores(about("saw-1"), vectors, numbers)
    assert fresh[:2] - plain[:2] == pytest.approx([1.0, 0.0], abs=1e-6)
    known = shop().ranked.records
    assert known is not None
    again = model.embed(known)
    for item in ("tea-1", "rug-2"):
        found = model.new_item_scores(about(item), again, np.full(len(known), -1))
        scores, texts = model.scores(about(item)), np.array([one != "mute" for one in sorted(SHOP)])
        assert np.allclose(found[texts], scores[texts], atol=1e-4)


def test_an_anchor_that_came_after_training_is_answered_by_its_record(model: SemanticModel) -> None:
    late = replace(Query.of_nobody(1), anchor_record={"NAME": "Chain saw", "TEXT": "blades of steel"})
    assert {one[:3] for one in order(model.cold_scores(late))[:2]} == {"saw"}


def test_of_an_item_without_a_text_the_popular_ones_and_without_events_the_newest(
    model: SemanticModel, tmp_path: Path
) -> None:
    assert order(model.scores(about("mute")))[:2] == ["saw-2", "tea-3"]
    silent = fitted(shop(events=False), tmp_path)
    assert order(silent.scores(about("mute")))[:2] == ["rug-2", "rug-1"]
    assert order(silent.scores(about("tea-1")), "tea-1")[0] == "tea-2"


def test_items_whose_texts_share_nothing_cannot_train() -> None:
    records = pl.DataFrame({"ITEM_ID": ["a", "b"], "NAME": ["one", "two"]})
    data = TrainingData(Kind(IdTable.from_series(records["ITEM_ID"]), records, PROSE), None)
    with pytest.raises(JobFailed, match="itemName and textual"):
        SEMANTIC.fit(data, SETTINGS, Training())


class TestMetrics:
    def test_with_everything(self, model: SemanticModel) -> None:
        data = shop()
        found = SEMANTIC.measured(model, data, SETTINGS, Training())
        assert set(found) == {"coverage", "item_popularity", "item_freshness", "item_similarity"}
        assert found["item_popularity"] == pytest.approx((1 + 3 / 9) / 8)
        assert found["item_freshness"] == pytest.approx(np.arange(7).sum() / 6 / 8)
        assert 0 < found["item_similarity"] < 0.5
        assert found["coverage"] == 1.0

    def test_what_is_not_known_has_no_metric(self, tmp_path: Path) -> None:
        data = shop(events=False)
        records = data.ranked.records
        assert records is not None
        bare = replace(data, ranked=replace(data.ranked, records=records.drop("CREATION_TIMESTAMP")))
        found = SEMANTIC.measured(fitted(bare, tmp_path), bare, SETTINGS, Training())
        assert set(found) == {"coverage", "item_similarity"}


class TestSentenceEncoder:
    """To the encoder a rug is a tea."""

    @pytest.fixture(scope="class")
    @classmethod
    def encoded(cls, tmp_path_factory: pytest.TempPathFactory) -> SemanticModel:
        words = {
            "tea": (1.0, 0.0, 0.0),
            "rug": (1.0, 0.1, 0.0),
            "saw": (0.0, 1.0, 0.0),
            "pot": (0.0, 0.0, 1.0),
        }
        folder = tmp_path_factory.mktemp("encoder")
        training = Training(sentence_encoder=write_encoder(folder, words))
        return fitted(shop(), tmp_path_factory.mktemp("model"), training)

    def test_its_vectors_count(self, encoded: SemanticModel, model: SemanticModel) -> None:
        assert order(model.scores(about("rug-1")), "rug-1")[1][:3] != "tea"
        assert [one[:3] for one in order(encoded.scores(about("rug-1")), "rug-1")[:3]] == [
            "rug",
            "tea",
            "tea",
        ]

    def test_items_after_training_have_what_is_expected_of_it(self, encoded: SemanticModel) -> None:
        vectors = encoded.embed(LATE)
        assert vectors is not None
        assert vectors.sentences is not None
        found = encoded.new_item_scores(about("tea-1"), vectors, np.full(4, -1))
        assert int(found.argmax()) == 1

    def test_one_that_cannot_be_used_fails_the_training(self, tmp_path: Path) -> None:
        with pytest.raises(JobFailed, match=r"tokenizer\.json"):
            SEMANTIC.fit(shop(), SETTINGS, Training(sentence_encoder=tmp_path))
