"""Which events count: the same one by one and in bulk."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.datasets.selection import EventSelection

WEIGHTED = {
    "eventsConfig": {
        "eventParametersList": [
            {"eventType": "buy", "weight": 0.3},
            {"eventType": "rate", "weight": 0.1, "eventValueThreshold": 3.0},
        ]
    }
}
CHOICES = [
    EventSelection(),
    EventSelection.from_solution("buy", None),
    EventSelection.from_solution(None, {"eventValueThreshold": "3.5"}),
    EventSelection.from_solution("rate", {"eventValueThreshold": "3.5"}),
    EventSelection.from_solution(None, WEIGHTED),
]


def weight(selection: EventSelection, kind: str | None, value: float | None) -> float | None:
    """The weight of one event, None when it does not count."""
    types = np.array([-1 if kind is None else 0], np.int32)
    values = np.array([np.nan if value is None else value], np.float32)
    (found,) = selection.weights(lambda name: 0 if name == kind else -1, types, values).tolist()
    return None if np.isnan(found) else found


def test_without_a_choice_everything_counts_alike() -> None:
    assert weight(EventSelection(), "x", None) == 1.0
    assert weight(EventSelection(), None, 2.0) == 1.0


def test_event_type_is_matched_exactly() -> None:
    chosen = EventSelection.from_solution("buy", {})
    assert weight(chosen, "buy", None) == 1.0
    assert weight(chosen, "Buy", None) is None
    assert chosen.named == ("buy",)


def test_a_missing_value_fails_a_threshold() -> None:
    chosen = EventSelection.from_solution(None, {"eventValueThreshold": "3"})
    assert weight(chosen, "rate", 3.0) == 1.0
    assert weight(chosen, "rate", 2.9) is None
    assert weight(chosen, "rate", None) is None
    assert weight(chosen, "rate", float("nan")) is None


@pytest.mark.parametrize("kind", [pl.Float32, pl.Float64])
def test_a_value_reaches_a_threshold_that_is_written_alike(kind: type[pl.DataType]) -> None:
    """No 32-bit number is 3.3: the stored value lies below the 64-bit 3.3, the one of 3.4 above."""
    for text in ("3.3", "3.4"):
        chosen = EventSelection.from_solution(None, {"eventValueThreshold": text})
        frame = pl.DataFrame({"EVENT_VALUE": [float(text)]}, schema={"EVENT_VALUE": kind})
        assert frame.select(chosen.expression(frame.columns)).to_series().to_list() == [1.0]
        assert weight(chosen, "rate", float(np.float32(text))) == 1.0


def test_only_ratios_of_weights_matter() -> None:
    chosen = EventSelection.from_solution(None, WEIGHTED)
    assert weight(chosen, "buy", None) == pytest.approx(1.5)
    assert weight(chosen, "rate", 4.0) == pytest.approx(0.5)
    assert weight(chosen, "rate", 2.0) is None
    assert weight(chosen, "view", None) is None
    twice = [
        {**entry, "weight": 2 * entry["weight"]} for entry in WEIGHTED["eventsConfig"]["eventParametersList"]
    ]
    assert EventSelection.from_solution(None, {"eventsConfig": {"eventParametersList": twice}}) == chosen


def test_an_omitted_weight_is_one() -> None:
    listed = [{"eventType": "a"}, {"eventType": "b", "weight": 0.5}]
    chosen = EventSelection.from_solution(None, {"eventsConfig": {"eventParametersList": listed}})
    assert weight(chosen, "a", None) == pytest.approx(1 / 0.75)


@pytest.mark.parametrize("chosen", CHOICES)
def test_json_round_trip(chosen: EventSelection) -> None:
    assert EventSelection.from_json(chosen.json()) == chosen


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "rate", "view", None]), st.one_of(st.none(), st.floats(0, 5, width=32))
    ),
    max_size=20,
)


@given(st.sampled_from(CHOICES), ROWS, st.sampled_from([("EVENT_TYPE", "EVENT_VALUE"), ("EVENT_TYPE",), ()]))
def test_in_bulk_as_one_by_one(chosen: EventSelection, rows: list, columns: tuple[str, ...]) -> None:
    frame = pl.DataFrame(
        {
            "EVENT_TYPE": [row[0] for row in rows],
            "EVENT_VALUE": [row[1] for row in rows],
            "N": range(len(rows)),
        },
        schema={"EVENT_TYPE": pl.String, "EVENT_VALUE": pl.Float64, "N": pl.Int64},
    ).select(*columns, "N")
    bulk = frame.select(chosen.expression(frame.columns).alias("weight"), "N")["weight"].to_list()
    single = [
        weight(
            chosen, row[0] if "EVENT_TYPE" in columns else None, row[1] if "EVENT_VALUE" in columns else None
        )
        for row in rows
    ]
    assert bulk == [None if weight is None else pytest.approx(weight) for weight in single]
