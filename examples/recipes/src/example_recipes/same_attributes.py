"""Items that share categories with the item asked about; a new item is known by its record."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openpersonalize.recipe_api import (
    Configuration,
    Facts,
    Float32,
    IdTable,
    ItemCounts,
    JobFailed,
    Kind,
    Offer,
    Query,
    Recipe,
    Task,
    Training,
    TrainingData,
)


def values_of(record: Mapping[str, Any]) -> Iterator[str]:
    """COLUMN=category, for each category of a record; several in one column have | between them."""
    texts = ((column, value) for column, value in record.items() if column != "ITEM_ID")
    return (f"{c}={part}" for c, value in texts if isinstance(value, str) for part in value.split("|"))


class SameAttributesModel:
    """Scores are the number of categories in common."""

    def __init__(self, values: list[str], has: Float32, counts: ItemCounts) -> None:
        """`values`: COLUMN=category; `has`: float32[items, values], 1 where an item has it."""
        self.values, self.has, self.counts = values, has, counts

    def scores(self, query: Query) -> Float32:
        return self._like(self.has[query.anchor])

    def cold_scores(self, query: Query) -> Float32:
        known = set(values_of(query.anchor_record or {}))
        return self._like(np.array([value in known for value in self.values], dtype=np.float32))

    def _like(self, asked: Float32) -> Float32:
        return self.has @ asked + 1e-3 * self.counts.scores

    def save(self, folder: Path) -> None:
        np.save(folder / "has.npy", self.has)
        (folder / "values.json").write_text(json.dumps(self.values))


class SameAttributes(Recipe):
    api = 1
    facts = Facts(
        "example-same-attributes",
        Task.RELATED,
        "Items that share categories with the item at hand.",
        offers=frozenset({Offer.PROMOTIONS}),
        needs=("ITEMS",),
    )

    def fit(
        self, data: TrainingData, configuration: Configuration, training: Training
    ) -> SameAttributesModel:
        training.check()
        records = categories(data.ranked)
        values = sorted({value for record in records for value in record})
        if not values:
            raise JobFailed(f"{self.name} needs a categorical column in the Items dataset.")
        has = np.array([[value in record for value in values] for record in records], dtype=np.float32)
        training.progress("read", len(records), len(records), "items")
        return SameAttributesModel(values, has, data.counts)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> SameAttributesModel:
        values = json.loads((folder / "values.json").read_text())
        return SameAttributesModel(values, np.load(folder / "has.npy"), counts)


def categories(items: Kind) -> list[set[str]]:
    """The categories of each item."""
    if items.records is None:
        return [set() for _ in range(len(items.ids))]
    return [set(values_of(record)) for record in items.records.drop(items.textual).to_dicts()]
