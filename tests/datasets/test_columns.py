"""Columns for filters and answers, held against a plain evaluation row by row."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.datasets.column_kinds import shortest, value_of
from openpersonalize.datasets.columns import ColumnSet
from openpersonalize.datasets.schemas import Field, parse_schema
from openpersonalize.datasets.tables import records_frame
from openpersonalize.storage.idtable import IdTable

from .tabular import CATEGORICAL, TEXTUAL, schema

SCHEMA = parse_schema(
    schema(
        "Items",
        "ITEM_ID",
        ("GENRE", ["null", "string"], CATEGORICAL),
        ("STOCK", ["null", "string"]),
        ("PRICE", ["null", "float"]),
        ("YEAR", ["null", "long"]),
        ("ONLINE", ["null", "boolean"]),
        ("PLOT", ["null", "string"], TEXTUAL),
    )
)
OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def field_of(name: str) -> Field:
    found = SCHEMA.field(name)
    assert found is not None
    return found


def columns(ids: list[str], *records: dict[str, Any]) -> ColumnSet:
    return ColumnSet.build(
        records_frame(records, SCHEMA), SCHEMA, IdTable.from_series(pl.Series(ids, dtype=pl.String))
    )


@pytest.fixture
def small() -> ColumnSet:
    return columns(
        ["a", "b", "c", "d"],
        {
            "ITEM_ID": "c",
            "GENRE": "Drama| Comedy ||",
            "STOCK": "yes",
            "PRICE": 9.99,
            "YEAR": 1999,
            "ONLINE": True,
            "PLOT": "x",
        },
        {
            "ITEM_ID": "a",
            "GENRE": "Drama",
            "STOCK": "Drama|Comedy",
            "PRICE": 5.0,
            "YEAR": 2**60 + 1,
            "ONLINE": False,
        },
        {"ITEM_ID": "zz", "GENRE": "Horror", "PRICE": 1.0},
        {"ITEM_ID": "d", "GENRE": "", "STOCK": "", "YEAR": -1},
    )


def test_categories_are_sets_and_plain_strings_whole(small: ColumnSet):
    assert small.any_of("GENRE", ["Drama"]).tolist() == [True, False, True, False]
    assert small.any_of("GENRE", ["Comedy", "Horror"]).tolist() == [False, False, True, False]
    assert small.any_of("GENRE", ["drama", " Comedy ", ""]).tolist() == [False] * 4
    assert small.any_of("GENRE", []).tolist() == [False] * 4
    assert small.any_of("STOCK", ["Drama", "yes"]).tolist() == [False, False, True, False]
    assert small.any_of("STOCK", ["Drama|Comedy", ""]).tolist() == [True, False, False, True]


def test_ids_answer_like_strings(small: ColumnSet):
    assert small.any_of("ITEM_ID", ["b", "zz", "d"]).tolist() == [False, True, False, True]
    assert (small.text_at("ITEM_ID", 1), small.values_at("ITEM_ID", 1)) == ("b", ("b",))
    assert not small.is_null("ITEM_ID").any()


def test_numbers(small: ColumnSet):
    assert small.compare("PRICE", "=", 9.99).tolist() == [False, False, True, False]
    assert small.compare("PRICE", "!=", 9.99).tolist() == [True, True, False, True]
    assert small.compare("PRICE", "<", 100).tolist() == [True, False, True, False]
    assert small.any_of_numbers("YEAR", [1999, -1, 7]).tolist() == [False, False, True, True]


def test_nulls(small: ColumnSet):
    assert small.is_null("GENRE").tolist() == [False, True, False, False]
    assert small.is_null("PRICE").tolist() == [False, True, False, True]
    assert small.is_null("PLOT").tolist() == [True, True, False, True]
    assert small.is_null("ONLINE").tolist() == [False, True, False, True]


def test_one_rows_values(small: ColumnSet):
    assert small.values_at("GENRE", 2) == ("Drama", "Comedy")
    assert small.values_at("GENRE", 3) == ()
    assert small.values_at("GENRE", 1) is None
    assert small.values_at("STOCK", 0) == ("Drama|Comedy",)
    assert small.values_at("YEAR", 2) == 1999.0
    assert small.values_at("YEAR", 1) is None


def test_texts_for_answers(small: ColumnSet):
    assert [small.text_at(name, 0) for name in SCHEMA.names] == [
        "a",
        "Drama",
        "Drama|Comedy",
        "5",
        str(2**60 + 1),
        "false",
        None,
    ]
    assert [small.text_at(name, 2) for name in SCHEMA.names] == [
        "c",
        "Drama| Comedy ||",
        "yes",
        "9.99",
        "1999",
        "true",
        "x",
    ]
    assert [small.text_at(name, 1) for name in SCHEMA.names] == ["b", *[None] * 6]


@pytest.mark.parametrize(
    ("number", "text"), [(27.0, "27"), (11.5, "11.5"), (-0.1, "-0.1"), (1e20, "1e+20"), (0.0, "0")]
)
def test_the_shortest_form_of_a_number(number: float, text: str):
    assert shortest(number) == text


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.any_of("NOPE", ["a"]),
        lambda c: c.any_of("PRICE", ["a"]),
        lambda c: c.compare("GENRE", "<", 1),
        lambda c: c.any_of("PLOT", ["x"]),
        lambda c: c.any_of("ONLINE", ["true"]),
        lambda c: c.any_of_numbers("STOCK", [1]),
    ],
)
def test_a_question_that_does_not_fit_the_field(small: ColumnSet, ask: Any):
    with pytest.raises(KeyError):
        ask(small)


def test_columns_that_the_data_lacks_are_null():
    ids = IdTable.from_series(pl.Series(["a", "b"]))
    made = ColumnSet.build(pl.DataFrame({"ITEM_ID": ["a"], "STOCK": ["x"]}), SCHEMA, ids)
    assert all(made.is_null(name).all() for name in SCHEMA.names if name not in ("ITEM_ID", "STOCK"))
    assert not made.any_of("GENRE", ["x"]).any()


def test_no_rows_and_no_ids():
    assert not columns(["a"]).any_of("GENRE", ["x"]).any()
    empty = columns([])
    assert (empty.n, empty.any_of("STOCK", ["x"]).tolist(), empty.compare("PRICE", "!=", 1).tolist()) == (
        0,
        [],
        [],
    )


def test_a_put_record_replaces_the_whole_row_and_leaves_the_old_set_alone(small: ColumnSet):
    newer = small.with_rows({0: {"GENRE": "Horror", "YEAR": 5}})
    assert newer.version == small.version + 1
    assert newer.any_of("GENRE", ["Drama"]).tolist() == [False, False, True, False]
    assert newer.any_of("GENRE", ["Horror"]).tolist() == [True, False, False, False]
    assert newer.is_null("PRICE").tolist() == [True, True, False, True]
    assert [newer.text_at(name, 0) for name in SCHEMA.names] == ["a", "Horror", None, None, "5", None, None]
    assert small.any_of("GENRE", ["Drama"]).tolist() == [True, False, True, False]
    assert small.with_rows({}) is small


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "GENRE": st.none() | st.lists(st.sampled_from(["A", "B", " C", "", "Ä"]), max_size=3).map("|".join),
        "STOCK": st.none() | st.sampled_from(["", "A", "A|B", "yes"]),
        "PRICE": st.none() | st.floats(-5, 5).map(lambda x: round(x, 1)),
        "YEAR": st.none() | st.integers(-3, 3) | st.sampled_from([2**53 + 1, -(2**62) - 1]),
        "ONLINE": st.none() | st.booleans(),
        "PLOT": st.none() | st.text(max_size=3),
    },
)


@settings(max_examples=120, deadline=None)
@given(
    n=st.integers(1, 60),
    bulk=st.lists(st.tuples(st.integers(0, 80), VALUES), max_size=40),
    puts=st.lists(st.dictionaries(st.integers(0, 59), VALUES, max_size=6), max_size=8),
    wanted=st.lists(st.sampled_from(["A", "B", "C", "", "Ä", "yes", "A|B", "nope"]), max_size=4),
    number=st.integers(-3, 3) | st.floats(-5, 5).map(lambda x: round(x, 1)),
)
def test_like_a_plain_evaluation(n, bulk, puts, wanted, number):
    ids = [f"i{k:02d}" for k in range(n)]
    rows: list[dict[str, Any]] = [{} for _ in ids]
    for place, record in bulk:
        if place < n:
            rows[place] = record
    made = columns(ids, *({"ITEM_ID": f"i{place:02d}"} | record for place, record in bulk))
    for put in puts:
        fitting = {row: record for row, record in put.items() if row < n}
        made = made.with_rows(fitting)
        for row, record in fitting.items():
            rows[row] = record

    def categories(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(p.strip(" ") for p in (row.get("GENRE") or "").split("|") if p.strip(" "))

    assert made.any_of("GENRE", wanted).tolist() == [bool(set(categories(row)) & set(wanted)) for row in rows]
    assert made.any_of("STOCK", wanted).tolist() == [row.get("STOCK") in wanted for row in rows]
    for name in ("PRICE", "YEAR"):
        values = [row.get(name) for row in rows]
        for op, compare in OPERATORS.items():
            assert made.compare(name, op, number).tolist() == [
                v is not None and compare(v, number) for v in values
            ]
        assert made.compare(name, "!=", number).tolist() == [v is None or v != number for v in values]
        assert made.any_of_numbers(name, [number, 1]).tolist() == [v in (number, 1) for v in values]
    for name in SCHEMA.names[1:]:
        assert made.is_null(name).tolist() == [row.get(name) is None for row in rows]
        for place, row in enumerate(rows):
            value = row.get(name)
            text = made.text_at(name, place)
            assert made.values_at(name, place) == value_of(field_of(name), value)
            if value is None:
                assert text is None
                assert made.values_at(name, place) is None
            elif name == "ONLINE":
                assert text == str(value).lower()
            elif name in ("PRICE", "YEAR"):
                assert text is not None
                assert (int(text) if name == "YEAR" else float(text)) == value
                assert made.values_at(name, place) == float(value)
            else:
                assert text == value
                expected = categories(row) if name == "GENRE" else (value,)
                assert made.values_at(name, place) == expected


def test_many_small_puts_become_part_of_the_base():
    ids = [f"i{k:04d}" for k in range(2000)]
    made = columns(ids, *({"ITEM_ID": i, "PRICE": 1.0} for i in ids))
    for k in range(400):
        made = made.with_rows({k: {"PRICE": 2.0, "YEAR": k}})
    assert made.version == 400
    assert np.flatnonzero(made.compare("PRICE", "=", 2)).tolist() == list(range(400))
    assert made.text_at("YEAR", 399) == "399"
