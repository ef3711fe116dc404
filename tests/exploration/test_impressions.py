"""Lists of shown items as counts of what was passed over."""

from __future__ import annotations

import polars as pl

from openpersonalize.events.recommendations import ISSUED
from openpersonalize.exploration.impressions import passed_over, shown, shown_in_bulk, times_by_row
from openpersonalize.storage.idtable import IdTable

ISSUED_NONE = pl.DataFrame(schema=ISSUED)


def events(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    names = ["ITEM_ID", "IMPRESSION", "RECOMMENDATION_ID"]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def issued(**lists: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"RECOMMENDATION_ID": list(lists), "SHOWN": list(lists.values())}, schema=ISSUED)


def counted(lists: pl.LazyFrame) -> dict[str, int]:
    return dict(passed_over(lists).iter_rows())


def test_every_item_of_a_list_counts_save_the_one_chosen() -> None:
    found = shown(events(("a", "a|b|c", None), ("b", "c|b", None), ("d", None, None)), ISSUED_NONE)
    assert counted(found) == {"b": 1, "c": 2}


def test_a_choice_from_outside_the_list_passes_all_of_it_over() -> None:
    assert counted(shown(events(("x", "a|b", None)), ISSUED_NONE)) == {"a": 1, "b": 1}


def test_an_item_listed_twice_and_empty_ids_count_once_and_not_at_all() -> None:
    assert counted(shown(events(("x", "a||a|", None)), ISSUED_NONE)) == {"a": 1}


def test_lists_are_looked_up_where_the_event_has_none() -> None:
    rows = events(("a", None, "one"), ("b", "b|y", "one"), ("c", None, "gone"))
    assert counted(shown(rows, issued(one=["a", "x|with bar"]))) == {"x|with bar": 1, "y": 1}


def test_nothing_shown_is_nothing_counted() -> None:
    assert counted(shown(events(), ISSUED_NONE)) == {}


def test_bulk_rows_with_lists() -> None:
    rows = pl.LazyFrame({"ITEM_ID": ["a", "b"], "IMPRESSION": ["a|b", None]})
    assert counted(shown_in_bulk(rows)) == {"b": 1}


def test_counts_by_row_leave_unknown_items_out() -> None:
    items = IdTable.from_series(pl.Series(["a", "b", "c"]))
    counts = pl.DataFrame({"ITEM_ID": ["c", "z", "a"], "TIMES": [3, 9, 1]})
    assert times_by_row(counts, items).tolist() == [1, 0, 3]
