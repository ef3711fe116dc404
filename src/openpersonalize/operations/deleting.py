"""Deletions: `begin_deletion`, by which every Delete operation hands a resource over to the workflow that
removes it."""

from __future__ import annotations

from collections.abc import Sequence

from ..resources.kinds import KINDS
from ..resources.store import Resource, Transaction
from .context import Answer, Context, Request
from .states import require_deletable


def begin_deletion(
    tx: Transaction,
    resource: Resource,
    *,
    unset: Sequence[str] = (),
    queue: str | None = None,
    not_before: float | None = None,
) -> None:
    """The resource is DELETE PENDING from now on.

    Args:
        resource: that may be deleted. unset: attributes that go at once. queue, not_before: see
            `Transaction.enqueue`.
    """
    tx.update(resource, status="DELETE PENDING", unset=unset)
    tx.enqueue(f"delete-{resource.kind}", resource.arn, {}, queue=queue, not_before=not_before)


def deleted(context: Context, request: Request, kind_name: str) -> Answer:
    """Delete the resource that the request names, of a kind that nothing else depends on.

    Raises:
        ResourceNotFound, InvalidInput: see `Transaction.require`.
        ResourceInUse: its state is going to change.
    """
    with context.scope.write() as tx:
        found = tx.require(request[KINDS[kind_name].arn_member], kind_name)
        require_deletable(found)
        begin_deletion(tx, found)
    return {}
