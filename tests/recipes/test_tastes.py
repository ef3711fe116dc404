"""A shop whose customers like categories and brands: better than popularity times both shares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.datasets.splits import SPLITS
from openpersonalize.evaluation.metrics import ideal_gains, ndcg
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.questions import held_out_question
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.worlds import shop_of_tastes

V2 = recipe("aws-user-personalization-v2")


class FiveLines:
    """Popularity times the customer's shares of category and brand over everybody's."""

    def __init__(self, learnt: Sequences, items: pl.DataFrame) -> None:
        self.popularity = np.bincount(learnt.item, minlength=len(learnt.items)).astype(float)
        columns = items["CATEGORY"].str.split("|").list.first(), items["BRAND"].fill_null("")
        self.codes = [one.rank("dense").to_numpy().astype(np.int64) - 1 for one in columns]

    def scores(self, query: Query) -> np.ndarray:
        total = self.popularity.copy()
        for code in self.codes:
            base = np.bincount(code, weights=self.popularity) / self.popularity.sum()
            own = np.bincount(code[query.item], minlength=len(base))
            total *= ((own + 5 * base) / (len(query.item) + 5) / np.maximum(base, 1e-9))[code]
        return total


@pytest.fixture(scope="module")
def shop() -> tuple[Sequences, pl.DataFrame, HoldOut]:
    sequences, items = shop_of_tastes(400, 300, 9_000, seed=1)
    return sequences, items, SPLITS["time"](sequences)


@pytest.fixture(scope="module")
def model(shop: tuple[Sequences, pl.DataFrame, HoldOut]) -> FusedModel:
    sequences, items, parts = shop
    data = TrainingData.of(sequences.where(parts.training), items)
    found = V2.fit(data, read_configuration(V2.facts, {}), Training())
    assert isinstance(found, FusedModel)
    return found


def measured(sequences: Sequences, parts: HoldOut, scores, excluded: bool) -> float:
    hits, sizes = np.zeros((len(parts), 25)), np.zeros(len(parts), dtype=np.int64)
    for k in range(len(parts)):
        query, truth, _ = held_out_question(sequences, parts, k)
        found = np.array(scores(replace(query, seen_excluded=excluded)), dtype=float)
        if excluded:
            met = sequences.item[sequences.ptr[parts.user[k]] : parts.start[k]]
            found[met] = -np.inf
            truth = np.setdiff1d(truth, met)
        hits[k] = np.isin(np.argsort(-found, kind="stable")[:25], truth)
        sizes[k] = len(truth)
    asked = sizes > 0
    return float(ndcg(hits[asked], ideal_gains(sizes[asked]), 10).mean())


@pytest.mark.parametrize("excluded", [False, True])
def test_the_taste_of_customers_counts(
    shop: tuple[Sequences, pl.DataFrame, HoldOut], model: FusedModel, excluded: bool
) -> None:
    sequences, items, parts = shop
    lines = FiveLines(sequences.where(parts.training), items)
    ours = measured(sequences, parts, model.scores, excluded)
    assert ours > measured(sequences, parts, lines.scores, excluded)
    assert ours > 1.5 * measured(sequences, parts, lambda query: lines.popularity, excluded)


def test_both_columns_count_for_who_arrives(model: FusedModel) -> None:
    for weights in (model.weights.arriving.kept, model.weights.arriving.excluded):
        assert weights["taste-CATEGORY"] > 0
        assert weights["taste-BRAND"] > 0
    assert not model.rankers[0].name.startswith("encoder")
