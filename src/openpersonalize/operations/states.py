"""What a resource's state permits: the same refusals, with the same words, in every operation.

A state that will change by itself (anything PENDING, IN_PROGRESS, STOPPING or DELETE) is worth waiting for:
ResourceInUseException. A final state that is not ACTIVE will not mend itself: InvalidInputException.
"""

from __future__ import annotations

from ..errors import InvalidInput, ResourceAlreadyExists, ResourceInUse, ServiceError
from ..resources.endpoints import LATEST_UPDATE, update_under_way
from ..resources.lifecycle import TRANSITIONAL
from ..resources.store import Resource, Transaction

JOBS = frozenset({"dataset-import-job", "dataset-export-job", "batch-inference-job", "batch-segment-job"})
"""Kinds whose resources nobody deletes: they stay when what they were about is gone."""

DELETABLE = frozenset({"ACTIVE", "CREATE FAILED", "INACTIVE"})


def is_transitional(status: str | None) -> bool:
    """Whether a resource with this status is going to have another one without anybody's doing."""
    return status in TRANSITIONAL


def busy(resource: Resource) -> str:
    """The sentence for a resource in a transitional state."""
    return f"Resource {resource.arn} is in use. Status: {resource.status}."


def require_active(resource: Resource, *, in_use: type[ServiceError] = ResourceInUse) -> Resource:
    """The resource itself, if it can be used.

    Args:
        resource: what a request refers to.
        in_use: the class raised for a transitional state; CreateFilter may not raise ResourceInUseException.

    Raises:
        ResourceInUse: it is being created, updated or deleted (or `in_use` instead).
        InvalidInput: it failed or was stopped.
    """
    if resource.status in (None, "ACTIVE"):
        return resource
    if is_transitional(resource.status):
        raise in_use(busy(resource))
    raise InvalidInput(f"Resource {resource.arn} has status {resource.status}; expected ACTIVE.")


def require_inactive(resource: Resource) -> None:
    """Whether a recommender can be started.

    Raises:
        ResourceInUse: its state is going to change. InvalidInput: it is in another final state.
    """
    if is_transitional(resource.status):
        raise ResourceInUse(busy(resource))
    if resource.status != "INACTIVE":
        raise InvalidInput(f"Resource {resource.arn} has status {resource.status}; expected INACTIVE.")


def require_deletable(resource: Resource) -> None:
    """Raises ResourceInUse unless the resource rests in a state from which it may be deleted."""
    if resource.status is not None and resource.status not in DELETABLE:
        raise ResourceInUse(busy(resource))


def require_no_update(endpoint: Resource) -> None:
    """Raises ResourceInUse while a campaign or recommender is being updated."""
    update = update_under_way(endpoint)
    if update is not None:
        member = LATEST_UPDATE[endpoint.kind]
        raise ResourceInUse(f"Resource {endpoint.arn} is in use. Status of {member}: {update['status']}.")


def require_unused(resource: Resource, *users: Resource | None) -> None:
    """Raises ResourceInUse naming the first of `users` that stays; None entries are skipped. Those that are
    being deleted are waited for by the deletion of `resource`."""
    for user in users:
        if user is not None and not is_leaving(user):
            raise ResourceInUse(
                f"Resource {resource.arn} cannot be deleted because it is used by {user.arn}."
            )


def is_leaving(resource: Resource) -> bool:
    """Whether a resource is being deleted."""
    return (resource.status or "").startswith("DELETE")


def staying(resources: list[Resource]) -> Resource | None:
    """The first of a list that is not being deleted, None when there is none."""
    return first([one for one in resources if not is_leaving(one)])


def require_free(tx: Transaction, arn: str) -> None:
    """Raises ResourceAlreadyExists when `arn` is taken, also by a resource that is being deleted. The record
    of a job whose dataset or solution version is gone makes room: a program that sets up anew what it deleted
    calls its jobs as before."""
    taken = tx.get(arn)
    if taken is None:
        return
    if not _outlives(tx, taken):
        raise ResourceAlreadyExists(f"Another resource with Arn {arn} already exists.")
    tx.remove(arn)


def require_none_yet(tx: Transaction, kind: str, group: Resource) -> None:
    """Raises ResourceAlreadyExists when a dataset group has one of a kind of which it may have one."""
    taken = first(tx.find(kind, group_arn=group.arn))
    if taken is not None:
        raise ResourceAlreadyExists(f"Another resource with Arn {taken.arn} already exists.")


def _outlives(tx: Transaction, job: Resource) -> bool:
    if job.kind not in JOBS or is_transitional(job.status):
        return False
    return job.parent_arn is None or tx.get(job.parent_arn) is None


def first(resources: list[Resource]) -> Resource | None:
    """The first of a list, None when it is empty."""
    return resources[0] if resources else None
