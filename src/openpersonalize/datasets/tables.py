"""How a schema becomes a Polars table: the type of each column, and records as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from .schemas import ID_FIELDS, Field, Schema, dataset_type_named

DTYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int64(),
    "long": pl.Int64(),
    "float": pl.Float64(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
}
"""How values of an Avro type are kept. A float is kept as float64, so that 9.99 equals 9.99."""


def table_types(schema: Schema) -> dict[str, pl.DataType]:
    """The columns of a table of this schema, in schema order."""
    return {field.name: DTYPES[field.type] for field in schema.fields}


def id_column(schema: Schema) -> str:
    """The column that identifies the records of an Items, Users or Actions schema: what the schema's name
    says, so that users may have a column ITEM_ID of their own.

    Raises:
        KeyError: the schema has none, or several as an interactions schema does.
    """
    named = ID_FIELDS.get(dataset_type_named(schema.name) or "")
    if named is not None and schema.field(named) is not None:
        return named
    names = [name for name in ID_FIELDS.values() if schema.field(name) is not None]
    if len(names) != 1:
        raise KeyError(f"a schema of records has one id column, this one has {names}")
    return names[0]


def records_frame(records: Sequence[Mapping[str, Any]], schema: Schema) -> pl.DataFrame:
    """Records as a frame with the schema's columns; a field that a record lacks is null."""
    return pl.DataFrame(
        {
            field.name: pl.Series(
                field.name,
                [_kept(field, record.get(field.name)) for record in records],
                dtype=DTYPES[field.type],
            )
            for field in schema.fields
        }
    )


def _kept(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.type == "string":
        return value if isinstance(value, str) else str(value)
    if field.type in ("int", "long"):
        return int(value)
    return bool(value) if field.type == "boolean" else float(value)
