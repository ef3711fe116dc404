"""Recipes on real purchases: Online Retail, one series of a hundred products, is answered about as well as it
was. The personal ones have theirs in training/test_step.py. What grows in so small a shop is chance, and no
public data has actions: for aws-trending-now there is bench/trending.py, for aws-next-best-action planted
worlds."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import openpersonalize
from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.item_attributes import ItemAttributes
from openpersonalize.recipes.recipe import Measures
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData
from openpersonalize.training.fit import measured

NDCG, RECALL = "normalized_discounted_cumulative_gain_at_25", "recall_at_1_percent"
SIMILARITY = "item_similarity"
SERIES = "227"
KINDS = Schema((Field("ITEM_ID", "string"), Field("KIND", "string", categorical=True)))


def table(name: str) -> pl.DataFrame:
    shipped = Path(openpersonalize.__file__).parent / "demo_data" / f"{name}.csv.gz"
    rows = pl.read_csv(gzip.decompress(shipped.read_bytes()), infer_schema=False)
    return rows.filter(pl.col("ITEM_ID").str.starts_with(SERIES))


@pytest.fixture(scope="module")
def purchases() -> TrainingData:
    """With titles, prices, and the last word of a title (BAG, LIGHT ...) as the kind of thing."""
    rows = table("interactions").filter(pl.col("EVENT_TYPE") == "purchase")
    rows = rows.select("USER_ID", "ITEM_ID", pl.col("TIMESTAMP").cast(pl.Int64))
    sequences = build_sequences(rows.lazy(), None, EventSelection())
    kind = pl.col("TITLE").str.split(" ").list.last().alias("KIND")
    records = table("items").select("ITEM_ID", "TITLE", pl.col("PRICE").cast(pl.Float64), kind)
    ids = sequences.items.series().alias("ITEM_ID").to_frame()
    records = ids.join(records, on="ITEM_ID", how="left", maintain_order="left")
    return TrainingData(Kind(sequences.items, records, frozenset({"TITLE"})), sequences)


def metrics_of(name: str, data: TrainingData) -> dict[str, float]:
    chosen = recipe(name)
    assert chosen is not None
    configuration, training = read_configuration(chosen.facts, {}), Training(seed=1)
    if chosen.facts.task is Task.SEGMENT:
        items = data.ranked
        data = TrainingData.of_users(data.sequences, items.records, items.textual)
        if chosen.facts.needs_attribute:
            assert items.records is not None
            known = ItemAttributes.of(items.records, KINDS, ("KIND",), items.ids)
            data = replace(data, attributes=known)
    if isinstance(chosen, Measures):
        return dict(chosen.measured(chosen.fit(data, configuration, training), data, configuration, training))
    return measured(chosen, data, EventSelection(), configuration, training)[1].metrics


@pytest.mark.parametrize(
    ("name", "metric", "low", "high"),
    [
        ("aws-popularity-count", NDCG, 0.18, 0.24),
        ("aws-sims", NDCG, 0.27, 0.34),
        ("aws-ecomm-customers-who-viewed-x-also-viewed", NDCG, 0.38, 0.45),
        ("aws-ecomm-frequently-bought-together", NDCG, 0.36, 0.44),
        ("aws-similar-items", NDCG, 0.32, 0.40),
        ("aws-semantic-similarity", SIMILARITY, 0.08, 0.14),
        ("aws-item-affinity", RECALL, 0.37, 0.47),
        ("aws-item-attribute-affinity", RECALL, 0.37, 0.47),
    ],
)
def test_it_answers_about_as_well_as_it_did(
    name: str, metric: str, low: float, high: float, purchases: TrainingData
) -> None:
    assert low <= metrics_of(name, purchases)[metric] <= high
