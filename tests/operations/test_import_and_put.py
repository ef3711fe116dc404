"""One record, imported as CSV and put by PutItems, has equal values, or is refused both times."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.datasets.csv_reader import CsvReader
from openpersonalize.datasets.problems import Problems
from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.errors import InvalidInput
from openpersonalize.events.frames import records_to_frame
from openpersonalize.events.payload import RecordReader

SCHEMA = Schema(
    (
        Field("ITEM_ID", "string"),
        Field("KIND", "string", nullable=True, categorical=True),
        Field("NOTE", "string", nullable=True),
        Field("PLOT", "string", nullable=True, textual=True),
        Field("YEAR", "int", nullable=True),
        Field("VIEWS", "long", nullable=True),
        Field("PRICE", "float", nullable=True),
        Field("MASS", "double", nullable=True),
        Field("ADULT", "boolean", nullable=True),
        Field("CREATION_TIMESTAMP", "long", nullable=True),
    )
)
REFUSED = "refused"

NUMBERS = st.one_of(
    st.from_regex(r"[ \t]?[+-]?[0-9]{1,20}(\.0{0,3})?[ \t]?", fullmatch=True),
    st.from_regex(r"[+-]?[0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ["nan", "inf", "1_0", "4102444800", "4102444801", "3.4028235e38", "3.5e38", "2147483648"]
    ),
)
SHORT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
LONG = st.builds(
    lambda unit, times: unit * times,
    st.sampled_from(["漢字abc", "漢字a", "カa", "plain ", "é", "。、a", "漢"]),
    st.sampled_from([1, 300, 1001, 2400, 7001, 20_001]),
)
TEXTS = st.one_of(SHORT, LONG)
TRUTHS = st.sampled_from(["true", "false"])


def imported(column: str, value: str) -> Any:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerows([["ITEM_ID", column], ["1", value]])
    schema = Schema(tuple(field for field in SCHEMA.fields if field.name in ("ITEM_ID", column)))
    problems = Problems(lambda *place: None)
    reader = CsvReader(schema, "ITEMS", problems)
    ((frame, _),) = reader.frames(io.BytesIO(line.getvalue().encode()), "items.csv")
    return REFUSED if problems.count else frame[column].to_list()[0]


def put(column: str, value: str) -> Any:
    reader = RecordReader(SCHEMA, "Item", "itemId")
    try:
        (record,) = reader.read([{"itemId": "1", "properties": json.dumps({column: value})}])
    except InvalidInput:
        return REFUSED
    return records_to_frame([(1, *record, 0.0)], SCHEMA)[column].to_list()[0]


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        (("KIND", "NOTE", "PLOT"), TEXTS),
        (("YEAR", "VIEWS", "PRICE", "MASS", "CREATION_TIMESTAMP"), NUMBERS),
        (("ADULT",), TRUTHS),
    ],
)
def test_an_imported_and_a_put_record_have_equal_values(
    columns: tuple[str, ...], values: st.SearchStrategy[str]
) -> None:
    @settings(max_examples=60, deadline=None)
    @given(value=values)
    def alike(value: str) -> None:
        for column in columns:
            assert imported(column, value) == put(column, value), column

    alike()


def test_a_text_of_two_fifths_kanji_is_kept_whole_by_both() -> None:
    text = ("漢字" + "abc") * 2400
    assert imported("PLOT", text) == put("PLOT", text) == text
