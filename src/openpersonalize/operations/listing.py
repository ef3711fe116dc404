"""Listings: pages by position, so that what is created meanwhile never repeats or hides an entry."""

from __future__ import annotations

from ..errors import InvalidInput
from ..resources.arns import kind_of
from ..resources.tokens import decode, encode
from .context import Answer, Context, Request

PAGE = 100
FILTER_KINDS = {
    "datasetGroupArn": "dataset-group",
    "datasetArn": "dataset",
    "solutionArn": "solution",
    "solutionVersionArn": "solution-version",
}


def listed(
    context: Context,
    request: Request,
    operation: str,
    kind: str,
    key: str,
    *,
    group: str | None = None,
    parent: str | None = None,
) -> Answer:
    """One page of the resources of `kind`, oldest first: exactly the list and, when more follow, `nextToken`.

    Args:
        context: the call.
        request: may hold the filter member, `maxResults` (default 100) and `nextToken`.
        operation: its name; a token is good for the operation and filter that made it.
        kind: kind of resource.
        key: member of the answer that holds the list.
        group: the request's member that narrows the list to a dataset group.
        parent: the request's member that narrows the list to a parent. An unknown one gives an empty list.

    Raises:
        InvalidInput: the filter ARN names another kind of resource.
        InvalidNextToken: the token is damaged or belongs to another listing.
    """
    member = group or parent
    wanted = request.get(member) if member else None
    if member and wanted is not None and kind_of(wanted) != FILTER_KINDS[member]:
        raise InvalidInput(f"{member} {wanted} is not the ARN of a {FILTER_KINDS[member].replace('-', ' ')}.")
    limit = request.get("maxResults", PAGE)
    after = decode(request["nextToken"], operation, wanted) if "nextToken" in request else None
    with context.scope.read() as tx:
        found = tx.page(
            kind,
            group_arn=wanted if group else None,
            parent_arn=wanted if parent else None,
            after=after,
            limit=limit + 1,
        )
    page = found[:limit]
    answer: Answer = {key: [resource.described(_arn_member(kind)) for resource in page]}
    if len(found) > limit:
        answer["nextToken"] = encode(operation, wanted, [page[-1].created_at, page[-1].arn])
    return answer


def _arn_member(kind: str) -> str:
    """The member that carries the ARN of a resource: ``datasetGroupArn`` for kind ``dataset-group``."""
    first, *rest = kind.split("-")
    return first + "".join(word.capitalize() for word in rest) + "Arn"
