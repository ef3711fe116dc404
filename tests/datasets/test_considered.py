"""What is left out where there is too much, against the rule said plainly."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.datasets.considered import considered_items, newest_interactions
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences

ROWS = st.lists(
    st.tuples(st.sampled_from(["u1", "u2", "u3"]), st.sampled_from("abcdef"), st.integers(0, 9)), max_size=20
)
SCHEMA = {"USER_ID": pl.String, "ITEM_ID": pl.String, "TIMESTAMP": pl.Int64}


def frame_of(rows: list[tuple[str, str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def built_of(rows: list[tuple[str, str, int]]) -> Sequences:
    return build_sequences(frame_of(rows).lazy(), pl.Series(list("abcdefgh")), EventSelection())


@given(ROWS, st.integers(1, 25))
def test_the_newest_interactions_stay_and_a_second_stays_together(
    rows: list[tuple[str, str, int]], most: int
) -> None:
    kept, left_out = newest_interactions(frame_of(rows).lazy(), most)
    times = sorted((time for _, _, time in rows), reverse=True)
    border = times[most - 1] if len(times) > most else -1
    meant = [row for row in rows if row[2] >= border]
    assert kept.collect().rows() == meant  # in order of arrival still
    assert left_out == len(rows) - len(meant)


@given(ROWS, st.lists(st.none() | st.integers(0, 9), min_size=8, max_size=8), st.integers(1, 8))
def test_items_met_or_created_last_stay_half_of_them_met(
    rows: list[tuple[str, str, int]], stated: list[int | None], most: int
) -> None:
    built = built_of(rows)
    created = np.array([math.nan if one is None else one for one in stated])
    kept = considered_items(built, created, most)
    rows = list(dict.fromkeys(rows))  # repeated rows count once

    def rank(item: str) -> tuple[float, int, str]:
        times = [time for _, met, time in rows if met == item]
        alone = stated["abcdefgh".index(item)]
        return -max([*times, -math.inf if alone is None else alone]), -len(times), item

    ranked = sorted("abcdefgh", key=rank)
    met = [item for item in ranked if any(row[1] == item for row in rows)][: most // 2]
    meant = met + [item for item in ranked if item not in met][: most - len(met)]
    assert {item for item, keep in zip(built.items, kept.tolist(), strict=True) if keep} == set(meant)
    whole = considered_items(built, None, 8)
    assert whole.all()


@given(ROWS, st.lists(st.booleans(), min_size=8, max_size=8))
def test_some_items_alone_are_as_if_there_were_no_others(
    rows: list[tuple[str, str, int]], marked: list[bool]
) -> None:
    kept = np.array(marked)
    ids = [item for item, keep in zip("abcdefgh", marked, strict=True) if keep]
    found = built_of(rows).of_items(kept)
    own = [row for row in rows if row[1] in ids]
    meant = build_sequences(frame_of(own).lazy(), pl.Series(ids, dtype=pl.String), EventSelection())
    assert (list(found.users), list(found.items)) == (list(meant.users), list(meant.items))
    for column in ("ptr", "item", "time", "weight"):
        np.testing.assert_array_equal(getattr(found, column), getattr(meant, column))
    assert (found.ptr.dtype, found.item.dtype) == (np.int64, np.int32)
