"""Listings: pages by position, so that what is created meanwhile never repeats or hides an entry."""

from __future__ import annotations

from ..errors import InvalidInput
from ..resources.arns import kind_of
from ..resources.kinds import KINDS
from ..resources.tokens import decode, encode
from .context import Answer, Context, Request

PAGE = 100


def listed(
    context: Context, request: Request, operation: str, kind_name: str, *, newest_first: bool = False
) -> Answer:
    """One page of the resources of a kind, oldest first unless asked otherwise: exactly the list and, when
    more follow, `nextToken`.

    Args:
        context: the call.
        request: may hold the kind's filter member, `maxResults` (default 100) and `nextToken`. An ARN of
            nothing that exists gives an empty list.
        operation: its name; a token is good for the operation and filter that made it.
        kind_name: name of the kind.

    Raises:
        InvalidInput: the filter ARN names another kind of resource.
        InvalidNextToken: the token is damaged or belongs to another listing.
    """
    kind = KINDS[kind_name]
    member = kind.listed_by
    wanted = request.get(member) if member else None
    if wanted is not None:
        filtering = next(one for one in KINDS.values() if one.arn_member == member)
        if kind_of(wanted) != filtering.name:
            raise InvalidInput(f"{member} {wanted} is not the ARN of a {filtering.words}.")
    in_group = member == "datasetGroupArn"
    limit = request.get("maxResults", PAGE)
    after = decode(request["nextToken"], operation, wanted) if "nextToken" in request else None
    with context.scope.read() as tx:
        found = tx.page(
            kind.name,
            group_arn=wanted if in_group else None,
            parent_arn=None if in_group else wanted,
            after=after,
            limit=limit + 1,
            newest_first=newest_first,
        )
    page = found[:limit]
    answer: Answer = {kind.listed_under: [resource.described(kind.arn_member) for resource in page]}
    if len(found) > limit:
        answer["nextToken"] = encode(operation, wanted, [page[-1].created_at, page[-1].arn])
    return answer
