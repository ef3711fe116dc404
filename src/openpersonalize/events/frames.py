"""Rows of the live log as columns: whole chunks at once, in the types of a schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from ..datasets.schemas import Field, Schema
from ..datasets.tables import DTYPES, id_column

MEMBERS = {
    "USER_ID": "subject",
    "ITEM_ID": "item",
    "TIMESTAMP": "time",
    "EVENT_TYPE": "type",
    "EVENT_VALUE": "value",
    "RECOMMENDATION_ID": "recommendation_id",
    "IMPRESSION": "impression",
    "EVENT_ATTRIBUTION_SOURCE": "source",
}
"""Interactions columns that are filled by a member of the event itself, never by a property."""

_EVENT_ROW: dict[str, pl.DataType] = {
    "position": pl.Int64(),
    "subject": pl.String(),
    "anonymous": pl.Int64(),
    "session": pl.String(),
    "item": pl.String(),
    "time": pl.Int64(),
    "type": pl.String(),
    "value": pl.Float64(),
    "recommendation_id": pl.String(),
    "impression": pl.String(),
    "source": pl.String(),
    "properties": pl.String(),
    "written": pl.Float64(),
    "mark": pl.Int64(),
}
_RECORD_ROW: dict[str, pl.DataType] = {
    "position": pl.Int64(),
    "id": pl.String(),
    "properties": pl.String(),
    "written": pl.Float64(),
}


def events_to_frame(rows: Sequence[tuple[Any, ...]], schema: Schema) -> pl.DataFrame:
    """Event rows as a frame: the schema's columns, then what stands beside (see `LiveLog.interactions`).

    Args:
        rows: tuples in the order of `_EVENT_ROW`.
        schema: of the Interactions dataset.
    """
    frame = _columns(rows, _EVENT_ROW)
    own = [_cast(MEMBERS[f.name], f) if f.name in MEMBERS else _property(f) for f in schema.fields]
    beside = [
        pl.col("position").alias("#ARRIVAL"),
        pl.col("session").alias("#SESSION"),
        (pl.col("anonymous") == 1).alias("#ANONYMOUS"),
        (pl.col("mark") == 1).alias("#DUPLICATE"),
        pl.col("written").alias("#WRITTEN"),
    ]
    properties = [f for f in schema.fields if f.name not in MEMBERS]
    return _decoded(frame, properties).select(*own, *beside)


def records_to_frame(rows: Sequence[tuple[Any, ...]], schema: Schema) -> pl.DataFrame:
    """Record rows, tuples in the order of `_RECORD_ROW`, as a frame: the schema's columns, position, time."""
    frame = _columns(rows, _RECORD_ROW)
    key = id_column(schema)
    own = [_cast("id", f) if f.name == key else _property(f) for f in schema.fields]
    beside = [pl.col("position").alias("#ARRIVAL"), pl.col("written").alias("#WRITTEN")]
    properties = [f for f in schema.fields if f.name != key]
    return _decoded(frame, properties).select(*own, *beside)


def _columns(rows: Sequence[tuple[Any, ...]], types: dict[str, pl.DataType]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return pl.DataFrame(
        [
            pl.Series(name, column, dtype=dtype)
            for (name, dtype), column in zip(types.items(), columns, strict=True)
        ]
    )


def _decoded(frame: pl.DataFrame, fields: list[Field]) -> pl.DataFrame:
    """With the JSON text of ``properties`` turned into a struct of `fields`; other keys are left out."""
    if not fields:
        return frame
    shape = pl.Struct({field.name: DTYPES[field.type] for field in fields})
    return frame.with_columns(pl.col("properties").str.json_decode(shape))


def _cast(name: str, field: Field) -> pl.Expr:
    return pl.col(name).cast(DTYPES[field.type]).alias(field.name)


def _property(field: Field) -> pl.Expr:
    return pl.col("properties").struct.field(field.name)
