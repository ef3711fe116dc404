"""Bulk layers as tests need them: one import after the other, without files and jobs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.snapshots import Snapshot, SnapshotWriter
from openpersonalize.datasets.tables import table_types


def imported(
    folder: Path,
    kind: str,
    schema_text: str,
    *frames: pl.DataFrame | list[tuple],
    previous: Snapshot | None = None,
    position: int = 0,
) -> Snapshot:
    """The snapshot that an import of `frames` makes in the new `folder`; INCREMENTAL with `previous`."""
    folder.mkdir()
    types = table_types(parse_schema(schema_text))
    writer = SnapshotWriter(folder, kind, schema_text, previous, position=position)
    for rows in frames:
        writer.append(
            rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, schema=types, orient="row")
        )
    assert writer.finish() == Snapshot(folder).rows
    return Snapshot(folder)
