"""Erasure of users from snapshots, the bulk layer of a dataset: `erase_from_snapshot`."""

from __future__ import annotations

import polars as pl

from ..storage.objects import ObjectStore
from .snapshot_writer import SnapshotWriter, rows_of
from .snapshots import Snapshot


def erase_from_snapshot(objects: ObjectStore, previous: str, key: str, users: pl.Series) -> int:
    """Publish a snapshot like another without the rows of some users; how many bulk rows those are.

    Where there are none, nothing is published. Only folders of parts that hold such rows are written anew,
    and of Interactions the index by user. Done again after a crash it finds its own work and keeps it.
    Memory: the ids, and for Interactions about 45 bytes a row of the whole dataset while the index is made.

    Args:
        objects: the object store.
        previous: key of the snapshot; its dataset has a USER_ID.
        key: under which the new one is published.
        users: ids.
    """
    snapshot = Snapshot.open(objects, previous)
    removed = len(rows_of(snapshot.bulk(), users))
    stored = removed or any(
        len(rows_of(pl.scan_parquet(snapshot.path(one)), users)) for one in snapshot.parts
    )
    if stored and not objects.exists(key):
        writer = SnapshotWriter(
            objects, key, snapshot.dataset_type, snapshot.schema_text, snapshot, position=0, without=users
        )
        try:
            writer.finish()
            writer.publish()
        except BaseException:
            writer.abandon()
            raise
    return removed
