"""Hints: what an import lets in and tells, through the reader that files are read with."""

from __future__ import annotations

import io

import polars as pl
import pytest

from openpersonalize.datasets.csv_reader import CsvReader
from openpersonalize.datasets.hints import repeated
from openpersonalize.datasets.problems import Problems
from openpersonalize.datasets.schemas import parse_schema

from .tabular import schema

SCHEMA = schema(
    "Interactions",
    "USER_ID",
    "ITEM_ID",
    ("TIMESTAMP", "long"),
    ("EVENT_TYPE", "string"),
    ("NOTE", ["null", "string"]),
)


def hints(*rows: str, block_bytes: int = 1 << 20, now: float | None = 2_000_000) -> list[str]:
    problems = Problems(lambda *place: None)
    reader = CsvReader(parse_schema(SCHEMA), "INTERACTIONS", problems, block_bytes, now)
    text = "\n".join(("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,NOTE", *rows))
    for _ in reader.frames(io.BytesIO(text.encode()), "f.csv"):
        pass
    assert problems.count == 0
    return list(reader.hints.sentences())


@pytest.mark.parametrize("block_bytes", [20, 1 << 20])
def test_every_kind_once_with_its_first_place_and_count(block_bytes: int) -> None:
    found = hints(
        "u,i,1,view,",
        "NULL,i,1,view,",
        "nan,i,2,view,NULL",
        " u,i,2200000,view,",
        "u,i\t,1,view ,",
        block_bytes=block_bytes,
    )
    blank, other = "1 row with blanks around the value, such as", "which make it another one (first in f.csv,"
    assert sorted(line.partition("; leave")[0] for line in found) == [
        f'column EVENT_TYPE: {blank} "view ", {other} line 6)',
        f'column ITEM_ID: {blank} "i\\t", {other} line 6)',
        'column NOTE: 1 row with "NULL", a text like any other',
        "column TIMESTAMP: 1 row from the future, such as 2200000 (first in f.csv, line 5)",
        f'column USER_ID: {blank} " u", {other} line 5)',
        'column USER_ID: 2 rows with "NULL", a name like any other',
    ]
    assert sum(line.endswith("line 3)") for line in found) == 1


def test_ordinary_rows_have_none() -> None:
    assert hints("u,i,1,view,a text", "Nana,none-such,2086399,view,") == []
    assert hints("u,i,9999999,view,", now=None) == []


def test_events_that_stand_there_already() -> None:
    keys = pl.DataFrame({"USER_ID": ["u", "u", "v", "u"], "ITEM_ID": ["i"] * 4, "TIMESTAMP": [1, 1, 1, 2]})
    assert repeated(keys) == 1
