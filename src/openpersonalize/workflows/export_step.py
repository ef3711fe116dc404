"""The heavy step of an export: the layers of a dataset -> CSV files in a bucket that can be imported again.

Rows that are equal in all fields are written once, whatever layers they are in. To know them, the rows are
read twice: first for a number of 64 bits each, and those whose number comes again are compared in full.

Memory: interactions, some chunks and 8 bytes a row, 16 while they are sorted; records, those of the layers
asked for. A run after a crash begins again, and writes the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ..clock import SystemClock
from ..datasets.schemas import ID_FIELDS, Schema, parse_schema
from ..datasets.snapshots import Snapshot
from ..datasets.tables import table_types
from ..engine.task import Task
from ..errors import InvalidInput, JobFailed
from ..events.layers import current_records
from ..events.livelog import LiveLog
from ..events.stores import open_live_log
from ..storage.bucket_service import open_buckets
from ..storage.buckets import AccessDenied, Buckets, Unreachable
from ..storage.objects import open_objects
from ..storage.workfolder import work_folder

PART_ROWS = 1_000_000
CHUNK_ROWS = 65_536

NO_ACCESS = "Insufficient privileges for accessing data in Amazon S3."
Source: TypeAlias = Callable[[], Iterator[pl.DataFrame]]
_QUOTED = r'[,"\r\n]'


def run(
    task: Task,
    *,
    dataset: str,
    dataset_type: str,
    schema: str,
    mode: str,
    snapshot: str | None,
    position: int,
    destination: str,
    name: str,
    part_rows: int = PART_ROWS,
) -> dict[str, Any]:
    """Export a dataset.

    Args:
        dataset: its ARN. dataset_type: upper case. schema: its schema's text.
        mode: BULK, PUT or ALL. snapshot: key of the bulk layer. position: the end of the put layer.
        destination: location of a folder. name: how file names begin. part_rows: rows of a file.

    Returns:
        rows, files: how many.

    Raises:
        JobFailed: with the sentence for `failureReason`. JobStopped: on request.
    """
    parsed = parse_schema(schema)
    objects, buckets = open_objects(task.settings), open_buckets(task.settings)
    bulk = None if snapshot is None else Snapshot.open(objects, snapshot)
    log = open_live_log(task.settings, SystemClock())
    try:
        source = _source(log, dataset, dataset_type, parsed, bulk, mode, position)
        repeated, total = _repeated(task, source)
        rows = _distinct(source, repeated)
        prefix = f"{destination.rstrip('/')}/{name}-part-"
        made = _write(task, buckets, rows, parsed, prefix, part_rows, total)
    except AccessDenied as error:
        raise JobFailed(NO_ACCESS) from error
    except Unreachable as error:
        raise JobFailed(f"Amazon S3 does not answer as it should: {error}") from error
    except (FileNotFoundError, InvalidInput) as error:
        raise JobFailed(f"The export cannot be written to {destination}: {error}") from error
    finally:
        log.close()
    task.line(f"{made['rows']} rows in {made['files']} files")
    return made


def _source(
    log: LiveLog,
    dataset: str,
    kind: str,
    schema: Schema,
    bulk: Snapshot | None,
    mode: str,
    position: int,
) -> Source:
    """What gives the rows of a mode from their beginning, in chunks."""
    names = list(schema.names)

    def interactions() -> Iterator[pl.DataFrame]:
        if bulk is not None and mode != "PUT":
            yield from _sliced(bulk.bulk(schema))
        if mode != "BULK":
            for chunk in log.interactions(dataset, schema, up_to=position, chunk=CHUNK_ROWS, columns=names):
                yield chunk.select(names)

    if kind not in ID_FIELDS:
        return interactions
    if mode == "PUT":

        def versions() -> Iterator[pl.DataFrame]:
            for chunk in log.records(dataset, schema, up_to=position, versions=True, chunk=CHUNK_ROWS):
                yield chunk.select(names)

        return versions
    if mode == "ALL":
        frame = current_records(log, dataset, schema, bulk, position).select(names)
    else:
        frame = pl.DataFrame(schema=table_types(schema)) if bulk is None else bulk.bulk(schema).collect()
    return lambda: frame.iter_slices(CHUNK_ROWS)


def _sliced(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """A scan of files in chunks, none of which reads the others' rows."""
    start = 0
    while len(chunk := rows.slice(start, CHUNK_ROWS).collect()):
        yield chunk
        start += len(chunk)


def _repeated(task: Task, source: Source) -> tuple[npt.NDArray[np.uint64], int]:
    """The numbers, ascending, that several rows have, and how many rows there are."""
    found = []
    total = 0
    for chunk in source():
        task.check()
        found.append(chunk.hash_rows().to_numpy())
        total += len(chunk)
        task.progress("look", total, total, "rows")
    numbers = np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.uint64)
    return np.unique(numbers[1:][numbers[1:] == numbers[:-1]]), total


def _distinct(source: Source, repeated: npt.NDArray[np.uint64]) -> Iterator[pl.DataFrame]:
    """The rows, without those that equal an earlier one."""
    known: pl.DataFrame | None = None
    for chunk in source():
        if not len(repeated) or not len(chunk):
            yield chunk
            continue
        numbers = chunk.hash_rows().to_numpy()
        places = np.searchsorted(repeated, numbers)
        may = repeated[np.minimum(places, len(repeated) - 1)] == numbers
        if not may.any():
            yield chunk
            continue
        numbered = chunk.with_row_index("#ROW")
        doubtful = numbered.filter(pl.Series(may)).unique(chunk.columns, keep="first", maintain_order=True)
        if known is not None:
            doubtful = doubtful.join(known, on=chunk.columns, how="anti", nulls_equal=True)
        fresh = doubtful.select(chunk.columns)
        known = fresh if known is None else pl.concat([known, fresh])
        kept = pl.concat([numbered.filter(pl.Series(~may)), doubtful]).sort("#ROW")
        yield kept.select(chunk.columns)


def _write(
    task: Task,
    buckets: Buckets,
    rows: Iterator[pl.DataFrame],
    schema: Schema,
    prefix: str,
    part_rows: int,
    total: int,
) -> dict[str, Any]:
    """Write rows to ``<prefix>00000.csv`` and so on; without any, one file with the header alone."""
    path = work_folder(task.settings, task.job_id) / "part.csv"
    written = files = waiting = 0
    sink: BinaryIO | None = None

    def finish() -> None:
        nonlocal sink, files, waiting
        if sink is not None:
            sink.close()
            with path.open("rb") as stream:
                buckets.write(f"{prefix}{files:05d}.csv", stream)
            sink, files, waiting = None, files + 1, 0

    def begin() -> BinaryIO:
        opened = path.open("wb")
        opened.write((",".join(schema.names) + "\n").encode())
        return opened

    try:
        for chunk in rows:
            task.check()
            while len(chunk):
                sink = sink or begin()
                some, chunk = chunk[: part_rows - waiting], chunk[part_rows - waiting :]
                sink.write(csv_rows(some))
                waiting, written = waiting + len(some), written + len(some)
                task.progress("write", written, total, "rows")
                if waiting == part_rows:
                    finish()
        if not files and sink is None:
            sink = begin()
        finish()
    finally:
        if sink is not None:
            sink.close()
    return {"rows": written, "files": files}


def csv_rows(frame: pl.DataFrame) -> bytes:
    """Rows as the import reads them: null is empty, text with a comma, a quote or a line break is quoted, and
    inside quotes a backslash stands before quotes and backslashes."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    quoted = [
        pl.when(pl.col(name).str.contains(_QUOTED))
        .then(
            pl.concat_str(
                pl.lit('"'),
                pl.col(name)
                .str.replace_all("\\", "\\\\", literal=True)
                .str.replace_all('"', '\\"', literal=True),
                pl.lit('"'),
            )
        )
        .otherwise(pl.col(name))
        .alias(name)
        for name in texts
    ]
    text: str = frame.with_columns(quoted).write_csv(include_header=False, quote_style="never")
    return text.encode()
