"""Made-up items are bounded in bytes, and push out neither items with a record nor those that many meet."""

from __future__ import annotations

import polars as pl
import pytest

from openpersonalize.exploration.newcomers import Newcomers
from openpersonalize.exploration.unlisted import COUNTED, ONE_NEWCOMER, newcomers_among, with_events
from openpersonalize.storage.idtable import IdTable

ITEMS = IdTable.from_series(pl.Series(["known"]))
ROW = 48 + 10
"""Bytes that is counted with for an item with an id of ten characters."""


def met(names: list[str], events: int = 1, time: int = 100) -> pl.DataFrame:
    return pl.DataFrame(
        {"ITEM_ID": names, "FIRST": time, "LAST": time, "EVENTS": events, "OVER": 0},
        schema=COUNTED,
    )


def test_counts_add_up_and_leave_out_what_the_model_knows() -> None:
    counted = with_events(pl.DataFrame(schema=COUNTED), met(["a", "known"], 2, 50), None, ITEMS, 1000)
    over = pl.DataFrame({"ITEM_ID": ["a", "b", "known"], "TIMES": [3, 1, 1]})
    counted = with_events(counted, met(["a"]), over, ITEMS, 1000).sort("ITEM_ID")
    assert counted.rows() == [("a", 50, 100, 3, 3), ("b", None, None, 0, 1)]


def test_beyond_the_room_the_most_met_and_newest_half_stays() -> None:
    counted = with_events(pl.DataFrame(schema=COUNTED), met(["often-met-"], 2, 1), None, ITEMS, 20 * ROW)
    for number in range(19):
        counted = with_events(counted, met([f"made-{number:05}"], 1, 100 + number), None, ITEMS, 20 * ROW)
    assert len(counted) == 20
    over = pl.DataFrame(
        {"ITEM_ID": [f"over-{number:05}" for number in range(40)], "TIMES": 9},
        schema_overrides={"TIMES": pl.Int64},
    )
    counted = with_events(counted, met([f"made-{n:05}" for n in range(19, 21)]), over, ITEMS, 20 * ROW)
    newest = [f"made-{number:05}" for number in range(10, 19)]
    assert sorted(counted["ITEM_ID"]) == sorted(["often-met-", *newest])


def test_an_endless_stream_of_items_takes_no_more_than_its_room() -> None:
    counted = pl.DataFrame(schema=COUNTED)
    for chunk in range(50):
        names = [f"{chunk}-{number}-" + "x" * 200 for number in range(1000)]
        counted = with_events(counted, met(names, 1, chunk), None, ITEMS, 1 << 20)
        assert (counted["ITEM_ID"].str.len_bytes() + 48).sum() <= 1 << 20
    assert counted["LAST"].max() == 49
    assert counted.rechunk().estimated_size() < 4 << 20


@pytest.mark.parametrize(("most", "most_bytes"), [(3, 1 << 20), (100, 3 * (ONE_NEWCOMER + 10))])
def test_newcomers_with_a_record_stay_then_the_most_met_then_the_newest(most: int, most_bytes: int) -> None:
    records = pl.DataFrame({"ITEM_ID": ["put"], "STATED": [7]}, schema={"ITEM_ID": str, "STATED": pl.Int64})
    counted = pl.concat([met(["often"], 9, 1), met(["old"], 1, 5), met(["new"], 1, 6), met(["over"], 0)])
    found = newcomers_among(records, counted, 0, most, most_bytes).sort("ITEM_ID")
    assert found.rows() == [("new", 6), ("often", 1), ("put", 7)]
    everybody = newcomers_among(records, counted, 0, 100, 1 << 20).sort("ITEM_ID")
    assert everybody.rows() == [("new", 6), ("often", 1), ("old", 5), ("put", 7)]


def test_numbers_end_with_the_bytes_of_the_ids() -> None:
    newcomers = Newcomers(most=10, most_bytes=25)
    assert newcomers.numbered(pl.Series(["a" * 10, "b" * 10, "c" * 10])).tolist() == [0, 1, -1]
    assert newcomers.numbered(pl.Series(["d" * 5, "a" * 10, "e"])).tolist() == [2, 0, -1]
