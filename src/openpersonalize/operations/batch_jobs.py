"""Batch jobs, `BatchKind`: what CreateBatchInferenceJob and CreateBatchSegmentJob have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidInput
from ..filters.compiler import CompiledFilter, compile_filter
from ..recipes.facts import Facts
from ..resources.kinds import KINDS
from ..resources.quotas import check_quota
from ..resources.store import Resource, Transaction
from ..storage.buckets import check_location
from .campaigns import usable_version
from .context import Answer, Context, Request, given
from .filters import group_schemas
from .recipes import named_recipe
from .states import require_active, require_free

MEMBERS = ("jobName", "solutionVersionArn", "filterArn", "numResults", "jobInput", "jobOutput", "roleArn")
"""Of a request for either kind."""


@dataclass(frozen=True)
class BatchKind:
    """One kind of batch job.

    Attributes:
        name: that of its workflow; with ``-job`` behind it that of the resource.
        most_results: ``numResults`` at most. target: what its filters decide about.
        check: raises InvalidInput where a request does not go with the version and its recipe.
        against: why a filter cannot be used with a recipe, None where it can.
        members: of a request, beside `MEMBERS`.
    """

    name: str
    most_results: int
    target: str
    check: Callable[[Transaction, Resource, Facts, Request], None]
    against: Callable[[CompiledFilter, Facts], str | None]
    members: tuple[str, ...] = ()


def created(context: Context, request: Request, kind: BatchKind, **attributes: Any) -> Answer:
    """A new job with the request's members and these `attributes`.

    Raises:
        InvalidInput, ResourceNotFound, ResourceAlreadyExists, ResourceInUse, LimitExceeded: see the
            operations.
    """
    _check_paths(request)
    if not 1 <= request.get("numResults", 1) <= kind.most_results:
        raise InvalidInput(f"numResults must be from 1 to {kind.most_results}.")
    resource = KINDS[f"{kind.name}-job"]
    arn = context.scope.arn(f"{resource.name}/{request['jobName']}")
    with context.scope.write() as tx:
        version = tx.require(request["solutionVersionArn"], "solution-version")
        chosen = request.get("filterArn")
        filtered = None if chosen is None else tx.require(chosen, "filter")
        require_free(tx, arn)
        usable_version(tx, version)
        recipe = named_recipe(version.attributes["recipeArn"])
        kind.check(tx, version, recipe, request)
        if filtered is not None:
            _check_filter(tx, filtered, version, recipe, kind)
        check_quota(tx, context.installation.settings, resource.name)
        tx.add(
            resource.name,
            arn,
            request["jobName"],
            group_arn=version.group_arn,
            parent_arn=version.arn,
            status="CREATE PENDING",
            attributes={**given(request, *MEMBERS, *kind.members), **attributes},
            tags=request.get("tags"),
        )
        tx.enqueue(kind.name, arn, {})
    return {resource.arn_member: arn}


def _check_paths(request: Request) -> None:
    """Check where a batch job reads and writes.

    Raises:
        InvalidInput: a location is none, or the output is no folder, or the input itself.
    """
    source = _path(request, "jobInput", "s3DataSource", "input")
    destination = _path(request, "jobOutput", "s3DataDestination", "output")
    if not destination.endswith("/") or destination.rstrip("/") == source.rstrip("/"):
        raise InvalidInput("Invalid S3 output path")


def _path(request: Request, member: str, inside: str, way: str) -> str:
    """The location in a member of the request."""
    path: str = request[member].get(inside, {}).get("path", "")
    try:
        check_location(path)
    except InvalidInput:
        raise InvalidInput(f"Invalid S3 {way} path") from None
    return path


def _check_filter(
    tx: Transaction, chosen: Resource, version: Resource, recipe: Facts, kind: BatchKind
) -> None:
    """Check that a filter can be used with every line.

    Raises:
        InvalidInput, ResourceInUse: it cannot.
    """
    require_active(chosen)
    schemas = group_schemas(tx, chosen.group_arn or "")
    compiled = compile_filter(chosen.attributes["filterExpression"], schemas)
    if chosen.group_arn != version.group_arn:
        reason: str | None = "it belongs to another dataset group"
    elif compiled.target != kind.target:
        reason = f"it filters {compiled.target}, not {kind.target}"
    else:
        reason = kind.against(compiled, recipe)
    if reason is not None:
        raise InvalidInput(f"Filter {chosen.arn} cannot be used with this request: {reason}.")
