"""What a model is asked with, and what counts as met."""

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.histories import InteractionHistories, build_histories
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.events.history import EMPTY, History
from openpersonalize.recipes.query import HISTORY_LENGTH
from openpersonalize.serving.history import (
    AWAY_SECONDS,
    NOTHING,
    BulkInteractions,
    LiveRows,
    RecentEvents,
    bulk_parts,
    interacted,
    live_parts,
)

ROWS = {"a": 0, "b": 1, "c": 2}


class Asking:
    """`RecentEvents` of a model that knows `ROWS`."""

    def __init__(self, selection, position):
        self.recent = RecentEvents(selection, {"click": 0, "buy": 1}, position)

    def query(self, trained, streamed, now, seen_excluded):
        return self.recent.query(trained, streamed, rows_of(streamed), now, seen_excluded)


def rows_of(history, table=ROWS):
    """The rows of a history's items, in order of arrival."""
    return LiveRows(lambda items: [table.get(item, -1) for item in items]).of(history)


def recent(position=10, **solution):
    selection = EventSelection.from_solution(solution.get("event_type"), solution.get("config"))
    return Asking(selection, position)


def trained(*events):
    item, time, event = zip(*events, strict=True)
    return (
        np.array(item, dtype=np.int32),
        np.array(time, dtype=np.int64),
        np.array(event, dtype=np.int16),
        np.ones(len(item), dtype=np.float32),
    )


def streamed(*rows):
    """(position, item, time, type) or with a value."""
    return History.of([row if len(row) == 5 else (*row, None) for row in rows])


def test_a_value_reaches_a_threshold_that_is_written_alike():
    asked = recent(config={"eventValueThreshold": "3.3"}).query(
        NOTHING,
        streamed((11, "a", 1, "rate", 3.3), (12, "b", 2, "rate", 3.2999), (13, "c", 3, "rate", 1e300)),
        9,
        False,
    )
    assert asked.item.tolist() == [0, 2]


def test_what_was_met_is_gathered_from_the_past_and_the_live_history(tmp_path):
    part = tmp_path / "part.parquet"
    rows = [("ann", "c", 5, "Buy"), ("ann", "gone", 6, "buy"), ("bob", "a", 7, "buy")]
    columns = ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    frame.with_columns(pl.col("TIMESTAMP").cast(pl.Int64)).write_parquet(part)
    build_histories([part], tmp_path / "index", columns)
    past = BulkInteractions(
        InteractionHistories.open(tmp_path / "index"), np.array([0, 2, -1], dtype=np.int32)
    )
    live = streamed((11, "b", 100, "buy"), (12, "a", 200, "click"))

    def of(user, pasts, by_name=False, window=0, now=300):
        rows = [one.rows_among(["a", "b", "c"]) if by_name else one.rows for one in pasts]
        bulk = [] if user is None else bulk_parts(user, pasts, rows, window, now)
        found = interacted([*bulk, *live_parts(live, rows_of(live))], window)
        return {kind: rows.tolist() for kind, rows in zip(found.types, found.rows, strict=True)}

    assert of("ann", [past]) == {"buy": [2, 1], "click": [0]}
    assert of("ann", [past, past], by_name=True) == {"buy": [2, 2, 1], "click": [0]}
    assert of("ann", [past], window=1) == {"buy": [1], "click": [0]}
    assert of("ann", [past], window=9, now=6 + AWAY_SECONDS + 1) == {"buy": [1], "click": [0]}
    assert of(None, [past]) == of("carl", []) == {"buy": [1], "click": [0]}


def test_streamed_events_follow_the_trained_ones():
    query = recent().query(
        trained((2, 50, 0)), streamed((11, "a", 100, "click"), (12, "b", 200, "buy")), 300, False
    )
    assert query.item.tolist() == [2, 0, 1]
    assert query.time.tolist() == [50, 100, 200]
    assert query.event.tolist() == [0, 0, 1]
    assert (query.now, query.seen_excluded) == (300, False)
    dtypes = [query.item.dtype, query.time.dtype, query.event.dtype, query.weight.dtype]
    assert dtypes == [np.int32, np.int64, np.int16, np.float32]


def test_what_training_saw_is_not_counted_twice():
    live = streamed((9, "a", 40, "click"), (10, "b", 45, "click"), (11, "c", 60, "click"))
    assert recent(position=10).query(trained((0, 40, 0), (1, 45, 0)), live, 99, False).item.tolist() == [
        0,
        1,
        2,
    ]


def test_somebody_training_did_not_see_has_all_streamed_events():
    live = streamed((3, "a", 40, "click"), (11, "c", 60, "click"))
    assert recent(position=10).query(NOTHING, live, 99, False).item.tolist() == [0, 2]


def test_a_back_dated_event_takes_its_place_in_time():
    query = recent().query(trained((2, 50, 0), (1, 70, 0)), streamed((11, "a", 60, "click")), 99, False)
    assert query.item.tolist() == [2, 0, 1]


def test_at_equal_times_the_later_arrival_comes_later():
    query = recent().query(
        trained((2, 50, 0)), streamed((11, "a", 50, "click"), (12, "b", 50, "click")), 99, False
    )
    assert query.item.tolist() == [2, 0, 1]


def test_items_the_model_does_not_know_are_left_out():
    query = recent().query(NOTHING, streamed((11, "new", 60, "click"), (12, "b", 61, "click")), 99, False)
    assert query.item.tolist() == [1]


def test_an_unknown_event_type_is_kept_without_a_number():
    assert recent().query(NOTHING, streamed((11, "a", 60, "like")), 99, False).event.tolist() == [-1]


def test_only_events_that_would_train_count():
    live = streamed((11, "a", 60, "click"), (12, "b", 61, "buy"), (13, "c", 62, "BUY"))
    assert recent(event_type="buy").query(NOTHING, live, 99, False).item.tolist() == [1]


def test_the_value_threshold_holds_for_streamed_events():
    live = streamed((11, "a", 60, "rate", 2.0), (12, "b", 61, "rate", 3.0), (13, "c", 62, "rate", None))
    config = {"eventValueThreshold": "3"}
    assert recent(config=config).query(NOTHING, live, 99, False).item.tolist() == [1]


def test_event_weights_reach_the_model():
    config = {
        "eventsConfig": {
            "eventParametersList": [
                {"eventType": "click", "weight": 0.1},
                {"eventType": "buy", "weight": 0.3},
            ]
        }
    }
    live = streamed((11, "a", 60, "click"), (12, "b", 61, "buy"), (13, "c", 62, "like"))
    query = recent(config=config).query(NOTHING, live, 99, False)
    assert query.item.tolist() == [0, 1]
    assert query.weight == pytest.approx([0.5, 1.5])


def test_only_the_newest_events_are_shown():
    past = trained(*[(0, second, 0) for second in range(HISTORY_LENGTH - 50)])
    live = streamed(*[(11 + k, "b", 1000 + k, "click") for k in range(120)])
    query = recent().query(past, live, 9999, False)
    assert len(query.item) == HISTORY_LENGTH
    assert query.item.tolist() == [0] * (HISTORY_LENGTH - 120) + [1] * 120


def test_no_events_at_all():
    assert recent().query(NOTHING, EMPTY, 99, True).item.tolist() == []


def grouped(window=0):
    kinds = ["Click", "click", "buy", "", "click"]
    rows = np.array([0, 1, 1, 2, -1], dtype=np.int32)
    times = np.array([10, 30, 20, 5, 40])
    return interacted(
        [(kind, rows[place : place + 1], times[place : place + 1]) for place, kind in enumerate(kinds)],
        window,
    )


def rows(found, *types):
    return sorted(found.accepted(lambda kind: kind in types).tolist())


def test_met_items_by_type_whatever_the_case():
    assert rows(grouped(), "click") == [0, 1]
    assert rows(grouped(), "buy") == [1]
    assert rows(grouped(), "buy", "click") == [0, 1, 1]
    assert rows(grouped(), "") == [2]
    assert rows(grouped(), "like") == []


def test_a_window_keeps_the_newest_of_each_type():
    assert rows(grouped(window=2), "click") == [1]  # the newest of all is of an unknown item, and counts
    assert rows(grouped(window=1), "buy") == [1]
