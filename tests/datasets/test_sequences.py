"""Interactions become arrays: order, repeats, catalogue."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.datasets.profiles import Profiles
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences, groups_of_rows

ROW = st.tuples(
    st.sampled_from(["u1", "u2", "ü3"]),
    st.sampled_from(["i1", "i2", "i3"]),
    st.integers(0, 4),
    st.sampled_from(["view", "buy", "skip"]),
)
CHOICE = EventSelection.from_solution(
    None,
    {"eventsConfig": {"eventParametersList": [{"eventType": "view", "weight": 0.5}, {"eventType": "buy"}]}},
)


def frame_of(rows: list[tuple[str, str, int, str]]) -> pl.DataFrame:
    schema = {"USER_ID": pl.String, "ITEM_ID": pl.String, "TIMESTAMP": pl.Int64, "EVENT_TYPE": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def unpacked(built: Sequences) -> list[tuple[str, str, int, str]]:
    return [
        (built.users[user], built.items[item], time, built.event_types[event])
        for user, item, time, event in zip(
            built.user.tolist(), built.item.tolist(), built.time.tolist(), built.event.tolist(), strict=True
        )
    ]


@given(st.lists(ROW, max_size=30))
def test_by_user_oldest_first_ties_in_arrival_order_repeats_once(
    rows: list[tuple[str, str, int, str]],
) -> None:
    built = build_sequences(frame_of(rows).lazy(), None, CHOICE)
    counted = [row for row in rows if row[3] != "skip"]
    best: dict[tuple[str, str, int], tuple[int, str]] = {}
    for arrival, row in enumerate(counted):
        held = best.get(row[:3])
        if held is None or (held[1] == "view" and row[3] == "buy"):
            best[row[:3]] = (arrival, row[3])
    wanted = sorted(best.items(), key=lambda pair: (pair[0][0].encode(), pair[0][2], pair[1][0]))
    assert unpacked(built) == [(*key, kind) for key, (_, kind) in wanted]
    assert built.ptr[0] == 0
    assert built.ptr[-1] == len(built.item)
    assert built.counts.sum() == len(built.item)
    assert len(built.users) == len({row[0] for row in counted})


def test_items_of_the_catalogue_belong_to_it() -> None:
    built = build_sequences(frame_of([("u", "b", 1, "view")]).lazy(), pl.Series(["a", "c"]), EventSelection())
    assert built.items.strings() == ["a", "b", "c"]
    assert built.item.tolist() == [1]


def test_columns_that_are_missing_and_values_that_are_null() -> None:
    frame = frame_of([("u", "a", 1, "x"), ("u", "b", 2, "x")])
    bare = build_sequences(frame.drop("EVENT_TYPE").lazy(), None, EventSelection())
    assert bare.event.tolist() == [-1, -1]
    assert bare.event_types == ()
    assert np.isnan(bare.value).all()
    valued = frame.with_columns(EVENT_VALUE=pl.Series([1.5, None])).lazy()
    built = build_sequences(valued, None, EventSelection())
    assert built.value[0] == 1.5
    assert np.isnan(built.value[1])


def test_nothing_is_nothing() -> None:
    built = build_sequences(frame_of([]).lazy(), None, EventSelection())
    assert (len(built.users), len(built.items), len(built.item)) == (0, 0, 0)


@given(st.lists(ROW, max_size=30), st.randoms(use_true_random=False))
def test_where_keeps_users_and_numbers(rows: list[tuple[str, str, int, str]], random: object) -> None:
    built = build_sequences(frame_of(rows).lazy(), None, EventSelection())
    keep = np.array([random.random() < 0.5 for _ in range(len(built.item))], dtype=np.bool_)  # type: ignore[attr-defined]
    part = built.where(keep)
    assert unpacked(part) == [row for row, kept in zip(unpacked(built), keep.tolist(), strict=True) if kept]
    assert part.users is built.users


def test_context_and_profiles_follow_their_events_and_users() -> None:
    rows = pl.DataFrame(
        {
            "USER_ID": ["v", "u", "u", "u"],
            "ITEM_ID": ["a", "b", "a", "b"],
            "TIMESTAMP": [1, 9, 5, 9],
            "DEVICE": ["tv", "phone", None, "tv"],
            "PRICE": [1.5, None, 2.0, 3.0],
        }
    )
    users = pl.DataFrame({"USER_ID": ["w", "u"], "TOWN": ["Rome", "Oslo"]})
    profiles = Profiles.of(users, "USER_ID", ["TOWN"])
    built = build_sequences(rows.lazy(), None, EventSelection(), ["DEVICE", "PRICE"], profiles)
    assert [built.context_at(event) for event in range(3)] == [
        {"PRICE": 2.0},
        {"DEVICE": "phone"},
        {"DEVICE": "tv", "PRICE": 1.5},
    ]
    assert [built.profile(user) for user in range(2)] == [{"TOWN": "Oslo"}, {}]
    some = built.where(np.array([False, False, True]))
    assert some.context_at(0) == {"DEVICE": "tv", "PRICE": 1.5}
    assert some.profile(0) == {"TOWN": "Oslo"}


def test_groups_of_rows_are_counted_beyond_32_bits() -> None:
    counted = groups_of_rows(np.array([True, False, False, True, False]))
    assert counted.tolist() == [0, 0, 1, 2, 2, 3]
    assert counted.dtype == np.int64
