"""Snapshots: the immutable bulk layer of a dataset, on the object store: `Snapshot`.

A snapshot holds ``manifest.json`` and, of interactions with items or actions, the index ``histories/``. Its
rows are Parquet parts, which lie in folders of their own, one for each import (`parts_key`). The manifest
names the parts in order, each by key and file with its generation: 0 for the FULL import that began the
layer, one more for each INCREMENTAL import since. Interactions of all generations count. Of records with an
id (Items, Users, Actions), rows of an older generation whose id occurs in a newer one are replaced; the
`bulk` rows are what is left, among them all rows of one id within one generation, and `scan` gives the last
of them per id.

Each row of a record also says in the column ``#ARRIVAL`` (a name no schema can hold) at which place of the
live log it was written: the one that the log had reached when the row's import job was created. Streamed
records carry the same column, so the newer of two is known for every single row, whatever was imported
since. The column repeats one number over a whole import and takes no room to speak of.

An INCREMENTAL import names the parts of its predecessor beside its own, so appending a hundred rows to a
hundred million writes a hundred rows, on any object store. Parts never change after they were written, so
sharing is safe; they go when no snapshot names them any more (`workflows.retention`). The parts are published
first and the manifest last: whoever sees a snapshot has all of it. (Releases before 0.2.0 kept parts in the
snapshot's own folder; such ones are read, and an import upon one takes them over by hard link or copy.)

After some generations (`snapshot_writer`) the parts are written anew as one, so that reading stays fast.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import polars as pl

from .histories import EVENT_OBJECTS, InteractionHistories, build_histories
from .schemas import ID_FIELDS, Schema, parse_schema
from .tables import DTYPES, table_types

FORMAT = 2
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
    """One Parquet file of a snapshot, in the folder under `key` (None: in the snapshot's own, format 1).

    `latest`: seconds, what rows of a later TIMESTAMP count as: they claimed the future when they were
    imported. None: there are none.
    """

    file: str
    rows: int
    generation: int
    key: str | None = None
    latest: int | None = None

    @property
    def counted_time(self) -> pl.Expr:
        """The second that an interaction counts as."""
        time = pl.col("TIMESTAMP")
        return time if self.latest is None else time.clip(upper_bound=self.latest)


class Snapshot:
    """A published snapshot, opened for reading. Immutable; cheap to open."""

    def __init__(self, folder: Path, objects: Published) -> None:
        """Open the snapshot in `folder`, whose parts are in `objects`."""
        self.folder = folder
        self._objects = objects
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.dataset_type: str = manifest["dataset_type"]
        self.schema_text: str = manifest["schema"]
        self.rows: int = manifest["rows"]
        self.appended: int = manifest["appended"]
        self.late: int = manifest.get("late", 0)
        self.parts = tuple(Part(**part) for part in manifest["parts"])

    @classmethod
    def open(cls, objects: Published, key: str) -> Snapshot:
        """Open the snapshot published under `key`."""
        return cls(objects.fetch(key), objects)

    @property
    def part_keys(self) -> frozenset[str]:
        """The keys of the folders that its parts are in."""
        return frozenset(part.key for part in self.parts if part.key is not None)

    def path(self, part: Part) -> Path:
        """Where one of its parts is."""
        return (self.folder if part.key is None else self._objects.fetch(part.key)) / part.file

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

    def counted(self, schema: Schema | None = None) -> pl.LazyFrame:
        """`scan` of interactions as they count: those that claimed to be later than their import as of the
        newest of it that did not."""
        if not self.parts:
            return self.scan(schema)
        frames = [
            pl.scan_parquet(self.path(part)).with_columns(part.counted_time.alias("TIMESTAMP"))
            for part in self.parts
        ]
        return pl.concat(frames).select(_under(schema or self.schema, self.schema))

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

    def newest(self, columns: Sequence[str], nullable: Sequence[str] = ()) -> Iterator[pl.DataFrame]:
        """The rows that the last import appended, part by part: `columns`, and `nullable` ones, null where
        the schema lacks them."""
        last = max((part.generation for part in self.parts), default=0)
        there = [name for name in nullable if self.schema.field(name) is not None]
        absent = [pl.lit(None, dtype=pl.String).alias(name) for name in nullable if name not in there]
        for part in self.parts:
            if part.generation == last:
                yield pl.read_parquet(self.path(part), columns=[*columns, *there]).with_columns(absent)

    def histories(self) -> InteractionHistories:
        """The index by user of a snapshot of interactions or action interactions."""
        folder = self.folder / "histories"
        if folder.is_dir():
            return InteractionHistories.open(folder)
        with TemporaryDirectory() as made:  # of action interactions older releases made none
            folder = Path(made) / "histories"
            item = EVENT_OBJECTS[self.dataset_type]
            build_histories(
                [self.path(one) for one in self.parts],
                folder,
                self.schema.names,
                item=item,
                times=[one.counted_time for one in self.parts],
            )
            return InteractionHistories.open(folder)  # mapped files stay as long as somebody has them

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
            pl.scan_parquet(self.path(part)).with_columns(
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
