"""The heavy steps of a data deletion job: which users (`read_users`), their traces in snapshots and artifacts
(`rewrite`), in the live log and the log of recommendations (`forget`).

Each may run again after a crash. Memory: the ids (at most 100 MB of them), and what `erase_from_snapshot` and
`erase_from_artifact` say.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..clock import SystemClock
from ..datasets import problems as reasons
from ..datasets.csv_reader import CsvReader
from ..datasets.csv_text import CsvText
from ..datasets.erasure import erase_from_snapshot
from ..datasets.header import of_form
from ..datasets.problems import Problems
from ..datasets.schemas import Field, Schema, parse_schema
from ..engine.task import Task
from ..errors import JobFailed
from ..events.livelog import LiveLog
from ..events.stores import open_live_log, open_recommendation_log
from ..recipes.erasure import erase_from_artifact
from ..storage.bucket_service import open_buckets
from ..storage.buckets import AccessDenied, Buckets, ObjectInfo, Unreachable
from ..storage.keys import erased_artifact_key, erased_snapshot_key, erasure_key
from ..storage.objects import ObjectStore, open_objects
from .input_files import found_files, open_file

LARGEST_INPUT = 100 * 1024**2
ANSWERS_WAIT = 1.0
"""Seconds after which every process has written the answers that it gave before, see
`SqliteRecommendationLog`."""

_HEADER_BYTES = 64 * 1024
_USERS = Schema((Field("USER_ID", "string"),))
_NAME = "users.parquet"


def read_users(task: Task, *, erasure: str, location: str) -> dict[str, Any]:
    """Read whom to delete, and keep the ids until the job ends, whatever becomes of the files.

    Returns:
        users: how many different ids there are.

    Raises:
        JobFailed: the files cannot be read; the sentence is the failureReason.
    """
    objects, key = open_objects(task.settings), erasure_key(erasure)
    if not objects.exists(key):
        try:
            users = _read(task, open_buckets(task.settings), location)
        except AccessDenied as error:
            raise JobFailed("Insufficient privileges for accessing data in Amazon S3.") from error
        except Unreachable as error:
            raise JobFailed(reasons.unreachable(str(error))) from error
        staged = objects.stage()
        try:
            users.to_frame().write_parquet(staged / _NAME)
            objects.publish(staged, key)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    return {"users": len(_users(objects, erasure))}


def rewrite(
    task: Task,
    *,
    erasure: str,
    snapshots: Mapping[str, str],
    streams: Mapping[str, str],
    schemas: Mapping[str, str],
    artifacts: Mapping[str, str],
) -> dict[str, Any]:
    """Publish snapshots and artifacts without the users, which nobody refers to yet, and count rows.

    Args:
        erasure: names what is published.
        snapshots: key of the bulk layer in force by dataset type, where there is one.
        streams: ARN of each dataset with a USER_ID by type. schemas: their schema texts.
        artifacts: key by ARN of the solution version.

    Returns:
        rows: rows of the group's datasets that belong to the users.
        snapshots, artifacts: the new keys of those that held something of them.
    """
    objects, log = open_objects(task.settings), open_live_log(task.settings, SystemClock())
    users = _users(objects, erasure)
    total = len(streams) + len(snapshots) + len(artifacts)
    done = rows = 0

    def step() -> None:
        nonlocal done
        task.check()
        task.progress("rewrite", done, total, "layers")
        done += 1

    new_snapshots: dict[str, str] = {}
    new_artifacts: dict[str, str] = {}
    try:
        for kind, stream in streams.items():
            step()
            rows += _streamed(log, stream, kind, parse_schema(schemas[kind]), users)
    finally:
        log.close()
    for kind, key in snapshots.items():
        step()
        new = erased_snapshot_key(erasure, kind)
        rows += erase_from_snapshot(objects, key, new, users)
        if objects.exists(new):
            new_snapshots[kind] = new
    for version, key in artifacts.items():
        step()
        new = erased_artifact_key(key, erasure)
        try:
            if erase_from_artifact(objects, key, new, users):
                new_artifacts[version] = new
        except FileNotFoundError:
            continue  # it was retired meanwhile
    task.progress("rewrite", total, total, "layers")
    return {"rows": rows, "snapshots": new_snapshots, "artifacts": new_artifacts}


def forget(
    task: Task,
    *,
    erasure: str,
    streams: Sequence[str],
    endpoints: Sequence[str],
    answers_wait: float = ANSWERS_WAIT,
) -> dict[str, Any]:
    """Take the users out of the live log and the log of recommendations. Where their ids are not kept any
    more all is done.

    Args:
        erasure: names where the ids are kept.
        streams: ARNs of the datasets. endpoints: ARNs of campaigns and recommenders.
        answers_wait: seconds left to every process to write down the answers that it gave before.
    """
    objects = open_objects(task.settings)
    if not objects.exists(erasure_key(erasure)):
        return {}
    users = _users(objects, erasure)
    log = open_live_log(task.settings, SystemClock())
    try:
        for number, stream in enumerate(streams):
            task.check()
            task.progress("forget", number, len(streams) + 1, "logs")
            log.forget_subjects(stream, users.to_list())
        log.drop_tombstones()
    finally:
        log.close()
    recommendations = open_recommendation_log(task.settings, SystemClock())
    try:
        time.sleep(answers_wait)
        recommendations.forget_users(users.to_list(), endpoints)
    finally:
        recommendations.close()
    task.progress("forget", len(streams) + 1, len(streams) + 1, "logs")
    return {}


def _users(objects: ObjectStore, erasure: str) -> pl.Series:
    return pl.read_parquet(objects.fetch(erasure_key(erasure)) / _NAME)["USER_ID"]


def _read(task: Task, buckets: Buckets, location: str) -> pl.Series:
    files = found_files(task, buckets, location)
    for file in files:
        _check_header(buckets, file)
    if sum(file.size for file in files) > LARGEST_INPUT:
        raise JobFailed("Input data exceeds 100 MB.")
    problems = Problems(task.problem)
    reader = CsvReader(_USERS, "USERS", problems)
    found = [pl.Series("USER_ID", [], dtype=pl.String)]
    for file in files:
        with open_file(buckets, file) as stream:
            for frame, _ in reader.frames(stream, file.name):
                task.check()
                found.append(frame["USER_ID"])
    if problems.count:
        raise JobFailed(problems.reason())
    users = pl.concat(found).unique().sort()
    if not len(users):
        raise JobFailed(reasons.NO_RECORDS)
    return users


def _check_header(buckets: Buckets, file: ObjectInfo) -> None:
    with open_file(buckets, file) as stream:
        text = CsvText(stream, _HEADER_BYTES)
    for fault in text.faults:
        raise JobFailed(of_form(fault, file.name, ()).reason)
    names = [name.upper() for name in text.header]
    if "USER_ID" not in names:
        raise JobFailed("Input CSV is missing the following columns:[USER_ID].")
    if len(names) > 1:
        raise JobFailed(f"Input CSV must have the single column USER_ID; {file.name} has {len(names)}.")


def _streamed(log: LiveLog, stream: str, kind: str, schema: Schema, users: pl.Series) -> int:
    """How many streamed rows of a dataset belong to users: versions of their records, or their events with
    what their sessions did anonymously."""
    theirs = users.alias("USER_ID").to_frame()
    if kind == "USERS":
        chunks = log.records(stream, schema, versions=True)
        return sum(len(chunk.join(theirs, on="USER_ID", how="semi")) for chunk in chunks)
    events = log.scan(stream, Schema(tuple(one for one in schema.fields if one.name == "USER_ID")))
    own = events.join(theirs.lazy(), on="USER_ID", how="semi")
    named = own.filter(~pl.col("#ANONYMOUS")).select("#SESSION").unique().collect(engine="streaming")
    sessions = pl.concat([named["#SESSION"], theirs["USER_ID"].alias("#SESSION")]).unique()
    belongs = pl.when("#ANONYMOUS").then(pl.col("#SESSION").is_in(sessions.implode()))
    mine = belongs.otherwise(pl.col("USER_ID").is_in(theirs["USER_ID"].implode()))
    return int(events.filter(mine).select(pl.len()).collect(engine="streaming").item())
