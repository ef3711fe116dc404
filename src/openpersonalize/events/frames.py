"""Entries of the live log as columns: whole chunks at once, as stored and in the types of a schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from ..datasets.schemas import Field, Schema, dataset_type_named
from ..datasets.tables import DTYPES, id_column

MEMBERS = frozenset(
    {
        "USER_ID",
        "ITEM_ID",
        "TIMESTAMP",
        "EVENT_TYPE",
        "EVENT_VALUE",
        "RECOMMENDATION_ID",
        "IMPRESSION",
        "EVENT_ATTRIBUTION_SOURCE",
    }
)
"""Interactions columns that are filled by a member of the event itself, never by a property."""

ACTION_MEMBERS = frozenset(
    {"USER_ID", "ACTION_ID", "TIMESTAMP", "EVENT_TYPE", "RECOMMENDATION_ID", "IMPRESSION"}
)
"""The same of an Action_Interactions schema."""

STORED_EVENT: dict[str, pl.DataType] = {
    "#ARRIVAL": pl.Int64(),
    "USER_ID": pl.String(),
    "#ANONYMOUS": pl.Boolean(),
    "#SESSION": pl.String(),
    "ITEM_ID": pl.String(),
    "TIMESTAMP": pl.Int64(),
    "EVENT_TYPE": pl.String(),
    "EVENT_VALUE": pl.Float64(),
    "#EVENT_ID": pl.String(),
    "RECOMMENDATION_ID": pl.String(),
    "IMPRESSION": pl.String(),
    "EVENT_ATTRIBUTION_SOURCE": pl.String(),
    "#PROPERTIES": pl.String(),
    "#WRITTEN": pl.Float64(),
    "#MARK": pl.Int8(),
}
"""An event as it is stored, whatever the schema: USER_ID holds the session of an anonymous one, ITEM_ID the
action of an action interaction, #PROPERTIES the JSON text of the schema's other columns, #MARK see
`entries`."""

_STORED_RECORD: dict[str, pl.DataType] = {
    "#ARRIVAL": pl.Int64(),
    "#ID": pl.String(),
    "#PROPERTIES": pl.String(),
    "#WRITTEN": pl.Float64(),
}

EVENT_BESIDE: dict[str, pl.DataType] = {
    "#ARRIVAL": pl.Int64(),
    "#SESSION": pl.String(),
    "#ANONYMOUS": pl.Boolean(),
    "#DUPLICATE": pl.Boolean(),
    "#WRITTEN": pl.Float64(),
}
"""What stands beside the columns of an Interactions schema (see `LiveLog.interactions`)."""


COUNTED_TIME = pl.min_horizontal(pl.col("TIMESTAMP"), pl.col("#WRITTEN").floor().cast(pl.Int64)).alias(
    "TIMESTAMP"
)
"""The second that a streamed event counts as: its TIMESTAMP, which stays as it was sent, but none later than
it came. A client whose clock is ahead would outrank everybody else for as long."""


def stored_events(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    """Event rows, tuples in the order of `STORED_EVENT`, as a frame."""
    return _columns(rows, STORED_EVENT)


def event_members(schema: Schema) -> frozenset[str]:
    """The columns of a schema of events that members of an event fill, see `MEMBERS`."""
    return ACTION_MEMBERS if _of_actions(schema) else MEMBERS


def event_columns(schema: Schema) -> dict[str, pl.DataType]:
    """The columns of `LiveLog.interactions` under a schema, in order."""
    return {**{field.name: DTYPES[field.type] for field in schema.fields}, **EVENT_BESIDE}


def stored_columns(schema: Schema, columns: Sequence[str]) -> list[str]:
    """What must be read of stored events to make `columns` of them (see `events_under`)."""
    needed = {
        "#PROPERTIES" if _is_property(schema, name) else "#MARK" if name == "#DUPLICATE" else _stored(name)
        for name in columns
    }
    return [name for name in STORED_EVENT if name in needed]


def events_under(stored: pl.DataFrame, schema: Schema, columns: Sequence[str]) -> pl.DataFrame:
    """Stored events as a frame of `columns`, some of `event_columns`, in that order.

    Args:
        stored: has the `stored_columns` at least.
        schema: of the dataset.
        columns: which to give.
    """
    fields = {field.name: field for field in schema.fields}
    properties = [fields[name] for name in columns if _is_property(schema, name)]
    made = [
        _property(fields[name])
        if _is_property(schema, name)
        else (pl.col("#MARK") == 1).alias(name)
        if name == "#DUPLICATE"
        else pl.col(_stored(name)).cast(DTYPES[fields[name].type]).alias(name)
        if name in fields
        else pl.col(name)
        for name in columns
    ]
    return _decoded(stored, properties).select(made)


def of_size(frames: Iterable[pl.DataFrame], size: int, none: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of `frames`, in frames of `size` rows but for the last; `none` when there are no rows."""
    waiting = none
    some = False
    for frame in frames:
        waiting = pl.concat([waiting, frame]) if len(waiting) else frame
        while len(waiting) >= size:
            yield waiting[:size]
            some = True
            waiting = waiting[size:]
    if len(waiting) or not some:
        yield waiting if len(waiting) else none


def records_to_frame(rows: Sequence[tuple[Any, ...]], schema: Schema) -> pl.DataFrame:
    """Record rows, tuples (position, id, properties, time of writing), as a frame: the schema's columns,
    ``#ARRIVAL`` and ``#WRITTEN``."""
    frame = _columns(rows, _STORED_RECORD)
    key = id_column(schema)
    own = [
        pl.col("#ID").cast(DTYPES[f.type]).alias(f.name) if f.name == key else _property(f)
        for f in schema.fields
    ]
    properties = [f for f in schema.fields if f.name != key]
    return _decoded(frame, properties).select(*own, "#ARRIVAL", "#WRITTEN")


def _of_actions(schema: Schema) -> bool:
    return dataset_type_named(schema.name) == "ACTION_INTERACTIONS"


def _stored(name: str) -> str:
    """Where a member's column is stored."""
    return "ITEM_ID" if name == "ACTION_ID" else name


def _is_property(schema: Schema, name: str) -> bool:
    return name not in event_members(schema) and schema.field(name) is not None


def _columns(rows: Sequence[tuple[Any, ...]], types: dict[str, pl.DataType]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    return pl.DataFrame(
        [_series(name, column, dtype) for (name, dtype), column in zip(types.items(), columns, strict=True)]
    )


def _series(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    if dtype == pl.Boolean:  # SQLite's are 0 and 1
        return pl.Series(name, values, dtype=pl.Int8) == 1
    return pl.Series(name, values, dtype=dtype)


def _decoded(frame: pl.DataFrame, fields: list[Field]) -> pl.DataFrame:
    """With the JSON text of ``#PROPERTIES`` turned into a struct of `fields`; other keys are left out."""
    if not fields:
        return frame
    shape = pl.Struct({field.name: DTYPES[field.type] for field in fields})
    return frame.with_columns(pl.col("#PROPERTIES").str.json_decode(shape))


def _property(field: Field) -> pl.Expr:
    return pl.col("#PROPERTIES").struct.field(field.name)
