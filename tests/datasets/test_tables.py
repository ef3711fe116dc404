"""Schemas as Polars tables, records as rows."""

from __future__ import annotations

import polars as pl
import pytest

from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.tables import id_column, records_frame, table_types

from .tabular import schema

SCHEMA = parse_schema(
    schema("Users", "USER_ID", ("AGE", ["null", "int"]), ("P", "float"), ("B", ["boolean", "null"]))
)


def test_types_in_schema_order():
    assert list(table_types(SCHEMA).items()) == [
        ("USER_ID", pl.String),
        ("AGE", pl.Int64),
        ("P", pl.Float64),
        ("B", pl.Boolean),
    ]


def test_records_become_rows_of_the_schemas_types():
    frame = records_frame([{"USER_ID": "u", "AGE": 7.0, "P": 1, "B": True, "X": 1}, {"USER_ID": 5}], SCHEMA)
    assert dict(frame.schema) == table_types(SCHEMA)
    assert frame.rows() == [("u", 7, 1.0, True), ("5", None, None, None)]
    assert dict(records_frame([], SCHEMA).schema) == table_types(SCHEMA)


@pytest.mark.parametrize(("fields", "name"), [(("A", "ITEM_ID"), "ITEM_ID"), (("USER_ID",), "USER_ID")])
def test_the_id_column(fields: tuple[str, ...], name: str):
    assert id_column(parse_schema(schema("x", *fields))) == name


def test_users_may_have_a_column_item_id_of_their_own():
    assert id_column(parse_schema(schema("Users", "USER_ID", "ITEM_ID"))) == "USER_ID"
    assert id_column(parse_schema(schema("Items", "USER_ID", "ITEM_ID"))) == "ITEM_ID"


@pytest.mark.parametrize("fields", [("USER_ID", "ITEM_ID"), ("A",)])
def test_interactions_have_no_id_column(fields: tuple[str, ...]):
    with pytest.raises(KeyError):
        id_column(parse_schema(schema("x", *fields)))
