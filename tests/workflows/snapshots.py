"""Snapshots as tests of workflows need them: real ones, of one item."""

from __future__ import annotations

import polars as pl

import shop
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.snapshot_writer import SnapshotWriter
from openpersonalize.datasets.tables import table_types
from openpersonalize.storage.objects import ObjectStore


def publish_snapshot(objects: ObjectStore, key: str) -> str:
    """Publish a snapshot under `key`; the key."""
    text = shop.SCHEMAS["Items"]
    types = table_types(parse_schema(text))
    writer = SnapshotWriter(objects, key, "ITEMS", text, position=0)
    writer.append(pl.DataFrame({name: pl.Series(name, [None], dtype=kind) for name, kind in types.items()}))
    writer.finish()
    writer.publish()
    return key
