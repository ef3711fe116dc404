"""When the data behind the resources may go: a snapshot outlives its dataset's interest in it by a grace.

A snapshot that a newer import has replaced may still be read: by a training that pinned it, or by a request
that looked up its key a moment ago. So it is not removed by the import itself but by a later job, which asks
again whether anybody needs it.
"""

from __future__ import annotations

from ..engine.workflow import Job
from ..resources.internals import DatasetInternal, VersionInternal
from ..resources.lifecycle import AT_WORK
from ..resources.store import Transaction

GRACE_SECONDS = 60.0


def retire_snapshot(tx: Transaction, key: str | None, now: float) -> None:
    """Has the snapshot `key` (None: nothing) removed after the grace, unless something refers to it then."""
    if key is not None:
        tx.enqueue("remove-snapshot", key, {"key": key}, not_before=now + GRACE_SECONDS)


def snapshot_in_use(tx: Transaction, key: str) -> bool:
    """Whether a dataset points at the snapshot `key` or a running training has pinned it."""
    if any(DatasetInternal.of(dataset).snapshot == key for dataset in tx.find("dataset")):
        return True
    versions = tx.find("solution-version", statuses=AT_WORK)
    return any(key in (VersionInternal.of(version).snapshots or {}).values() for version in versions)


class RemoveSnapshot:
    """Removes one snapshot from the object store, or leaves it to whoever pinned it."""

    kind = "remove-snapshot"
    heavy = False

    def run(self, job: Job) -> None:
        key = job.payload["key"]
        with job.scope.read() as tx:
            needed = snapshot_in_use(tx, key)
        if not needed:
            job.installation.objects.remove(key)
        with job.commit():
            job.line(f"{key} is still in use" if needed else f"{key} removed")

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        retire_snapshot(tx, job.payload["key"], job.installation.clock.now())

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "stopped")
