"""Metadata as features."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from openpersonalize.algorithms.dict_column import DictColumn
from openpersonalize.recipes.actions.coding import MetadataCoding

COLUMNS = {
    "KIND": pl.Series(["club", "club|offer", None, " offer |", ""]),
    "PRICE": pl.Series([1.0, 3.0, None, 5.0, float("nan")]),
}


def test_categories_are_marked_and_numbers_standardised() -> None:
    coding = MetadataCoding.fit(COLUMNS, 10)
    found = coding.encode(COLUMNS, 5)
    assert coding.names == ("KIND", "PRICE")
    assert found[:, :2].tolist() == [[1, 0], [1, 1], [0, 0], [0, 1], [0, 0]]
    assert np.allclose(found[:, 2], [-1.2247, 0, 0, 1.2247, 0], atol=1e-3)


def test_one_record_as_many() -> None:
    coding = MetadataCoding.from_json(json.loads(json.dumps(MetadataCoding.fit(COLUMNS, 10).json())))
    rows = pl.DataFrame(COLUMNS).to_dicts()
    assert np.allclose([coding.row(row) for row in rows], coding.encode(COLUMNS, 5))
    assert not coding.row({}).any()
    assert not coding.row({"KIND": "unknown", "PRICE": "text"}).any()


def test_coded_columns_as_plain_ones() -> None:
    coding = MetadataCoding.fit(COLUMNS, 10)
    coded = {name: DictColumn.of(column) for name, column in COLUMNS.items()}
    rows = np.array([3, -1, 0], dtype=np.int32)
    found = coding.encode_coded(coded, rows)
    assert np.allclose(found[[0, 2]], coding.encode(COLUMNS, 5)[[3, 0]])
    assert not found[1].any()


def test_only_frequent_categories_have_a_feature() -> None:
    assert MetadataCoding.fit({"A": pl.Series(["x"] * 5 + ["y"] * 4)}, 10, 5).categories == {"A": {"x": 0}}
    assert MetadataCoding.fit({"A": pl.Series(["x", "y", "y"])}, 1).categories == {"A": {"y": 0}}
    assert MetadataCoding.fit({}, 10).size == 0
