"""Lists of shown items as counts of what was passed over."""

from __future__ import annotations

import polars as pl

from openpersonalize.algorithms.returns import GapLog
from openpersonalize.events.recommendations import ISSUED
from openpersonalize.exploration.impressions import (
    AGAIN_AFTER,
    passed_over,
    shown,
    shown_in_bulk,
    times_by_row,
)
from openpersonalize.storage.idtable import IdTable

ISSUED_NONE = pl.DataFrame(schema=ISSUED)


def events(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    """Each of another user."""
    names = ["ITEM_ID", "IMPRESSION", "RECOMMENDATION_ID"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    user = pl.format("u{}", pl.int_range(pl.len()))
    return frame.with_columns(USER_ID=user, TIMESTAMP=pl.lit(1_000, dtype=pl.Int64))


def issued(**lists: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"RECOMMENDATION_ID": list(lists), "SHOWN": list(lists.values())}, schema=ISSUED)


def counted(lists: pl.LazyFrame) -> dict[str, int]:
    return dict(passed_over(lists.collect(), GapLog(1_000)).iter_rows())


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
    rows = events(("a", "a|b", None), ("b", None, None)).lazy()
    assert counted(shown_in_bulk(rows)) == {"b": 1}


def test_a_user_passes_an_item_over_once_a_day_whatever_was_chosen() -> None:
    lists = pl.DataFrame(
        {
            "USER_ID": ["robot"] * 3_000 + ["ann"],
            "TIMESTAMP": [*range(3_000), 50],
            "ITEM_ID": [f"i{number}" for number in range(3_000)] + ["i7"],
            "SHOWN": [["x", "y"]] * 3_001,
        }
    )
    gaps = GapLog(1_000)
    assert dict(passed_over(lists, gaps).iter_rows()) == {"x": 2, "y": 2}
    day_after = lists.tail(2).with_columns(TIMESTAMP=pl.lit(AGAIN_AFTER + 60))
    # The robot was there until the last of its 3,000 seconds: its day is not over yet.
    assert dict(passed_over(day_after, gaps).iter_rows()) == {"x": 1, "y": 1}
    assert dict(passed_over(lists.head(0), gaps).iter_rows()) == {}


def test_counts_by_row_leave_unknown_items_out() -> None:
    items = IdTable.from_series(pl.Series(["a", "b", "c"]))
    counts = pl.DataFrame({"ITEM_ID": ["c", "z", "a"], "TIMES": [3, 9, 1]})
    assert times_by_row(counts, items).tolist() == [1, 0, 3]
