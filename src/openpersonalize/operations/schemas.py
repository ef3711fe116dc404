"""Schemas: immutable, usable at once, shared by any number of datasets."""

from __future__ import annotations

from ..datasets.schemas import parse_schema
from ..resources.quotas import check_quota
from ..resources.store import Resource
from .context import Answer, Context, Request, given
from .describing import described
from .listing import listed
from .states import is_transitional, require_free, require_unused, staying


def create_schema(context: Context, request: Request) -> Answer:
    """CreateSchema: parses the Avro record; what depends on the dataset type is checked by CreateDataset."""
    arn = context.scope.arn(f"schema/{request['name']}")
    with context.scope.write() as tx:
        require_free(tx, arn)
        parse_schema(request["schema"], request.get("domain"))
        check_quota(tx, context.installation.settings, "schema")
        tx.add("schema", arn, request["name"], attributes=given(request, "schema", "domain"))
    return {"schemaArn": arn}


def describe_schema(context: Context, request: Request) -> Answer:
    """DescribeSchema: the schema's text as it was sent."""
    return described(context, request, "schema")


def list_schemas(context: Context, request: Request) -> Answer:
    """ListSchemas."""
    return listed(context, request, "ListSchemas", "schema")


def delete_schema(context: Context, request: Request) -> Answer:
    """DeleteSchema: refused while a dataset of any group uses it that is not being deleted."""
    with context.scope.write() as tx:
        schema = tx.require(request["schemaArn"], "schema")
        require_unused(schema, staying([d for d in tx.find("dataset") if schema.arn in _schemas_of(d)]))
        tx.remove(schema.arn)
    return {}


def _schemas_of(dataset: Resource) -> set[str]:
    """The ARNs that a dataset depends on: its schema and, while it is being updated, the coming one."""
    arns = {dataset.attributes["schemaArn"]}
    update = dataset.attributes.get("latestDatasetUpdate")
    if update is not None and is_transitional(update["status"]):
        arns.add(update["schemaArn"])
    return arns
