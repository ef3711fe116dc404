"""Mutual exclusion of data deletion jobs and of all work that reads what belongs to users.

What a training or an import read before a deletion must not come back after it. So a data deletion job begins
when nothing of its dataset group is under way, and nothing of the group begins while one is at work. Whoever
has to wait gives up its slot (`JobPostponed`). What is under way never waits, so nobody waits for ever.
"""

from __future__ import annotations

from ..errors import JobPostponed
from ..resources.internals import RecommenderInternal
from ..resources.lifecycle import AT_WORK
from ..resources.store import Resource, Transaction

PAUSE_SECONDS = 1.0
READERS = (
    "dataset-import-job",
    "dataset-export-job",
    "solution-version",
    "batch-inference-job",
    "batch-segment-job",
)
"""Kinds of resources whose jobs read what belongs to users; a recommender does while it is trained."""

UNDER_WAY = ("CREATE IN_PROGRESS", "CREATE STOPPING")


def wait_for_deletions(tx: Transaction, reader: Resource) -> None:
    """Asked in the transaction that begins the work of a `READERS` resource, before its status changes.

    Raises:
        JobPostponed: a data deletion job of the dataset group has to end first.
    """
    if reader.status not in UNDER_WAY:
        wait_for_deletions_of(tx, reader.group_arn)


def wait_for_deletions_of(tx: Transaction, group_arn: str | None) -> None:
    """Asked in the transaction that begins any work that reads what belongs to the users of a group.

    Raises:
        JobPostponed: a data deletion job of the dataset group has to end first.
    """
    if group_arn is not None and tx.count("data-deletion-job", group_arn=group_arn, statuses=AT_WORK):
        raise JobPostponed(PAUSE_SECONDS, "A data deletion job of the dataset group is at work.")


def wait_for_readers(tx: Transaction, group_arn: str) -> None:
    """Asked in the transaction that begins a data deletion job.

    Raises:
        JobPostponed: something of the dataset group is under way.
    """
    for kind in READERS:
        if tx.count(kind, group_arn=group_arn, statuses=UNDER_WAY):
            raise JobPostponed(PAUSE_SECONDS, f"A {kind} of the dataset group is under way.")
    for recommender in tx.find("recommender", group_arn=group_arn):
        if RecommenderInternal.of(recommender).training is not None:
            raise JobPostponed(PAUSE_SECONDS, f"{recommender.arn} is being trained.")
