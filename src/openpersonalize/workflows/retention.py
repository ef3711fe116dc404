"""Retention: when the data and the models behind the resources may go.

A snapshot that a newer import has replaced may still be read: by a training whose input it is, or by a
request that looked up its key a moment ago. So it is not removed by the import itself but by a later job,
which asks again whether anybody needs it. Models go likewise: a solution keeps those of its newest versions
(setting ``kept_models``), of the newest one trained in full, and all that something refers to. A recommender
keeps the one that answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..datasets.snapshots import Snapshot
from ..engine.workflow import Job
from ..exploration.checkpoint import remove_checkpoints
from ..resources.endpoints import update_under_way
from ..resources.internals import DataJobInternal, DatasetInternal, RecommenderInternal, VersionInternal
from ..resources.lifecycle import AT_WORK
from ..resources.store import Resource, Transaction
from ..resources.versions import age_key, newest_full_version
from ..storage.objects import ObjectStore

GRACE_SECONDS = 60.0


def retire_snapshot(tx: Transaction, key: str | None, now: float) -> None:
    """Has the snapshot `key` (None: nothing) removed after the grace, unless something refers to it then."""
    if key is not None:
        tx.enqueue("remove-snapshot", key, {"key": key}, not_before=now + GRACE_SECONDS)


def snapshots_in_use(tx: Transaction) -> set[str]:
    """Keys of the snapshots that datasets point at, or running trainings and jobs have pinned."""
    datasets = {DatasetInternal.of(dataset).snapshot for dataset in tx.find("dataset")}
    versions = tx.find("solution-version", statuses=AT_WORK)
    pinned = {key for one in versions for key in (VersionInternal.of(one).snapshots or {}).values()}
    for kind in ("batch-inference-job", "batch-segment-job", "dataset-export-job"):
        for job in tx.find(kind, statuses=AT_WORK):
            pinned.update((DataJobInternal.of(job).snapshots or {}).values())
    trainings = [RecommenderInternal.of(one).training for one in tx.find("recommender")]
    pinned |= {key for one in trainings if one is not None for key in one.snapshots.values()}
    return {key for key in datasets | pinned if key is not None}


def release_snapshots(
    tx: Transaction, group_arn: str | None, pinned: Mapping[str, str | None] | None, now: float
) -> None:
    """Lets go of the snapshots that work which is done had pinned, as far as an import has replaced them
    meanwhile."""
    current = {DatasetInternal.of(d).snapshot for d in tx.find("dataset", group_arn=group_arn)}
    for key in sorted({key for key in (pinned or {}).values() if key is not None} - current):
        retire_snapshot(tx, key, now)


def remove_snapshot(objects: ObjectStore, key: str, in_use: Iterable[str]) -> int:
    """Removes a snapshot that is not in use, and those of its parts that none of `in_use` refers to:
    reference counting, with the manifests as the references. Run again after a crash it removes what is
    left: the manifest, which says what that is, goes last.

    Returns:
        How many folders of parts were removed.
    """
    if not objects.exists(key):
        return 0
    used: set[str] = set()
    for other in in_use:
        if other != key and objects.exists(other):
            used |= Snapshot.open(objects, other).part_keys
    unused = Snapshot.open(objects, key).part_keys - used
    for part in sorted(unused):
        objects.remove(part)
    objects.remove(key)
    return len(unused)


class RemoveSnapshot:
    """Removes one snapshot from the object store, or leaves it to whoever pinned it."""

    kind = "remove-snapshot"
    heavy = False

    def run(self, job: Job) -> None:
        key = job.payload["key"]
        with job.scope.read() as tx:
            in_use = snapshots_in_use(tx)
        needed = key in in_use
        if not needed:
            remove_snapshot(job.installation.objects, key, in_use)
        with job.commit():
            job.line(f"{key} is still in use" if needed else f"{key} removed")

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        retire_snapshot(tx, job.payload["key"], job.installation.clock.now())

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "stopped")


def retire_models(tx: Transaction, solution_arn: str, now: float) -> None:
    """Has the models of a solution that nobody needs removed after the grace."""
    tx.enqueue("retire-models", solution_arn, {}, not_before=now + GRACE_SECONDS)


def superseded(tx: Transaction, solution_arn: str, kept: int) -> list[Resource]:
    """The ACTIVE versions of a solution whose models may go, oldest first.

    Args:
        tx: where its versions, campaigns and jobs are.
        solution_arn: the solution.
        kept: how many of the newest keep theirs; 0: all.
    """
    versions = sorted(tx.find("solution-version", parent_arn=solution_arn, statuses=("ACTIVE",)), key=age_key)
    full = newest_full_version(tx, solution_arn)
    needed = _referred_to(tx, solution_arn, versions) | ({full.arn} if full is not None else set())
    old = versions[:-kept] if kept else []
    return [one for one in old if one.arn not in needed and not VersionInternal.of(one).retired]


def _referred_to(tx: Transaction, solution_arn: str, versions: list[Resource]) -> set[str]:
    """ARNs of versions whose models are deployed or about to be, or are the base of a training or the input
    of a batch job at work."""
    group = versions[0].group_arn if versions else None
    arns = set()
    for campaign in tx.find("campaign", group_arn=group):
        arns.add(campaign.attributes.get("solutionVersionArn", ""))
        arns.add((update_under_way(campaign) or {}).get("solutionVersionArn", ""))
    for kind in ("batch-inference-job", "batch-segment-job"):
        for job in tx.find(kind, group_arn=group, statuses=AT_WORK):
            arns.add(job.attributes["solutionVersionArn"])
    trainings = tx.find("solution-version", parent_arn=solution_arn, statuses=AT_WORK)
    bases = {VersionInternal.of(one).base_artifact for one in trainings}
    arns.update(one.arn for one in versions if VersionInternal.of(one).artifact in bases)
    return arns


class RetireModels:
    """Removes the models of a solution that nobody needs any more. Their versions stay, with their metrics,
    and say so to whoever wants to deploy them."""

    kind = "retire-models"
    heavy = False

    def run(self, job: Job) -> None:
        installation = job.installation
        with job.scope.write() as tx:
            if tx.get(job.resource_arn, "solution") is not None:
                for version in superseded(tx, job.resource_arn, installation.settings.kept_models):
                    tx.update(version, internal={"retired": True}, touch=False)
            versions = tx.find("solution-version", parent_arn=job.resource_arn)
        # From here on nobody can begin to use them; a run that is cut short is done again from the start.
        for version in versions:
            internal = VersionInternal.of(version)
            if internal.retired and internal.artifact is not None:
                if installation.objects.exists(internal.artifact):
                    job.line(f"the model of {version.arn} is removed: newer ones are kept")
                installation.objects.remove(internal.artifact)
                remove_checkpoints(installation.objects, installation.settings.data, internal.artifact)
        with job.commit():
            pass

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        retire_models(tx, job.resource_arn, job.installation.clock.now())

    def stopped(self, job: Job, tx: Transaction) -> None:
        """Whatever ends the solution removes its models."""


def retire_artifact(tx: Transaction, key: str, now: float) -> None:
    """Has the model of a recommender that another has replaced removed after the grace."""
    tx.enqueue("remove-artifact", key, {"key": key}, not_before=now + GRACE_SECONDS)


class RemoveArtifact:
    """Removes one model that nothing refers to any more."""

    kind = "remove-artifact"
    heavy = False

    def run(self, job: Job) -> None:
        key, installation = job.payload["key"], job.installation
        installation.objects.remove(key)
        remove_checkpoints(installation.objects, installation.settings.data, key)
        with job.commit():
            job.line(f"{key} removed")

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        retire_artifact(tx, job.payload["key"], job.installation.clock.now())

    def stopped(self, job: Job, tx: Transaction) -> None:
        self.failed(job, tx, "stopped")
