"""Jobs as rows: long work that outlives the process that began it. What claims and runs them is `engine/`."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from .tables import jobs


class JobState(StrEnum):
    """Where a job stands, each with the sentence that explains it."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> JobState:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    QUEUED = "queued", "Waits for its turn."
    RUNNING = "running", "A process is working on it and renews its lease."
    DONE = "done", "Ended with success."
    FAILED = "failed", "Ended without success; the reason says why."
    CANCELLED = "cancelled", "Stopped on request."


OPEN = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class JobRow:
    """One job as it was when it was read. Times are seconds since 1970.

    Attributes:
        number: order of creation over the whole installation.
        queue: jobs with the same queue run one after the other in order of creation; None: no order.
        attempts: how often it was begun; with the owner it names one run of the job.
        crashes: how often the process that ran it vanished.
        errors: how often it ended in an error that nobody had foreseen.
        owner: the runner at work on it.
        holds_slot: whether it counts as heavy: it holds one slot, or more while its steps run side by side.
        progress: the newest report of the step at work, see `engine.progress`.
        reason: why it failed, or what went wrong before it was put back.
        problem_count: problems found in the input, also those beyond what is stored.
    """

    number: int
    id: str
    account: str
    region: str
    kind: str
    resource_arn: str
    payload: dict[str, Any]
    queue: str | None
    state: JobState
    attempts: int
    crashes: int
    errors: int
    created_at: float
    not_before: float | None
    started_at: float | None
    finished_at: float | None
    owner: str | None
    holds_slot: bool
    stop_requested: bool
    progress: dict[str, Any] | None
    reason: str | None
    problem_count: int


def read_row(row: sa.Row[Any]) -> JobRow:
    """A row of the table as the record."""
    return JobRow(
        number=row.number,
        id=row.id,
        account=row.account,
        region=row.region,
        kind=row.kind,
        resource_arn=row.resource_arn,
        payload=json.loads(row.payload),
        queue=row.queue,
        state=JobState(row.state),
        attempts=row.attempts,
        crashes=row.crashes,
        errors=row.errors,
        created_at=row.created / 1000,
        not_before=_seconds(row.not_before),
        started_at=_seconds(row.started),
        finished_at=_seconds(row.finished),
        owner=row.owner,
        holds_slot=bool(row.holds_slot),
        stop_requested=bool(row.stop_requested),
        progress=json.loads(row.progress) if row.progress else None,
        reason=row.reason,
        problem_count=row.problem_count,
    )


def insert_job(
    connection: sa.Connection,
    *,
    account: str,
    region: str,
    kind: str,
    resource_arn: str,
    payload: dict[str, Any],
    queue: str | None,
    now: float,
    not_before: float | None,
) -> str:
    """Add a queued job and return its id."""
    job_id = str(uuid.uuid4())
    connection.execute(
        sa.insert(jobs),
        {
            "id": job_id,
            "account": account,
            "region": region,
            "kind": kind,
            "resource_arn": resource_arn,
            "payload": json.dumps(payload),
            "queue": queue,
            "state": JobState.QUEUED.value,
            "attempts": 0,
            "crashes": 0,
            "errors": 0,
            "created": round(now * 1000),
            "not_before": None if not_before is None else round(not_before * 1000),
            "holds_slot": 0,
            "stop_requested": 0,
            "problem_count": 0,
        },
    )
    return job_id


def newest_job(connection: sa.Connection, resource_arn: str) -> JobRow | None:
    """The job of a resource that was created last."""
    row = connection.execute(
        sa.select(jobs).where(jobs.c.resource_arn == resource_arn).order_by(jobs.c.number.desc()).limit(1)
    ).first()
    return read_row(row) if row is not None else None


def waiting_jobs(connection: sa.Connection, account: str, region: str, kind: str) -> list[JobRow]:
    """The queued jobs of a kind in an account and region, in order of creation."""
    here = (jobs.c.account == account, jobs.c.region == region)
    query = sa.select(jobs).where(*here, jobs.c.kind == kind, jobs.c.state == JobState.QUEUED.value)
    return [read_row(row) for row in connection.execute(query.order_by(jobs.c.number))]


def cancel_queued(
    connection: sa.Connection, resource_arn: str, now: float, *, untouched: bool = False
) -> int:
    """End all waiting jobs of a resource, or only those that were never begun; how many there were."""
    waiting = [jobs.c.resource_arn == resource_arn, jobs.c.state == JobState.QUEUED.value]
    if untouched:
        waiting.append(jobs.c.attempts == 0)
    done = connection.execute(
        sa.update(jobs)
        .where(*waiting)
        .values(state=JobState.CANCELLED.value, stop_requested=1, finished=round(now * 1000))
    )
    return done.rowcount


def ask_to_stop(connection: sa.Connection, resource_arn: str) -> int:
    """Mark all jobs of a resource that were begun and have not ended; how many there are.

    One that waits to be begun again is due at once: its workflow has to say that it was stopped.
    """
    done = connection.execute(
        sa.update(jobs)
        .where(jobs.c.resource_arn == resource_arn, jobs.c.state.in_([state.value for state in OPEN]))
        .values(stop_requested=1, not_before=None)
    )
    return done.rowcount


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
