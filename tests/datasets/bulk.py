"""Bulk layers as tests need them: one import after the other, without files and jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.snapshot_writer import SnapshotWriter
from openpersonalize.datasets.snapshots import Snapshot
from openpersonalize.datasets.tables import table_types
from openpersonalize.storage.objects import LocalObjects


def imported(
    folder: Path,
    kind: str,
    schema_text: str,
    *frames: pl.DataFrame | list[tuple],
    previous: Snapshot | None = None,
    position: int = 0,
    **sizes: Any,
) -> Snapshot:
    """The snapshot that an import of `frames` makes under the new key ``snapshots/<folder's name>`` of the
    store beside `folder`; INCREMENTAL with `previous`. `sizes`: see `SnapshotWriter`."""
    objects, key = LocalObjects(folder.parent), f"snapshots/{folder.name}"
    assert not objects.exists(key)
    types = table_types(parse_schema(schema_text))
    writer = SnapshotWriter(objects, key, kind, schema_text, previous, position=position, **sizes)
    for rows in frames:
        writer.append(
            rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, schema=types, orient="row")
        )
    rows_of_all = writer.finish()
    writer.publish()
    assert rows_of_all == Snapshot.open(objects, key).rows
    return Snapshot.open(objects, key)
