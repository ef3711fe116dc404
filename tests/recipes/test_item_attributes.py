"""Attributes of items: which items have a value, and what is said where none has."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.errors import InvalidInput
from openpersonalize.recipes.item_attributes import ItemAttributes
from openpersonalize.storage.idtable import IdTable

SCHEMA = Schema(
    (
        Field("ITEM_ID", "string"),
        Field("GENRES", "string", categorical=True),
        Field("BRAND", "string"),
        Field("YEAR", "int"),
        Field("NEW", "boolean"),
        Field("TITLE", "string", textual=True),
    )
)
ITEMS = IdTable.from_series(pl.Series(["i1", "i2", "i3", "i4"]))
RECORDS = pl.DataFrame(
    {
        "ITEM_ID": ["i3", "i1", "gone", "i2"],
        "GENRES": ["Comedy|Drama", "Comedy", "Opera", None],
        "BRAND": ["A|B", "A", "A", None],
        "YEAR": [1995, 1996, 1995, None],
        "NEW": [True, False, True, None],
        "TITLE": ["x", "y", "z", "w"],
    }
)


@pytest.fixture(params=["made", "loaded"])
def attributes(request: pytest.FixtureRequest, tmp_path: Path) -> ItemAttributes:
    made = ItemAttributes.of(RECORDS, SCHEMA, ("GENRES", "BRAND", "YEAR", "NEW"), ITEMS)
    if request.param == "made":
        return made
    made.save(tmp_path)
    return ItemAttributes.load(tmp_path, ITEMS)


@pytest.mark.parametrize(
    ("name", "value", "items"),
    [
        ("GENRES", "Comedy", ["i1", "i3"]),
        ("genres", "Drama", ["i3"]),
        ("BRAND", "A|B", ["i3"]),  # a plain string counts whole
        ("YEAR", "1995.0", ["i3"]),
        ("NEW", "true", ["i3"]),
    ],
)
def test_who_has_it(attributes: ItemAttributes, name: str, value: str, items: list[str]) -> None:
    assert [ITEMS[row] for row in attributes.items_with(name, value).tolist()] == items


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GENRES", "Opera", "No item had ITEMS.GENRES"),  # of an item that is not in the catalogue
        ("GENRES", "comedy", 'ITEMS.GENRES = "comedy"'),
        ("YEAR", "old", 'is a number; "old"'),
        ("TITLE", "x", "there are ITEMS.GENRES, ITEMS.BRAND, ITEMS.YEAR, ITEMS.NEW"),
        ("ITEM_ID", "i1", "was not trained with"),
    ],
)
def test_what_nobody_has(attributes: ItemAttributes, name: str, value: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        attributes.items_with(name, value)
    assert told in caught.value.message


def test_the_values_are_categories_where_there_are(attributes: ItemAttributes) -> None:
    assert list(attributes.values()) == [("GENRES", "Comedy"), ("GENRES", "Drama")]
    plain = ItemAttributes.of(RECORDS, SCHEMA, ("BRAND", "YEAR"), ITEMS)
    assert list(plain.values()) == [("BRAND", "A"), ("BRAND", "A|B"), ("YEAR", "1995"), ("YEAR", "1996")]
