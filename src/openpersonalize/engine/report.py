"""What the owner of a job can see of it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..resources.jobrows import JobRow, JobState, read_row
from ..resources.store import Scope, Transaction
from ..resources.tables import job_lines, jobs
from ..resources.tables import job_problems as problems

MOST_LINES = 1000
MOST_LISTED = 1000


def job_report(scope: Scope, arn: str) -> dict[str, Any] | None:
    """The newest job of a resource with its last 1,000 log lines; None when it never had one.

    Members: arn, id, kind, state, status (the resource's), progress (see `ProgressRate`; under ``overall``,
    where the job has said what it will do, that of the whole job: see `Timetable`), eta_seconds (None when it
    has ended), attempts,
    reason, problem_count, created, started, finished, not_before (seconds since 1970),
    lines ({at, text}).
    """
    with scope.read() as tx:
        job = tx.job(arn)
        if job is None:
            return None
        newest = sa.select(job_lines).where(job_lines.c.job == job.number)
        rows = tx.connection.execute(newest.order_by(job_lines.c.number.desc()).limit(MOST_LINES)).all()
        lines = [{"at": row.at / 1000, "text": row.text} for row in reversed(rows)]
        return {**_summary(tx, job), "lines": lines}


def job_problems(scope: Scope, arn: str) -> list[dict[str, Any]]:
    """What the newest job of a resource found wrong with its input: {file, line, column, what}, at most
    10,000."""
    with scope.read() as tx:
        job = tx.job(arn)
        if job is None:
            return []
        rows = tx.connection.execute(
            sa.select(problems).where(problems.c.job == job.number).order_by(problems.c.number)
        )
        return [{"file": row.file, "line": row.line, "column": row.column, "what": row.what} for row in rows]


def job_list(scope: Scope) -> list[dict[str, Any]]:
    """The newest 1,000 jobs of an account and region, newest first: the members of `job_report` without
    lines."""
    with scope.read() as tx:
        rows = tx.connection.execute(
            sa.select(jobs)
            .where(jobs.c.account == scope.account, jobs.c.region == scope.region)
            .order_by(jobs.c.number.desc())
            .limit(MOST_LISTED)
        )
        return [_summary(tx, read_row(row)) for row in rows]


def _summary(tx: Transaction, job: JobRow) -> dict[str, Any]:
    resource = tx.get(job.resource_arn)
    progress = _progress(job)
    return {
        "arn": job.resource_arn,
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "status": resource.status if resource is not None else None,
        "progress": progress,
        "eta_seconds": (progress.get("overall") or progress)["eta_seconds"] if progress else None,
        "attempts": job.attempts,
        "reason": job.reason,
        "problem_count": job.problem_count,
        "created": job.created_at,
        "started": job.started_at,
        "finished": job.finished_at,
        "not_before": job.not_before,
    }


def _progress(job: JobRow) -> dict[str, Any] | None:
    """The newest report of a job. One that has ended has no ETA, and one that is done has done all."""
    told = job.progress
    if told is None or job.finished_at is None:
        return told
    ended = {**told, "eta_seconds": None}
    if job.state is JobState.DONE:
        ended["done"] = told["total"]
    if told.get("overall"):
        whole = 1.0 if job.state is JobState.DONE else told["overall"]["done"]
        ended["overall"] = {**told["overall"], "done": whole, "eta_seconds": None}
    return ended
