"""Snapshots: the immutable bulk layer of a dataset, one folder on the object store per import.

A snapshot holds ``manifest.json``, Parquet parts, and for Interactions the index ``histories/``. The
manifest names the parts in order, each with its generation: 0 for the FULL import that began the layer, one
more for each INCREMENTAL import since. Interactions of all generations count. Of records with an id (Items,
Users, Actions), rows of an older generation whose id occurs in a newer one are replaced; the `bulk` rows are
what is left, among them all rows of one id within one generation, and `scan` gives the last of them per id.

Each row of a record also says in the column ``#ARRIVAL`` (a name no schema can hold) at which place of the
live log it was written: the one that the log had reached when the row's import job was created. Streamed
records carry the same column, so the newer of two is known for every single row, whatever was imported
since. The column repeats one number over a whole import and takes no room to speak of.

Every snapshot is complete in itself: an INCREMENTAL import takes the parts of its predecessor into its own
folder by hard link (a copy where the file system has no links). A link costs nothing, so appending a hundred
rows to a hundred million writes a hundred rows, and any snapshot may be removed at any time without looking
at the others: the file system frees a part with its last link. Parts never change after they were written,
so sharing is safe.

After `COMPACT_AFTER` generations the parts are written anew as one generation, so that reading stays fast.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from .histories import InteractionHistories, build_histories
from .schemas import ID_FIELDS, Schema, parse_schema
from .tables import DTYPES, table_types

FORMAT = 1
COMPACT_AFTER = 32
"""Generations after which an INCREMENTAL import rewrites the parts of a dataset of records."""

PART_ROWS = 1_000_000
PART_BYTES = 128 * 1024 * 1024
"""A part is written when it has so many rows, or so many bytes in memory."""

ARRIVAL = "#ARRIVAL"
"""Column of a record's place in the live log, int64; in frames of the live log it is the same."""

_GENERATION = "#GENERATION"


class Published(Protocol):
    """What a reader of snapshots needs of the object store."""

    def fetch(self, key: str) -> Path:
        """The local folder of a published key."""
        ...


@dataclass(frozen=True)
class Part:
    """One Parquet file of a snapshot."""

    file: str
    rows: int
    generation: int


class Snapshot:
    """A published snapshot, opened for reading. Immutable; cheap to open."""

    def __init__(self, folder: Path) -> None:
        """Open the snapshot in `folder`."""
        self.folder = folder
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.dataset_type: str = manifest["dataset_type"]
        self.schema_text: str = manifest["schema"]
        self.rows: int = manifest["rows"]
        self.appended: int = manifest["appended"]
        self.parts = tuple(Part(**part) for part in manifest["parts"])

    @classmethod
    def open(cls, objects: Published, key: str) -> Snapshot:
        """Open the snapshot published under `key`."""
        return cls(objects.fetch(key))

    @property
    def schema(self) -> Schema:
        """The schema that the data was imported with."""
        return parse_schema(self.schema_text)

    def scan(self, schema: Schema | None = None) -> pl.LazyFrame:
        """The effective rows in order of arrival: all interactions, or the last record per id.

        Args:
            schema: read under this schema, a later one of the dataset; columns it added are null.
        """
        rows = self._all()
        if self._of_records:
            rows = self._last(rows)
        return rows.select(_under(schema or self.schema, self.schema))

    def records(self, schema: Schema | None = None) -> pl.LazyFrame:
        """`scan` of a dataset of records, with the column ``#ARRIVAL``."""
        return self._last(self._all()).select(*_under(schema or self.schema, self.schema), ARRIVAL)

    def bulk(self, schema: Schema | None = None) -> pl.LazyFrame:
        """All rows of the bulk layer in order of arrival, also several with one id within one import."""
        return self._left().select(_under(schema or self.schema, self.schema))

    def stored(self, schema: Schema) -> pl.LazyFrame:
        """`bulk` as a part holds it: of records with the column ``#ARRIVAL``."""
        beside = [ARRIVAL] if self._of_records else []
        return self._left().select(*_under(schema, self.schema), *beside)

    def histories(self) -> InteractionHistories:
        """The index by user of an Interactions snapshot."""
        return InteractionHistories.open(self.folder / "histories")

    @property
    def _of_records(self) -> bool:
        return self.dataset_type in ID_FIELDS

    def _last(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.unique(ID_FIELDS[self.dataset_type], keep="last", maintain_order=True)

    def _left(self) -> pl.LazyFrame:
        """The rows that no newer generation replaces."""
        rows = self._all()
        if not self._of_records or len({part.generation for part in self.parts}) < 2:
            return rows
        newest = pl.col(_GENERATION).max().over(ID_FIELDS[self.dataset_type])
        return rows.filter(pl.col(_GENERATION) == newest)

    def _all(self) -> pl.LazyFrame:
        frames = [
            pl.scan_parquet(self.folder / part.file).with_columns(
                pl.lit(part.generation, dtype=pl.Int32).alias(_GENERATION)
            )
            for part in self.parts
        ]
        if not frames:
            beside = {ARRIVAL: pl.Int64(), _GENERATION: pl.Int32()}
            return pl.LazyFrame(schema={**table_types(self.schema), **beside})
        return pl.concat(frames)


def _under(wanted: Schema, stored: Schema) -> list[pl.Expr]:
    """The columns of `wanted`, null where `stored` lacks them."""
    return [
        pl.col(field.name)
        if stored.field(field.name) is not None
        else pl.lit(None, dtype=DTYPES[field.type]).alias(field.name)
        for field in wanted.fields
    ]


class SnapshotWriter:
    """Writes one snapshot into a staged folder: rows as they come, then `finish`.

    Not for several threads. Memory: the rows of one part; for Interactions 16 bytes a row of all parts while
    equal rows are looked for, and what the index takes.
    """

    def __init__(
        self,
        folder: Path,
        dataset_type: str,
        schema_text: str,
        previous: Snapshot | None = None,
        *,
        position: int,
    ) -> None:
        """Begin in the empty `folder`; with `previous` (INCREMENTAL) its parts come first.

        Args:
            folder: on the file system of `previous`, or its parts are copied.
            dataset_type: upper case.
            schema_text: the schema of the rows to come; rows of `previous` are brought under it.
            previous: the dataset's bulk layer so far.
            position: the place in the live log that the rows to come count as written at.
        """
        self.folder = folder
        self.dataset_type = dataset_type
        self.schema_text = schema_text
        self.schema = parse_schema(schema_text)
        self.appended = 0
        self._position = position
        self._kept = list(self._taken(previous)) if previous is not None else []
        self._generation = 1 + max((part.generation for part in self._kept), default=-1)
        self._new: list[Part] = []
        self._waiting: list[pl.DataFrame] = []

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows (the schema's columns) at the end."""
        self.appended += frame.height
        self._waiting.append(frame.select(self.schema.names))
        if (
            sum(f.height for f in self._waiting) >= PART_ROWS
            or sum(f.estimated_size() for f in self._waiting) >= PART_BYTES
        ):
            self._write_part()

    def finish(self) -> int:
        """Write the index and the manifest; the folder is then ready to be published.

        Returns:
            The number of bulk rows of the whole snapshot.
        """
        self._write_part()
        if self.dataset_type in ID_FIELDS:
            return self._write_manifest(self._bulk_rows())
        self._drop_equal_rows()
        if self.dataset_type == "INTERACTIONS":
            files = [self.folder / part.file for part in (*self._kept, *self._new)]
            build_histories(files, self.folder / "histories", self.schema.names)
        return self._write_manifest(sum(part.rows for part in (*self._kept, *self._new)))

    def _taken(self, previous: Snapshot) -> Iterator[Part]:
        """The parts of `previous`, linked into this folder, or written anew as one generation."""
        generations = {part.generation for part in previous.parts}
        records = self.dataset_type in ID_FIELDS
        changed = list(table_types(previous.schema).items()) != list(table_types(self.schema).items())
        if changed or (records and len(generations) >= COMPACT_AFTER):
            previous.stored(self.schema).sink_parquet(self.folder / _file(0))
            rows = pl.scan_parquet(self.folder / _file(0)).select(pl.len()).collect().item()
            yield Part(_file(0), rows, 0)
            return
        for number, part in enumerate(previous.parts):
            _link(previous.folder / part.file, self.folder / _file(number))
            yield Part(_file(number), part.rows, part.generation)

    def _write_part(self) -> None:
        rows = sum(frame.height for frame in self._waiting)
        if rows:
            file = _file(len(self._kept) + len(self._new))
            frame = pl.concat(self._waiting)
            if self.dataset_type in ID_FIELDS:
                frame = frame.with_columns(pl.lit(self._position, dtype=pl.Int64).alias(ARRIVAL))
            frame.write_parquet(self.folder / file, compression_level=1)
            self._new.append(Part(file, rows, self._generation))
        self._waiting = []

    def _drop_equal_rows(self) -> None:
        """Store new interactions that equal an earlier one in all fields once.

        Rows whose 64-bit hash occurs more than once are few, save where rows really are equal; only those are
        compared, in as many passes as keep the rows of one pass in memory.
        """
        parts = (*self._kept, *self._new)
        hashes = [pl.read_parquet(self.folder / part.file).hash_rows().to_numpy() for part in parts]
        ordered = np.sort(np.concatenate(hashes)) if hashes else np.empty(0, dtype=np.uint64)
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        if not len(repeated):
            return
        suspects = [np.flatnonzero(np.isin(h, repeated)) for h in hashes]
        passes = 1 + sum(map(len, suspects)) // PART_ROWS
        drop = [np.zeros(part.rows, dtype=np.bool_) for part in parts]
        for turn in range(passes):
            chosen = [s[h[s] % passes == turn] for s, h in zip(suspects, hashes, strict=True)]
            frames = [
                pl.read_parquet(self.folder / part.file)[rows]
                for part, rows in zip(parts, chosen, strict=True)
            ]
            again = _again(frames)
            start = 0
            for marks, rows in zip(drop, chosen, strict=True):
                marks[rows] = again[start : start + len(rows)]
                start += len(rows)
        for number, part in enumerate(self._new, start=len(self._kept)):
            if drop[number].any():
                path = self.folder / part.file
                left = pl.read_parquet(path).filter(~pl.Series(drop[number]))
                left.write_parquet(path, compression_level=1)
                self._new[number - len(self._kept)] = Part(part.file, left.height, part.generation)

    def _bulk_rows(self) -> int:
        self._write_manifest(0)
        return int(Snapshot(self.folder).bulk().select(pl.len()).collect(engine="streaming").item())

    def _write_manifest(self, rows: int) -> int:
        manifest = {
            "format": FORMAT,
            "dataset_type": self.dataset_type,
            "schema": self.schema_text,
            "rows": rows,
            "appended": self.appended,
            "parts": [asdict(part) for part in (*self._kept, *self._new)],
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
        return rows


def _file(number: int) -> str:
    return f"part-{number:05d}.parquet"


def _again(frames: list[pl.DataFrame]) -> npt.NDArray[np.bool_]:
    """Whether each row of `frames` together equals an earlier one."""
    rows = pl.concat(frames)
    return ~rows.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
