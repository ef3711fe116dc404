"""Tags: names and values that the caller hangs on its resources."""

from __future__ import annotations

from ..errors import InvalidInput, ResourceInUse, TooManyTagKeys
from ..resources.arns import kind_of
from ..resources.kinds import KINDS
from ..resources.store import Resource, Transaction
from .context import Answer, Context, Request
from .states import busy

UNTAGGABLE = frozenset({"recipe", "algorithm", "feature-transformation"}).union(
    kind.name for kind in KINDS.values() if not kind.taggable
)
MOST_KEYS = 50


def tag_resource(context: Context, request: Request) -> Answer:
    """TagResource: adds tags or replaces the values of existing keys, all or none."""
    with context.scope.write() as tx:
        resource = _taggable(tx, request["resourceArn"])
        tx.set_tags(resource.arn, request["tags"])
    return {}


def untag_resource(context: Context, request: Request) -> Answer:
    """UntagResource: keys that the resource does not have are ignored."""
    if len(request["tagKeys"]) > MOST_KEYS:
        raise TooManyTagKeys(f"A request can name at most {MOST_KEYS} tag keys.")
    with context.scope.write() as tx:
        resource = _taggable(tx, request["resourceArn"])
        tx.remove_tags(resource.arn, request["tagKeys"])
    return {}


def list_tags_for_resource(context: Context, request: Request) -> Answer:
    """ListTagsForResource: all tags, in order of addition."""
    with context.scope.read() as tx:
        resource = _taggable(tx, request["resourceArn"])
        return {"tags": tx.tags(resource.arn)}


def _taggable(tx: Transaction, arn: str) -> Resource:
    """The resource, if its kind has tags and it is not on its way out."""
    kind = kind_of(arn)
    if kind in UNTAGGABLE:
        raise InvalidInput(f"Resource {arn} cannot be tagged: a {kind.replace('-', ' ')} has no tags.")
    resource = tx.require(arn, kind)
    if (resource.status or "").startswith("DELETE"):
        raise ResourceInUse(busy(resource))
    return resource
