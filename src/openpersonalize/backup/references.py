"""References from databases to the object store: which published folders a data folder cannot do without
(`required_objects`)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..datasets.snapshots import Snapshot
from ..resources.internals import (
    DataDeletionInternal,
    DataJobInternal,
    DatasetInternal,
    Internal,
    RecommenderInternal,
    VersionInternal,
)
from ..resources.lifecycle import AT_WORK
from ..storage.keys import erasure_key

Record = TypeVar("Record", bound=Internal)

_READERS = ("batch-inference-job", "batch-segment-job", "dataset-export-job")


def required_objects(metadata: sqlite3.Connection, events: sqlite3.Connection | None) -> set[str]:
    """Keys that the databases refer to: snapshots of datasets and of work under way, models that are not
    retired, segments in force, and the users whom a deletion under way has still to take out of the log.
    Parts are named by their snapshots, see `parts_of`.

    What is about to be deleted need not be there any more; who deletes it passes over what is gone.
    """
    found = set(_of_resources(metadata)) | set(_of_deletions(metadata))
    if events is not None and _has(events, "segment"):
        found |= {key for (key,) in events.execute("SELECT key FROM segment")}
    return found


def parts_of(root: Path, key: str) -> frozenset[str]:
    """Keys of the parts that a snapshot in the data folder `root` names.

    Raises:
        OSError, ValueError, KeyError, TypeError: its manifest cannot be read.
    """
    return Snapshot(root / key, _Folder(root)).part_keys


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def fetch(self, key: str) -> Path:
        return self._root / key


def _of_resources(metadata: sqlite3.Connection) -> Iterator[str]:
    rows = metadata.execute("SELECT arn, kind, status, parent_arn, group_arn, internal FROM resources")
    found = rows.fetchall()
    leaving = {arn for arn, _, status, *_ in found if (status or "").startswith("DELETE")}
    for arn, kind, status, parent, group, internal in found:
        if not leaving.isdisjoint((arn, parent, group)):
            continue
        record: dict[str, Any] = json.loads(internal or "{}")
        at_work = status in AT_WORK
        if kind == "dataset":
            yield from _keys(_read(DatasetInternal, record).snapshot)
        elif kind == "solution-version":
            version = _read(VersionInternal, record)
            if at_work:
                yield from _keys(version.base_artifact, *(version.snapshots or {}).values())
            elif status == "ACTIVE" and not version.retired:
                yield from _keys(version.artifact)
        elif kind == "recommender":
            recommender = _read(RecommenderInternal, record)
            yield from _keys(recommender.artifact)
            if recommender.training is not None:
                yield from _keys(*recommender.training.snapshots.values())
        elif kind in _READERS and at_work:
            yield from _keys(*(_read(DataJobInternal, record).snapshots or {}).values())


def _of_deletions(metadata: sqlite3.Connection) -> Iterator[str]:
    """Of data deletions in force whose users the log may still hold."""
    query = (
        "SELECT j.payload, r.internal FROM jobs AS j JOIN resources AS r ON r.arn = j.resource_arn"
        " WHERE r.kind = 'data-deletion-job' AND j.state IN ('queued', 'running')"
    )
    for payload, internal in metadata.execute(query):
        if _read(DataDeletionInternal, json.loads(internal or "{}")).switched:
            yield erasure_key(json.loads(payload)["erasure"])


def _read(kind: type[Record], record: dict[str, Any]) -> Record:
    return msgspec.convert(record, kind)


def _keys(*keys: str | None) -> Iterator[str]:
    return (key for key in keys if key is not None)


def _has(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,))
    return found.fetchone() is not None
