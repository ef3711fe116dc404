"""What ``evaluate`` measures on: CSV files, or a dataset group of a data folder. Both end as a training reads
them: snapshots, and the live log up to a position.

CSV files become snapshots in a temporary folder that goes with the command. Memory is that of an import and
of a training; disk, about the size of the files.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar, cast

from ..clock import SystemClock
from ..datasets.csv_reader import CsvReader
from ..datasets.csv_text import CsvText
from ..datasets.header import explained, match_header
from ..datasets.inference import infer_schema
from ..datasets.problems import Problems
from ..datasets.schema_rules import check_schema_for
from ..datasets.schemas import Schema, dataset_type_named, parse_schema, spelled
from ..datasets.snapshot_writer import SnapshotWriter
from ..engine.task import Report, Task
from ..errors import InvalidInput, ResourceNotFound
from ..events.stores import open_live_log
from ..recipes.training import TrainingData
from ..resources.backends import open_metadata_store
from ..resources.internals import DatasetInternal
from ..resources.store import MetadataStore
from ..settings import Settings
from ..storage.objects import ObjectStore, open_objects
from ..training.data import read
from ..training.inputs import TrainingInputs
from ..workflows.trainings import remembered_schemas

GROUP = "arn:aws:personalize:us-east-1:000000000000:dataset-group/evaluate"
Schemas: TypeAlias = Mapping[str, Schema]
Chosen = TypeVar("Chosen")
Choose: TypeAlias = Callable[[Schemas, "str | None"], Chosen]
"""Told the schemas by dataset type and the domain of the group, before anything is read for good; may raise.
What it returns is handed back with the data."""


def read_files(
    settings: Settings,
    files: Mapping[str, Path],
    schema_files: tuple[Path, ...],
    solution: Mapping[str, Any],
    choose: Choose[Chosen],
    send: Callable[[Report], None],
) -> tuple[TrainingData, Chosen]:
    """The training data in CSV files.

    Args:
        settings: ``minimum_data`` counts.
        files: by dataset type; names that end in .gz are unpacked.
        schema_files: Avro records; a file without one gets a schema by its header and values.
        solution: ``eventType`` and ``solutionConfig``.
        choose: see `Choose`. send: told of progress.

    Raises:
        InvalidInput: a schema or a file is wrong; the sentence names rows and columns.
        JobFailed: there is too little data.
    """
    given = _given_schemas(schema_files, files)
    # No snapshot stays open on the way out: Windows removes no file that is.
    with tempfile.TemporaryDirectory(prefix="openpersonalize-", ignore_cleanup_errors=True) as folder:
        place = replace(settings, data_dir=folder)
        task = Task(place, "evaluate", send, lambda: False)
        objects = open_objects(place)
        texts = {kind: given.get(kind) or infer_schema(partial(_open, path), path.name, kind)
                 for kind, path in files.items()}  # fmt: skip
        schemas = {kind: parse_schema(text) for kind, text in texts.items()}
        chosen = choose(schemas, None)
        problems = Problems(task.problem)
        keys = {
            kind: _snapshot(task, objects, kind, path, texts[kind], problems) for kind, path in files.items()
        }
        if problems.count:
            raise InvalidInput(problems.reason())
        return _read(task, objects, schemas, keys, GROUP, solution), chosen


def read_group(
    settings: Settings,
    group: str,
    solution: Mapping[str, Any],
    choose: Choose[Chosen],
    send: Callable[[Report], None],
) -> tuple[TrainingData, Chosen]:
    """The training data of a dataset group as it is now; a running server is not disturbed.

    Args:
        settings: name the data folder.
        group: ARN, or a name that only one account and region knows.
        solution, choose, send: see `read_files`.

    Raises:
        ResourceNotFound: there is no such group, or no data folder.
        InvalidInput: several have that name, or it has no interactions. JobFailed: too few of them.
    """
    if not settings.database_url and not (settings.data / "metadata.db").exists():
        raise ResourceNotFound(
            f"{settings.data} is no data folder: name the one of your server with --data-dir."
        )
    store = open_metadata_store(settings, SystemClock())
    try:
        arn, domain, texts, keys = _group(store, group)
    finally:
        store.close()
    if "INTERACTIONS" not in texts:
        raise InvalidInput(f"The dataset group {group} has no Interactions dataset.")
    schemas = {kind: parse_schema(text) for kind, text in texts.items()}
    task = Task(settings, "evaluate", send, lambda: False)
    chosen = choose(schemas, domain)
    return _read(task, open_objects(settings), schemas, keys, arn, solution), chosen


def _group(store: MetadataStore, group: str) -> tuple[str, str | None, dict[str, str], dict[str, str | None]]:
    """ARN and domain of a group, and schema text and snapshot of each of its datasets."""
    known, found = [], []
    for scope in store.scopes():
        with scope.read() as tx:
            for one in tx.find("dataset-group"):
                known.append(one.name)
                if group in (one.arn, one.name):
                    schemas = {kind: kept.schema for kind, kept in remembered_schemas(tx, one.arn).items()}
                    datasets = tx.find("dataset", group_arn=one.arn)
                    keys = {
                        row.attributes["datasetType"]: DatasetInternal.of(row).snapshot for row in datasets
                    }
                    found.append((one.arn, one.attributes.get("domain"), schemas, keys))
    if not found:
        there = f"there are {', '.join(sorted(set(known)))}" if known else "there is none"
        raise ResourceNotFound(f"There is no dataset group {group} in the data folder; {there}.")
    if len(found) > 1:
        arns = ", ".join(arn for arn, *_ in found)
        raise InvalidInput(f"Several dataset groups are named {group}; name one by its ARN: {arns}.")
    return found[0]


def _read(
    task: Task,
    objects: ObjectStore,
    schemas: Schemas,
    keys: Mapping[str, str | None],
    group: str,
    solution: Mapping[str, Any],
) -> TrainingData:
    log = open_live_log(task.settings, SystemClock())
    try:
        inputs = TrainingInputs(objects, log, schemas, keys, group, log.position())
        return read(task, inputs, solution)[0]
    finally:
        log.close()


def _given_schemas(paths: tuple[Path, ...], files: Mapping[str, Path]) -> dict[str, str]:
    """Schema texts by dataset type, from files whose records are named after it."""
    found: dict[str, str] = {}
    problems = []
    for path in paths:
        try:
            text = path.read_text("utf-8")
            schema = parse_schema(text)
            kind = dataset_type_named(schema.name)
            if kind is None or kind not in files:
                names = ", ".join(spelled(one) for one in files)
                raise InvalidInput(f"its record is named {schema.name!r}, not after a file given ({names})")
            if kind in found:
                raise InvalidInput(f"another schema is for {spelled(kind)} already")
            check_schema_for(schema, kind, None)
        except (InvalidInput, UnicodeDecodeError) as error:
            problems.append(f"{path}: {error.message if isinstance(error, InvalidInput) else error}.")
            continue
        found[kind] = text
    if problems:
        raise InvalidInput(" ".join(problems))
    return found


def _snapshot(
    task: Task, objects: ObjectStore, kind: str, path: Path, text: str, problems: Problems
) -> str | None:
    """Import one file; the snapshot's key, None when the file has problems."""
    schema = parse_schema(text)
    with _open(path) as stream:
        head = CsvText(stream, 64 * 1024)
    match = match_header(head.header, schema)
    wrong = [fault.what for fault in head.faults]
    if match.missing:
        wrong.append(f"the header lacks {', '.join(match.missing)} of the schema{explained(head.header)}")
    if match.duplicate:
        wrong.append(f"the header names {match.duplicate} twice")
    if wrong:
        raise InvalidInput(f"{path.name}, line 1: {'; '.join(wrong)}.")
    key = f"snapshots/{kind.lower()}"
    writer = SnapshotWriter(objects, key, kind, text, position=0)
    reader = CsvReader(schema, kind, problems)
    total, done = max(path.stat().st_size, 1), 0
    with _open(path) as stream:
        for frame, size in reader.frames(stream, path.name):
            done += size
            task.progress(f"read {path.name}", min(done, total), total, "bytes")
            if not problems.count:
                writer.append(frame)
    if problems.count:
        return None
    if not writer.appended:
        raise InvalidInput(f"{path.name} has a header and no rows.")
    writer.finish()
    writer.publish()
    return key


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.name.endswith(".gz") else path.open("rb")
