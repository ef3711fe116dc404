"""Quotations: what jobs of a dataset group tell of the files that they read, values with them, forgotten with
`forget_quotations`. A value that stands in the wrong column may be anybody's id, so none is kept.
"""

from __future__ import annotations

import sqlalchemy as sa

from ..resources.store import Transaction
from ..resources.tables import job_lines, job_problems, jobs

QUOTING = ("dataset-import-job", "data-deletion-job")
"""Kinds of resources whose jobs read files of the callers' rows."""

GONE = "What stood there was removed with a data deletion job."


def forget_quotations(tx: Transaction, group_arn: str) -> None:
    """Remove the problems that jobs of a group found in files, the lines of their logs that quote values, and
    the places in their failure reasons. How many problems there were stays."""
    for kind in QUOTING:
        for row in tx.find(kind, group_arn=group_arn):
            own = sa.select(jobs.c.number).where(jobs.c.resource_arn == row.arn)
            tx.connection.execute(sa.delete(job_problems).where(job_problems.c.job.in_(own)))
            quoting = job_lines.c.text.contains('"')
            tx.connection.execute(sa.delete(job_lines).where(job_lines.c.job.in_(own), quoting))
            told = sa.select(jobs.c.number, jobs.c.reason).where(jobs.c.resource_arn == row.arn)
            for number, reason in tx.connection.execute(told).all():
                if reason is not None and (shorter := without_places(reason)) != reason:
                    changed = sa.update(jobs).where(jobs.c.number == number)
                    tx.connection.execute(changed.values(reason=shorter))
            reason = row.attributes.get("failureReason")
            if reason is not None and (shorter := without_places(reason)) != reason:
                tx.update(row, set={"failureReason": shorter}, touch=False)


def without_places(reason: str) -> str:
    """A failure reason without the places in files that it names, see `datasets.problems`."""
    head, found, places = reason.partition(" file ")
    if not found or ", line " not in places:
        return reason
    return f"{head.partition('; first ')[0].rstrip(' .:')}. {GONE}"
