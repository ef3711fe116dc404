"""The heavy step of an import: files in a bucket -> checked rows -> a published snapshot, or a reason why
not.

The order of checks is that of Amazon Personalize's failures as far as known: location, access, header rows,
size, rows, number of rows. All header rows are looked at before the first row is read, and all rows of all
files before the job fails, so that the owner sees every problem at once.

Memory: about ten blocks of 16 MB while reading, then for Interactions about 60 bytes a row of the whole
dataset. The step may run again after a crash: its snapshot is published under the job's own key, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..clock import SystemClock
from ..datasets import problems as reasons
from ..datasets.csv_reader import CsvReader
from ..datasets.csv_text import CsvText
from ..datasets.header import header_problems, match_header, of_form
from ..datasets.hints import WARNING, repeated
from ..datasets.known_ids import known_sentences
from ..datasets.minimums import LEAST_INTERACTIONS
from ..datasets.problems import Problems
from ..datasets.schemas import Schema, parse_schema
from ..datasets.snapshot_writer import SnapshotWriter
from ..datasets.snapshots import Snapshot
from ..engine.task import Task
from ..errors import JobFailed
from ..storage.bucket_service import open_buckets
from ..storage.buckets import AccessDenied, Buckets, ObjectInfo, Unreachable
from ..storage.keys import snapshot_key
from ..storage.objects import open_objects
from .input_files import found_files, open_file

GIGABYTE = 1024**3
LIMITS = {"FULL": (100 * GIGABYTE, "100 GB"), "INCREMENTAL": (GIGABYTE, "1 GB")}

READ_BYTES, INDEXED_BYTES = 30e6, 90e6
"""Bytes of a file that are about read and indexed in a second, for the bar that the owner sees."""

_HEADER_BYTES = 64 * 1024


def run(
    task: Task,
    *,
    dataset_type: str,
    schema: str,
    location: str,
    mode: str,
    previous: str | None,
    position: int,
    minimum_data: bool,
    others: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Import the files at `location`.

    Args:
        dataset_type: upper case. schema: its schema's text.
        mode: FULL (all bulk rows are replaced) or INCREMENTAL (rows are added to those of `previous`).
        previous: key of the dataset's present snapshot.
        position: place in the live log that the rows count as written at.
        minimum_data: whether an import of interactions must have 1,000 rows.
        others: keys of the snapshots of the group's other datasets, by type; the job's log says how many ids
            are known to them.

    Returns:
        snapshot: key of the new snapshot. rows: data rows read. total_rows: bulk rows of the dataset now.
        bytes: bytes read.

    Raises:
        JobFailed: with the sentence for `failureReason`.
        JobStopped: on request.
    """
    objects, buckets = open_objects(task.settings), open_buckets(task.settings)
    key = snapshot_key(task.job_id)
    try:
        files = found_files(task, buckets, location)
        _check_headers(task, buckets, files, dataset_type, parse_schema(schema))
        total = sum(file.size for file in files)
        limit, limit_text = LIMITS[mode]
        if total > limit:
            raise JobFailed(reasons.too_large(limit_text, mode))
        if not objects.exists(key):
            task.plan([("read", 0.2 + total / READ_BYTES), ("index", 0.2 + total / INDEXED_BYTES)])
            base = Snapshot.open(objects, previous) if previous and mode == "INCREMENTAL" else None
            moment = int(SystemClock().now())
            writer = SnapshotWriter(
                objects, key, dataset_type, schema, base, position=position, moment=moment
            )
            try:
                first = _read(task, buckets, files, total, writer, moment)
                _check_rows(writer, mode, minimum_data, first)
                task.progress("index", 0, writer.appended, "rows")
                writer.finish()
                task.progress("index", writer.appended, writer.appended, "rows")
                writer.publish()
            except BaseException:
                writer.abandon()
                raise
    except AccessDenied as error:
        raise JobFailed(reasons.no_access(dataset_type)) from error
    except Unreachable as error:
        raise JobFailed(reasons.unreachable(str(error))) from error
    snapshot = Snapshot.open(objects, key)
    if snapshot.late:
        task.line(
            f"{WARNING}{snapshot.late:,} {'row claims' if snapshot.late == 1 else 'rows claim'} to be later"
            " than this import; in trainings and answers they count as of the newest row that does not."
        )
    known = {kind: Snapshot.open(objects, other) for kind, other in (others or {}).items()}
    for sentence in known_sentences({**known, dataset_type: snapshot}):
        task.line(sentence)
    return {
        "snapshot": key,
        "rows": snapshot.appended,
        "total_rows": snapshot.rows,
        "bytes": total,
    }


def _check_headers(
    task: Task, buckets: Buckets, files: list[ObjectInfo], dataset_type: str, schema: Schema
) -> None:
    """Read the header rows of all files.

    Raises:
        JobFailed: some cannot be read, lack a column or name one twice.
    """
    problems = Problems(task.problem)
    columns = Problems(task.problem)
    missing: set[str] = set()
    duplicate: str | None = None
    for file in files:
        task.check()
        with open_file(buckets, file) as stream:
            text = CsvText(stream, _HEADER_BYTES)
        problems.add(of_form(fault, file.name, ()) for fault in text.faults)
        if not text.faults:
            match = match_header(text.header, schema)
            columns.add(header_problems(file.name, text.header, match, dataset_type))
            missing.update(match.missing)
            duplicate = duplicate or match.duplicate
    if problems.count:
        raise JobFailed(problems.reason())
    if missing:
        names = [name for name in schema.names if name in missing]
        raise JobFailed(reasons.missing_columns(dataset_type, names, columns.places))
    if duplicate is not None:
        raise JobFailed(reasons.duplicate_column(duplicate))


def _read(
    task: Task, buckets: Buckets, files: list[ObjectInfo], total: int, writer: SnapshotWriter, moment: int
) -> list[pl.DataFrame]:
    """Read all rows into `writer`.

    Returns:
        The rows, while they are no more than a training needs.

    Raises:
        JobFailed: some rows have problems; the first of them have been reported.
    """
    problems = Problems(task.problem)
    reader = CsvReader(writer.schema, writer.dataset_type, problems, now=moment)
    done = 0
    first: list[pl.DataFrame] = []
    for file in files:
        with open_file(buckets, file) as stream:
            for frame, read in reader.frames(stream, file.name):
                task.check()
                done += read
                task.progress("read", min(done, total), total, "bytes")
                if not problems.count:
                    writer.append(frame)
                    first = [*first, frame] if writer.appended < LEAST_INTERACTIONS else []
                elif problems.given_up:
                    raise JobFailed(problems.reason())
    if problems.count:
        raise JobFailed(problems.reason())
    task.line(f"{writer.appended} rows read from {len(files)} files, {total} bytes")
    for sentence in reader.notes():
        task.line(sentence)
    return first


def _check_rows(writer: SnapshotWriter, mode: str, minimum_data: bool, first: list[pl.DataFrame]) -> None:
    rows = writer.appended
    if not rows:
        raise JobFailed(reasons.NO_RECORDS)
    if writer.dataset_type == "INTERACTIONS" and minimum_data and rows < LEAST_INTERACTIONS:
        again = repeated(pl.concat(first).select("USER_ID", "ITEM_ID", "TIMESTAMP"))
        raise JobFailed(reasons.too_few_interactions(LEAST_INTERACTIONS, rows, again, mode))
