"""Records are found by id, whatever else is there."""

from __future__ import annotations

import polars as pl

from openpersonalize.serving.record_index import RecordIndex


def test_all_are_found_in_the_order_asked_and_nothing_else() -> None:
    ids = [f"item-{number}" for number in range(5000)]
    index = RecordIndex(pl.DataFrame({"ID": ids, "NUMBER": range(5000)}), "ID")
    asked = ["item-4999", "nowhere", "item-0", "", "item-17", "ITEM-17"]
    assert index.found(asked)["NUMBER"].to_list() == [4999, 0, 17]
    assert index.found(ids)["ID"].to_list() == ids
    assert len(index.found([])) == 0


def test_nothing_is_found_among_nothing() -> None:
    index = RecordIndex(pl.DataFrame(schema={"ID": pl.String()}), "ID")
    assert len(index.found(["a"])) == 0
