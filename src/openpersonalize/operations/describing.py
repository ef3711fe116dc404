"""Descriptions: `described`, what a Describe operation tells of one resource."""

from __future__ import annotations

from ..resources.kinds import KINDS
from .context import Answer, Context, Request


def described(context: Context, request: Request, kind_name: str) -> Answer:
    """All that is shown of the resource that the request names, under its kind's member: ``eventTracker`` for
    an event tracker.

    Raises:
        ResourceNotFound, InvalidInput: see `Transaction.require`.
    """
    member = KINDS[kind_name].arn_member
    with context.scope.read() as tx:
        found = tx.require(request[member], kind_name)
    return {member.removesuffix("Arn"): found.described(member)}
