"""Snapshots: the immutable bulk layer of a dataset, one folder on the object store per import.

A snapshot holds ``manifest.json``, Parquet parts, and for Interactions the index ``histories/``. The
manifest names the parts in order, each with its generation: 0 for the FULL import that began the layer, one
more for each INCREMENTAL import since. Interactions of all generations count. Of records with an id (Items,
Users, Actions), rows of an older generation whose id occurs in a newer one are replaced; the `bulk` rows are
what is left, among them all rows of one id within one generation, and `scan` gives the last of them per id.

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
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from .histories import InteractionHistories, build_histories
from .schemas import ID_FIELDS, Schema, parse_schema
from .tables import DTYPES, table_types

FORMAT = 1
COMPACT_AFTER = 32
"""Generations after which an INCREMENTAL import rewrites the parts of a dataset of records."""

_GENERATION, _ROW = "_GENERATION", "_ROW"


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
        if self.dataset_type in ID_FIELDS:
            rows = rows.unique(ID_FIELDS[self.dataset_type], keep="last", maintain_order=True)
        return rows.select(_under(schema or self.schema, self.schema))

    def bulk(self, schema: Schema | None = None) -> pl.LazyFrame:
        """All rows of the bulk layer in order of arrival, also several with one id within one import."""
        rows = self._all()
        if len({part.generation for part in self.parts}) > 1 and self.dataset_type in ID_FIELDS:
            newest = pl.col(_GENERATION).max().over(ID_FIELDS[self.dataset_type])
            rows = rows.filter(pl.col(_GENERATION) == newest)
        return rows.select(_under(schema or self.schema, self.schema))

    def histories(self) -> InteractionHistories:
        """The index by user of an Interactions snapshot."""
        return InteractionHistories.open(self.folder / "histories")

    def _all(self) -> pl.LazyFrame:
        frames = [
            pl.scan_parquet(self.folder / part.file).with_columns(
                pl.lit(part.generation, dtype=pl.Int32).alias(_GENERATION)
            )
            for part in self.parts
        ]
        if not frames:
            return pl.LazyFrame(schema={**table_types(self.schema), _GENERATION: pl.Int32()})
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
    """Writes one snapshot into a staged folder: parts as they come, then `finish`.

    Not for several threads. Memory: one part.
    """

    def __init__(
        self, folder: Path, dataset_type: str, schema_text: str, previous: Snapshot | None = None
    ) -> None:
        """Begin in the empty `folder`; with `previous` (INCREMENTAL) its parts come first."""
        self.folder = folder
        self.dataset_type = dataset_type
        self.schema_text = schema_text
        self.schema = parse_schema(schema_text)
        self.rows = 0
        self._kept = list(self._taken(previous)) if previous is not None else []
        self._generation = 1 + max((part.generation for part in self._kept), default=-1)
        self._new: list[Part] = []

    def _taken(self, previous: Snapshot) -> Iterable[Part]:
        """The parts of `previous`, linked into this folder under this schema."""
        widened = set(self.schema.names) - set(previous.schema.names)
        generations = {part.generation for part in previous.parts}
        if widened or (len(generations) >= COMPACT_AFTER and self.dataset_type in ID_FIELDS):
            file = "part-00000.parquet"
            previous.bulk(self.schema).sink_parquet(self.folder / file, compression="zstd")
            rows = pl.scan_parquet(self.folder / file).select(pl.len()).collect().item()
            yield Part(file, rows, 0)
            return
        for number, part in enumerate(previous.parts):
            file = f"part-{number:05d}.parquet"
            _link(previous.folder / part.file, self.folder / file)
            yield Part(file, part.rows, part.generation)

    def append(self, frame: pl.DataFrame) -> None:
        """Write `frame` (the schema's columns) as the next part."""
        if not frame.height:
            return
        file = f"part-{len(self._kept) + len(self._new):05d}.parquet"
        frame.select(self.schema.names).write_parquet(
            self.folder / file, compression="zstd", compression_level=1
        )
        self._new.append(Part(file, frame.height, self._generation))
        self.rows += frame.height

    def finish(self) -> int:
        """Write the index and the manifest; the folder is then ready to be published.

        Returns:
            The number of bulk rows of the whole snapshot.
        """
        parts = [*self._kept, *self._new]
        if self.dataset_type == "INTERACTIONS":
            files = [self.folder / part.file for part in parts]
            build_histories(files, self.folder / "histories", self.schema.names)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "dataset_type": self.dataset_type,
            "schema": self.schema_text,
            "rows": sum(part.rows for part in parts),
            "parts": [asdict(part) for part in parts],
        }
        if self._kept and self.dataset_type in ID_FIELDS:
            self._write(manifest)
            manifest["rows"] = (
                Snapshot(self.folder).bulk().select(pl.len()).collect(engine="streaming").item()
            )
        self._write(manifest)
        return int(manifest["rows"])

    def _write(self, manifest: dict[str, Any]) -> None:
        (self.folder / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
