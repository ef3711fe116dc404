"""Id tables against sorted lists of bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.storage.idtable import IdTable

IDS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=6))


@given(IDS, IDS)
def test_ids_are_found_where_they_are(ids: list[str], others: list[str]) -> None:
    table = IdTable.from_series(pl.Series("x", ids, dtype=pl.String))
    ordered = sorted(set(ids), key=str.encode)
    assert [table[k] for k in range(len(table))] == ordered
    assert table.series().to_list() == ordered == table.strings() == list(table)
    asked = ids + others
    expected = [ordered.index(one) if one in ordered else -1 for one in asked]
    assert [table.find(one) for one in asked] == expected
    assert table.find_all(pl.Series("y", asked, dtype=pl.String)).tolist() == expected


@pytest.mark.parametrize("ids", [[], [""], ["b", "é", "a", "日本", None]])
def test_a_table_on_disk_is_the_same_table(tmp_path: Path, ids: list[str | None]) -> None:
    table = IdTable.from_series(pl.Series("x", ids, dtype=pl.String))
    table.save(tmp_path, "users")
    opened = IdTable.load(tmp_path, "users")
    assert list(opened) == list(table)
    assert all(opened.find(one) == k for k, one in enumerate(table))


def test_an_index_outside_is_refused() -> None:
    table = IdTable.from_series(pl.Series("x", ["a", "b"]))
    assert table[-1] == "b"
    with pytest.raises(IndexError):
        table[2]
    assert np.array_equal(table.find_all(pl.Series("y", ["b"])), [1])


def test_few_among_many_are_found_as_many_are() -> None:
    table = IdTable.from_series(pl.Series("x", [f"id-{k}" for k in range(5000)]))
    few = pl.Series("y", ["id-4999", None, "id", "id-0", "id-7x", "id-77"])
    many = pl.concat([few, pl.Series("y", ["id-1"] * 100)])
    assert table.find_all(few).tolist() == table.find_all(many)[:6].tolist()
    assert [table[k] if k >= 0 else None for k in table.find_all(few)] == [
        "id-4999", None, None, "id-0", None, "id-77",
    ]  # fmt: skip
