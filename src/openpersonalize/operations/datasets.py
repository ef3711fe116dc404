"""Datasets: one of each type in a group, empty at first, known by group and type."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from ..datasets.schema_rules import check_schema_for
from ..datasets.schemas import DATASET_TYPES, Schema, parse_schema
from ..errors import InvalidInput, ResourceInUse
from ..resources.endpoints import update_under_way
from ..resources.internals import RecommenderInternal
from ..resources.lifecycle import AT_WORK
from ..resources.store import Resource, Transaction
from .context import Answer, Context, Request, given
from .deleting import begin_deletion
from .describing import described
from .listing import listed
from .states import busy, first, require_active, require_deletable, require_free, require_unused

CUSTOM_ONLY = frozenset({"ACTIONS", "ACTION_INTERACTIONS"})


def create_dataset(context: Context, request: Request) -> Answer:
    """CreateDataset: ACTIVE at return, so that imports and streamed writes may follow at once."""
    kind = request["datasetType"].upper()
    if kind not in DATASET_TYPES:
        raise InvalidInput(
            f"{request['datasetType']} is not a dataset type; write one of {', '.join(DATASET_TYPES)}."
        )
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        schema = tx.require(request["schemaArn"], "schema")
        arn = context.scope.arn(f"dataset/{group.name}/{kind}")
        require_free(tx, arn)
        require_active(group)
        _check_content(schema, kind, group)
        attributes = {"datasetType": kind, **given(request, "datasetGroupArn", "schemaArn")}
        if kind == "ACTION_INTERACTIONS":
            attributes["trackingId"] = str(uuid.uuid4())
        tx.add(
            "dataset",
            arn,
            request["name"],
            group_arn=group.arn,
            parent_arn=schema.arn,
            status="ACTIVE",
            attributes=attributes,
            tags=request.get("tags"),
        )
    return {"datasetArn": arn}


def describe_dataset(context: Context, request: Request) -> Answer:
    """DescribeDataset: during an UpdateDataset the old schema until the new one is in force."""
    return described(context, request, "dataset")


def list_datasets(context: Context, request: Request) -> Answer:
    """ListDatasets."""
    return listed(context, request, "ListDatasets", "dataset")


def update_dataset(context: Context, request: Request) -> Answer:
    """UpdateDataset: replaces the schema of an Items or Users dataset by one with more, nullable fields."""
    with context.scope.write() as tx:
        dataset = tx.require(request["datasetArn"], "dataset")
        schema = tx.require(request["schemaArn"], "schema")
        require_active(dataset)
        _require_idle(tx, dataset)
        group = tx.require(dataset.attributes["datasetGroupArn"], "dataset-group")
        _check_replacement(tx, dataset, schema, group)
        now = context.now
        update = {
            "schemaArn": schema.arn,
            "status": "UPDATE PENDING",
            "creationDateTime": now,
            "lastUpdatedDateTime": now,
        }
        tx.update(dataset, status="UPDATE PENDING", set={"latestDatasetUpdate": update})
        tx.enqueue("update-dataset", dataset.arn, {})
    return {"datasetArn": dataset.arn}


def delete_dataset(context: Context, request: Request) -> Answer:
    """DeleteDataset: refused while an import, a training or an update of its data is under way."""
    with context.scope.write() as tx:
        dataset = tx.require(request["datasetArn"], "dataset")
        require_deletable(dataset)
        group_arn = dataset.attributes["datasetGroupArn"]
        for kind in ("dataset-import-job", "dataset-export-job"):
            require_unused(dataset, first(tx.find(kind, parent_arn=dataset.arn, statuses=AT_WORK)))
        for kind in ("solution-version", "data-deletion-job"):
            require_unused(dataset, first(tx.find(kind, group_arn=group_arn, statuses=AT_WORK)))
        require_unused(dataset, _trained_recommender(tx, group_arn))
        begin_deletion(tx, dataset)
    return {}


def require_datasets(tx: Transaction, group_arn: str, needs: Sequence[str]) -> None:
    """Whether a group has the datasets that a training needs.

    Raises:
        InvalidInput: one is not there. ResourceInUse: one is being deleted.
    """
    datasets = {d.attributes["datasetType"]: d for d in tx.find("dataset", group_arn=group_arn)}
    missing = [kind for kind in needs if kind not in datasets]
    if missing:
        raise InvalidInput(
            f"Training needs a dataset of type {' and '.join(missing)} in {group_arn}; create it first."
        )
    for kind in needs:
        if (datasets[kind].status or "").startswith("DELETE"):
            raise ResourceInUse(busy(datasets[kind]))


def _trained_recommender(tx: Transaction, group_arn: str) -> Resource | None:
    """A recommender of the group that is being trained, or is about to be."""
    return first(
        [
            one
            for one in tx.find("recommender", group_arn=group_arn)
            if one.status in AT_WORK
            or RecommenderInternal.of(one).training is not None
            or update_under_way(one) is not None
        ]
    )


def _check_content(schema: Resource, kind: str, group: Resource) -> None:
    """Whether `schema` may describe a dataset of type `kind` in `group`."""
    domain = group.attributes.get("domain")
    if domain and kind in CUSTOM_ONLY:
        raise InvalidInput(f"A Domain dataset group cannot hold a dataset of type {kind}.")
    if schema.attributes.get("domain") != domain:
        raise InvalidInput(
            f"The domain of schema {schema.arn} ({schema.attributes.get('domain') or 'none'}) must equal"
            f" the domain of dataset group {group.arn} ({domain or 'none'})."
        )
    check_schema_for(_parsed(schema), kind, domain)


def _check_replacement(tx: Transaction, dataset: Resource, schema: Resource, group: Resource) -> None:
    """Whether `schema` may take the place of the dataset's present one; all violations in one message."""
    kind = dataset.attributes["datasetType"]
    if kind not in ("ITEMS", "USERS"):
        raise InvalidInput(f"Only Items and Users datasets can be updated; {dataset.arn} has type {kind}.")
    if schema.arn == dataset.attributes["schemaArn"]:
        raise InvalidInput(f"Dataset {dataset.arn} already has schema {schema.arn}.")
    _check_content(schema, kind, group)
    old = _parsed(tx.require(dataset.attributes["schemaArn"], "schema"))
    new = _parsed(schema)
    problems = [
        f"field {field.name} must be kept with the same type and attributes"
        for field in old.fields
        if new.field(field.name) != field
    ]
    problems += [
        f"added field {field.name} must allow null"
        for field in new.fields
        if old.field(field.name) is None and not field.nullable
    ]
    if problems:
        raise InvalidInput(
            f"Schema {schema.arn} cannot replace {dataset.attributes['schemaArn']}: {'; '.join(problems)}."
        )


def _require_idle(tx: Transaction, dataset: Resource) -> None:
    """No import or export may read the dataset's schema while it changes."""
    for kind in ("dataset-import-job", "dataset-export-job"):
        job = first(tx.find(kind, parent_arn=dataset.arn, statuses=AT_WORK))
        if job is not None:
            raise ResourceInUse(busy(job))


def _parsed(schema: Resource) -> Schema:
    return parse_schema(schema.attributes["schema"], schema.attributes.get("domain"))
