"""The index by user: order, numbers, unknown users."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.datasets.histories import NO_EVENT, InteractionHistories, build_histories

COLUMNS = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE")
TYPES = {
    "USER_ID": pl.String,
    "ITEM_ID": pl.String,
    "TIMESTAMP": pl.Int64,
    "EVENT_TYPE": pl.String,
    "EVENT_VALUE": pl.Float64,
}


def built(folder: Path, *parts: list[tuple], columns: tuple[str, ...] = COLUMNS) -> InteractionHistories:
    files = []
    for number, rows in enumerate(parts):
        files.append(folder / f"{number}.parquet")
        pl.DataFrame(rows, schema=TYPES, orient="row").select(columns).write_parquet(files[-1])
    build_histories(files, folder / "histories", columns)
    return InteractionHistories.open(folder / "histories")


def test_oldest_first_over_parts_and_ties_in_order_of_arrival(tmp_path: Path):
    found = built(
        tmp_path,
        [("u", "c", 30, "view", 1.5), ("v", "a", 5, "view", None), ("u", "b", 10, "buy", None)],
        [("u", "a", 10, "view", 2.0), ("u", "d", 0, "view", None)],
    )
    item, time, event, value = found.of("u")
    assert [found.items[k] for k in item] == ["d", "b", "a", "c"]
    assert time.tolist() == [0, 10, 10, 30]
    assert [found.event_types[k] for k in event] == ["view", "buy", "view", "view"]
    np.testing.assert_array_equal(value, np.array([np.nan, np.nan, 2.0, 1.5], dtype=np.float32))
    assert (item.dtype, time.dtype, event.dtype, value.dtype) == (np.int32, np.int64, np.int16, np.float32)
    assert list(found.users) == ["u", "v"]
    assert found.rows == 5


def test_an_unknown_user_has_an_empty_history(tmp_path: Path):
    found = built(tmp_path, [("u", "a", 1, "view", None)])
    assert [(len(column), column.dtype) for column in found.of("w")] == [
        (0, np.int32),
        (0, np.int64),
        (0, np.int16),
        (0, np.float32),
    ]


def test_without_event_types_and_values(tmp_path: Path):
    found = built(tmp_path, [("u", "a", 4_102_444_800, "", None)], columns=COLUMNS[:3])
    item, time, event, value = found.of("u")
    assert (item.tolist(), time.tolist(), event.tolist()) == ([0], [4_102_444_800], [NO_EVENT])
    assert np.isnan(value).all()
    assert found.event_types == []


def test_more_event_types_than_16_bits_can_number(tmp_path: Path):
    found = built(tmp_path, [("u", "a", k, f"type {k}", None) for k in range(33_000)])
    event = found.of("u")[2]
    assert [found.event_types[k] for k in event[[0, 32_999]]] == ["type 0", "type 32999"]


def test_no_interactions(tmp_path: Path):
    found = built(tmp_path, [])
    assert found.rows == 0
    assert len(found.of("u")[0]) == 0


IDS = st.sampled_from(["a", "b", "é", "東京", "", "a b"])


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.lists(st.tuples(IDS, IDS, st.integers(0, 5), IDS, st.none() | st.floats(0, 9, width=32))),
        max_size=4,
    )
)
def test_like_a_plain_grouping(parts):
    with TemporaryDirectory() as folder:
        found = built(Path(folder), *parts)
        grouped = defaultdict(list)
        for row in (row for part in parts for row in part):
            grouped[row[0]].append(row[1:])
        assert list(found.users) == sorted(grouped, key=str.encode)
        for user, rows in grouped.items():
            item, time, event, value = found.of(user)
            seen = [
                (found.items[i], t, found.event_types[e], None if np.isnan(v) else v)
                for i, t, e, v in zip(item, time.tolist(), event, value.tolist(), strict=True)
            ]
            assert seen == sorted(rows, key=lambda row: row[1])
