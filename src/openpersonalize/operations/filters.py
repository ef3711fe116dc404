"""Filters: an expression that decides which items, users or actions an answer may hold."""

from __future__ import annotations

from ..datasets.schemas import Schema, parse_schema
from ..errors import InvalidInput
from ..filters.checker import check
from ..filters.language import parse
from ..resources.quotas import check_filter_fields, check_quota
from ..resources.store import Transaction
from .context import Answer, Context, Request, given
from .deleting import begin_deletion
from .describing import described
from .listing import listed
from .states import first, require_active, require_deletable, require_free, require_unused

BATCH_KINDS = ("batch-inference-job", "batch-segment-job")


def create_filter(context: Context, request: Request) -> Answer:
    """CreateFilter: every mistake in the expression is reported here; what is created is ACTIVE."""
    arn = context.scope.arn(f"filter/{request['name']}")
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        require_free(tx, arn)
        require_active(group, in_use=InvalidInput)
        fields = check(parse(request["filterExpression"]), group_schemas(tx, group.arn))
        check_quota(tx, context.installation.settings, "filter", group.arn)
        check_filter_fields(tx, context.installation.settings, group.arn, fields)
        tx.add(
            "filter",
            arn,
            request["name"],
            group_arn=group.arn,
            status="ACTIVE",
            attributes=given(request, "datasetGroupArn", "filterExpression"),
            internal={"fields": sorted(fields)},
            tags=request.get("tags"),
        )
    return {"filterArn": arn}


def describe_filter(context: Context, request: Request) -> Answer:
    """DescribeFilter: the expression unchanged."""
    return described(context, request, "filter")


def list_filters(context: Context, request: Request) -> Answer:
    """ListFilters; its list is called `Filters`, with a capital letter, on the wire."""
    return listed(context, request, "ListFilters", "filter")


def delete_filter(context: Context, request: Request) -> Answer:
    """DeleteFilter: refused while a batch job uses it."""
    with context.scope.write() as tx:
        chosen = tx.require(request["filterArn"], "filter")
        require_deletable(chosen)
        for kind in BATCH_KINDS:
            running = tx.find(
                kind, group_arn=chosen.group_arn, statuses=("CREATE PENDING", "CREATE IN_PROGRESS")
            )
            require_unused(chosen, first([j for j in running if j.attributes.get("filterArn") == chosen.arn]))
        begin_deletion(tx, chosen)
    return {}


def group_schemas(tx: Transaction, group_arn: str) -> dict[str, Schema]:
    """The schemas of a group's datasets by dataset type; datasets that are being deleted do not count."""
    schemas = {}
    for dataset in tx.find("dataset", group_arn=group_arn):
        if not (dataset.status or "").startswith("DELETE"):
            row = tx.require(dataset.attributes["schemaArn"], "schema")
            schemas[dataset.attributes["datasetType"]] = parse_schema(row.attributes["schema"])
    return schemas
