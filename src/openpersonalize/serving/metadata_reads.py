"""What the metadata store says about campaigns, recommenders and filters, as serving needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..datasets.schemas import Schema, parse_schema
from ..recipes.facts import Offer
from ..recipes.registry import facts_of
from ..resources.endpoints import update_under_way
from ..resources.internals import DatasetInternal, RecommenderInternal, VersionInternal
from ..resources.store import Resource, Scope, Transaction
from ..resources.versions import updates_until


@dataclass(frozen=True)
class DatasetEntry:
    """One dataset of a group: ARN, schema text, the key of the snapshot in force."""

    arn: str
    schema: str
    snapshot: str | None

    def parsed(self) -> Schema:
        """The schema."""
        return parse_schema(self.schema)


Datasets = dict[str, DatasetEntry]


@dataclass(frozen=True)
class EndpointEntry:
    """The row of a campaign or recommender and what hangs on it.

    Attributes:
        status: its own.
        version: ARN of the version, or the recommender, whose model serves; artifact: key of that model,
            None when it has none.
        recipe: ARN of its recipe.
        config: the campaignConfig or recommenderConfig that is in force.
        upcoming, upcoming_recipe: artifact and recipe of an update that is on its way, to be loaded ahead.
        until: the place in the live log where the model's automatic updates end; None: they go on.
        datasets: the group's datasets by type.
    """

    arn: str
    group: str
    status: str
    version: str
    artifact: str | None
    recipe: str
    config: dict[str, Any]
    upcoming: str | None
    upcoming_recipe: str
    until: int | None
    datasets: Datasets

    def upcoming_entry(self) -> EndpointEntry | None:
        """This entry as it will be once its update is through; None without one."""
        if self.upcoming is None or self.upcoming == self.artifact:
            return None
        return replace(self, artifact=self.upcoming, recipe=self.upcoming_recipe, upcoming=None, until=None)


@dataclass(frozen=True)
class FilterEntry:
    """A filter's row and the schemas of its group."""

    arn: str
    group: str
    status: str
    expression: str
    datasets: Datasets


def read_endpoint(scope: Scope, arn: str) -> EndpointEntry | None:
    """The campaign or recommender named `arn` in `scope`, None when there is none."""
    with scope.read() as tx:
        row = tx.get(arn)
        if row is None or row.group_arn is None:
            return None
        if row.kind == "recommender":
            return _recommender_entry(tx, row, row.group_arn)
        if row.kind != "campaign":
            return None
        version = tx.require(row.attributes["solutionVersionArn"], "solution-version")
        coming = _upcoming(tx, row)
        return EndpointEntry(
            arn,
            row.group_arn,
            row.status or "",
            version.arn,
            VersionInternal.of(version).artifact,
            version.attributes["recipeArn"],
            row.attributes.get("campaignConfig") or {},
            VersionInternal.of(coming).artifact if coming is not None else None,
            coming.attributes["recipeArn"] if coming is not None else "",
            _until(tx, version),
            _datasets(tx, row.group_arn),
        )


def _until(tx: Transaction, version: Resource) -> int | None:
    """The place in the live log from which on new items join no more; None: they go on."""
    recipe = facts_of(version.attributes["recipeArn"])
    if recipe is None or Offer.AUTO_UPDATE in recipe.offers:
        return updates_until(tx, version)
    solution = None if version.parent_arn is None else tx.get(version.parent_arn)
    if solution is not None and solution.attributes.get("performIncrementalUpdate") is False:
        return int(VersionInternal.of(version).position)
    return None


def _recommender_entry(tx: Transaction, row: Resource, group: str) -> EndpointEntry:
    return EndpointEntry(
        row.arn,
        group,
        row.status or "",
        row.arn,
        RecommenderInternal.of(row).artifact,
        row.attributes["recipeArn"],
        row.attributes["recommenderConfig"],
        None,
        "",
        None,
        _datasets(tx, group),
    )


def read_filter(scope: Scope, arn: str) -> FilterEntry | None:
    """The filter named `arn` in `scope`, None when there is none."""
    with scope.read() as tx:
        row = tx.get(arn, "filter")
        if row is None or row.group_arn is None:
            return None
        expression = row.attributes["filterExpression"]
        return FilterEntry(arn, row.group_arn, row.status or "", expression, _datasets(tx, row.group_arn))


def _upcoming(tx: Transaction, campaign: Resource) -> Resource | None:
    """The version that an update of the campaign, not yet through, will deploy."""
    update = update_under_way(campaign)
    if update is None:
        return None
    return tx.get(update["solutionVersionArn"], "solution-version")


def _datasets(tx: Transaction, group: str) -> Datasets:
    found = {}
    for row in tx.find("dataset", group_arn=group):
        if (row.status or "").startswith("DELETE"):
            continue
        schema = tx.require(row.attributes["schemaArn"], "schema").attributes["schema"]
        found[row.attributes["datasetType"]] = DatasetEntry(row.arn, schema, DatasetInternal.of(row).snapshot)
    return found
