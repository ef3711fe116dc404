"""Writing a snapshot, the bulk layer of a dataset: `SnapshotWriter`."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.keys import parts_key
from ..storage.objects import ObjectStore
from .histories import EVENT_OBJECTS, build_histories
from .schemas import ID_FIELDS, parse_schema
from .snapshots import ARRIVAL, FORMAT, Part, Published, Snapshot
from .tables import table_types

COMPACT_AFTER = 32
"""Generations after which an INCREMENTAL import rewrites the parts of a dataset of records."""

PART_ROWS = 1_000_000
PART_BYTES = 128 * 1024 * 1024
"""A part is written when it has so many rows, or so many bytes in memory."""


class SnapshotWriter:
    """Writes one snapshot: rows as they come, then `finish` and `publish`, or `abandon`.

    Not for several threads. Memory: the rows of one part; for Interactions 16 bytes a row of all parts while
    equal rows are looked for, and what the index takes.
    """

    def __init__(
        self,
        objects: ObjectStore,
        key: str,
        dataset_type: str,
        schema_text: str,
        previous: Snapshot | None = None,
        *,
        position: int,
        moment: int | None = None,
        part_rows: int = PART_ROWS,
        compact_after: int = COMPACT_AFTER,
        without: pl.Series | None = None,
    ) -> None:
        """Begin in staged folders; with `previous` (INCREMENTAL) its parts come first.

        Args:
            objects: where the snapshot goes. key: under which one.
            dataset_type: upper case.
            schema_text: the schema of the rows to come; rows of `previous` are brought under it.
            previous: the dataset's bulk layer so far.
            position: the place in the live log that the rows to come count as written at.
            moment: seconds, when the rows to come are imported: interactions that claim to be later count as
                of the newest that do not. None: all are believed.
            part_rows: rows of a part, and of a pass over equal rows.
            compact_after: generations after which parts of records are written anew as one.
            without: users of whom nothing is taken over from `previous`; None: all of it is. Every folder of
                parts that holds something of them is written anew, so that none is left when it goes.
        """
        self._objects = objects
        self._key = key
        self._part_rows = part_rows
        self._compact_after = compact_after
        self.folder = objects.stage()
        self._parts_folder: Path | None = None
        self._files = 0
        self.dataset_type = dataset_type
        self.schema_text = schema_text
        self.schema = parse_schema(schema_text)
        self.appended = 0
        self.late = 0
        self._position = position
        self._moment = moment if dataset_type in EVENT_OBJECTS else None
        self._newest: int | None = None
        self._without = without
        self._kept = list(self._taken(previous)) if previous is not None else []
        self._generation = 1 + max((one.part.generation for one in self._kept), default=-1)
        self._new: list[_Placed] = []
        self._waiting: list[pl.DataFrame] = []

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows (the schema's columns) at the end."""
        self.appended += frame.height
        if self._moment is not None:
            self._look(frame["TIMESTAMP"], self._moment)
        self._waiting.append(frame.select(self.schema.names))
        if (
            sum(f.height for f in self._waiting) >= self._part_rows
            or sum(f.estimated_size() for f in self._waiting) >= PART_BYTES
        ):
            self._write_part()

    def _look(self, times: pl.Series, moment: int) -> None:
        """See who claims the future, and who is the newest of the others."""
        others = times.filter(times <= moment)
        self.late += len(times) - len(others)
        newest = others.max()
        if isinstance(newest, int):
            self._newest = newest if self._newest is None else max(self._newest, newest)

    def finish(self) -> int:
        """Write the index and the manifest; the snapshot is then ready to be published.

        Returns:
            The number of bulk rows of the whole snapshot.
        """
        self._write_part()
        if self.dataset_type in ID_FIELDS:
            return self._write_manifest(self._bulk_rows())
        self._drop_equal_rows()
        if self.late:
            latest = self._latest()
            self._new = [_Placed(path, replace(part, latest=latest)) for path, part in self._new]
        placed = (*self._kept, *self._new)
        build_histories(
            [one.path for one in placed],
            self.folder / "histories",
            self.schema.names,
            item=EVENT_OBJECTS[self.dataset_type],
            times=[one.part.counted_time for one in placed],
        )
        return self._write_manifest(sum(one.part.rows for one in (*self._kept, *self._new)))

    def _latest(self) -> int:
        """What late rows count as: the newest of their import that is believed, or of what was there, or the
        moment of the import."""
        if self._newest is not None:
            return self._newest
        assert self._moment is not None
        found = [
            pl.scan_parquet(one.path)
            .select(one.part.counted_time.clip(upper_bound=self._moment).max())
            .collect()
            .item()
            for one in self._kept
        ]
        return max((one for one in found if one is not None), default=self._moment)

    def publish(self) -> None:
        """Make it the snapshot under its key: the parts first, the manifest last.

        A run that died in between, or runs at the same time, may have published parts of its own. The same
        ones are shared; others, read from files that have changed, are left alone.
        """
        if self._parts_folder is not None:
            key = parts_key(self._key)
            if self._objects.exists(key) and not _same(self._parts_folder, self._objects.fetch(key)):
                key = f"{key}.{uuid.uuid4().hex[:12]}"
                self._rename_parts(key)
            self._objects.publish(self._parts_folder, key)
        self._objects.publish(self.folder, self._key)

    def _rename_parts(self, key: str) -> None:
        """Write the manifest anew, with another key for the parts of this import."""
        path = self.folder / "manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        for part in manifest["parts"]:
            if part["key"] == parts_key(self._key):
                part["key"] = key
        path.write_text(json.dumps(manifest, indent=1), "utf-8")

    def abandon(self) -> None:
        """Drop what was written so far."""
        for folder in (self.folder, self._parts_folder):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _taken(self, previous: Snapshot) -> Iterator[_Placed]:
        """The parts of `previous`; written anew as one generation where they are many, or of an older schema;
        into this import's own folder where they lie in the snapshot's."""
        generations = {part.generation for part in previous.parts}
        records = self.dataset_type in ID_FIELDS
        changed = list(table_types(previous.schema).items()) != list(table_types(self.schema).items())
        if changed or (records and len(generations) >= self._compact_after):
            path = self._new_path()
            self._left(previous.stored(self.schema)).sink_parquet(path)
            latest = max((one.latest for one in previous.parts if one.latest is not None), default=None)
            yield self._placed(path, pl.scan_parquet(path).select(pl.len()).collect().item(), 0, latest)
            return
        changed_parts = [part for part in previous.parts if self._loses_rows(previous.path(part))]
        changed_keys = {part.key for part in changed_parts}
        for part in previous.parts:
            if part.key is not None and part.key not in changed_keys:
                yield _Placed(previous.path(part), part)
                continue
            path = self._new_path()
            rows = part.rows
            if part in changed_parts:
                self._left(pl.scan_parquet(previous.path(part))).sink_parquet(path)
                rows = pl.scan_parquet(path).select(pl.len()).collect().item()
            else:
                _link(previous.path(part), path)
            yield self._placed(path, rows, part.generation, part.latest)

    def _left(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of users that stay."""
        if self._without is None:
            return rows
        gone = self._without.alias("USER_ID").to_frame().lazy()
        return rows.join(gone, on="USER_ID", how="anti", maintain_order="left")

    def _loses_rows(self, path: Path) -> bool:
        """Whether a part holds rows of users that go."""
        return self._without is not None and bool(len(rows_of(pl.scan_parquet(path), self._without)))

    def _new_path(self) -> Path:
        """Where the next part of this import is written."""
        if self._parts_folder is None:
            self._parts_folder = self._objects.stage()
        self._files += 1
        return self._parts_folder / f"part-{self._files - 1:05d}.parquet"

    def _placed(self, path: Path, rows: int, generation: int, latest: int | None = None) -> _Placed:
        return _Placed(path, Part(path.name, rows, generation, parts_key(self._key), latest))

    def _write_part(self) -> None:
        rows = sum(frame.height for frame in self._waiting)
        if rows:
            path = self._new_path()
            frame = pl.concat(self._waiting)
            if self.dataset_type in ID_FIELDS:
                frame = frame.with_columns(pl.lit(self._position, dtype=pl.Int64).alias(ARRIVAL))
            frame.write_parquet(path, compression_level=1)
            self._new.append(self._placed(path, rows, self._generation))
        self._waiting = []

    def _drop_equal_rows(self) -> None:
        """Store new interactions that equal an earlier one in all fields once.

        Rows whose 64-bit hash occurs more than once are few, save where rows really are equal; only those are
        compared, in as many passes as keep the rows of one pass in memory.
        """
        if not self._new:
            return
        parts = (*self._kept, *self._new)
        hashes = [pl.read_parquet(one.path).hash_rows().to_numpy() for one in parts]
        ordered = np.sort(np.concatenate(hashes)) if hashes else np.empty(0, dtype=np.uint64)
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        if not len(repeated):
            return
        suspects = [np.flatnonzero(np.isin(h, repeated)) for h in hashes]
        passes = 1 + sum(map(len, suspects)) // self._part_rows
        drop = [np.zeros(one.part.rows, dtype=np.bool_) for one in parts]
        for turn in range(passes):
            chosen = [s[h[s] % passes == turn] for s, h in zip(suspects, hashes, strict=True)]
            frames = [pl.read_parquet(one.path)[rows] for one, rows in zip(parts, chosen, strict=True)]
            again = _again(frames)
            start = 0
            for marks, rows in zip(drop, chosen, strict=True):
                marks[rows] = again[start : start + len(rows)]
                start += len(rows)
        for number, (path, part) in enumerate(self._new):
            again = drop[len(self._kept) + number]
            if again.any():
                left = pl.read_parquet(path).filter(~pl.Series(again))
                left.write_parquet(path, compression_level=1)
                self._new[number] = _Placed(path, replace(part, rows=left.height))

    def _bulk_rows(self) -> int:
        self._write_manifest(0)
        found = Snapshot(self.folder, _Staged(self._objects, parts_key(self._key), self._parts_folder))
        return int(found.bulk().select(pl.len()).collect(engine="streaming").item())

    def _write_manifest(self, rows: int) -> int:
        manifest = {
            "format": FORMAT,
            "dataset_type": self.dataset_type,
            "schema": self.schema_text,
            "rows": rows,
            "appended": self.appended,
            **({"late": self.late} if self.late else {}),
            "parts": [_written(one.part) for one in (*self._kept, *self._new)],
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
        return rows


class _Placed(NamedTuple):
    """A part and where it is now: published, or staged."""

    path: Path
    part: Part


@dataclass(frozen=True)
class _Staged:
    """The object store as it will be once the parts of an import are published."""

    objects: Published
    key: str
    folder: Path | None

    def fetch(self, key: str) -> Path:
        """The local folder of a key."""
        return self.folder if key == self.key and self.folder is not None else self.objects.fetch(key)


def _written(part: Part) -> dict[str, Any]:
    """A part in a manifest, as releases before `Part.latest` read it where it says nothing."""
    found = asdict(part)
    if part.latest is None:
        del found["latest"]
    return found


def rows_of(rows: pl.LazyFrame, users: pl.Series) -> pl.Series:
    """USER_ID of the rows that belong to some users, read as a stream."""
    theirs = rows.select("USER_ID").join(users.alias("USER_ID").to_frame().lazy(), on="USER_ID", how="semi")
    return theirs.collect(engine="streaming")["USER_ID"]


def _same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    names = sorted(path.name for path in one.iterdir())
    if names != sorted(path.name for path in other.iterdir()):
        return False
    return all(filecmp.cmp(one / name, other / name, shallow=False) for name in names)


def _again(frames: list[pl.DataFrame]) -> npt.NDArray[np.bool_]:
    """Whether each row of `frames` together equals an earlier one."""
    rows = pl.concat(frames)
    return ~rows.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
