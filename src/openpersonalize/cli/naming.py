"""Names of resources as people type them: a name, an ARN, or nothing where there is only one: `found`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from ..errors import InvalidInput, OpenPersonalizeError, ResourceNotFound
from .connection import Connection


class Listing(NamedTuple):
    """How a kind of resource is listed: the operation, the members with the list and an ARN, in words."""

    operation: str
    member: str
    arn: str
    words: str


GROUPS = Listing("list_dataset_groups", "datasetGroups", "datasetGroupArn", "dataset group")
SOLUTIONS = Listing("list_solutions", "solutions", "solutionArn", "solution")
CAMPAIGNS = Listing("list_campaigns", "campaigns", "campaignArn", "campaign")
RECOMMENDERS = Listing("list_recommenders", "recommenders", "recommenderArn", "recommender")
FILTERS = Listing("list_filters", "Filters", "filterArn", "filter")
DATASETS = Listing("list_datasets", "datasets", "datasetArn", "dataset")
IMPORTS = Listing("list_dataset_import_jobs", "datasetImportJobs", "datasetImportJobArn", "import job")
VERSIONS = Listing("list_solution_versions", "solutionVersions", "solutionVersionArn", "solution version")


def listed(connection: Connection, kind: Listing, **within: str) -> list[dict[str, Any]]:
    """All resources of a kind, those of a group or solution where `within` names one."""
    pages = connection.client("personalize").get_paginator(kind.operation).paginate(**within)
    return [one for page in pages for one in page[kind.member]]


def found(connection: Connection, kind: Listing, wanted: str | None, any_region: bool = False) -> str:
    """The ARN of a resource that somebody names; of the only one where nobody does. `any_region`: what is
    asked takes ARNs of every region.

    Raises:
        ResourceNotFound: there is none of that name in the region; the sentence says where there is.
        InvalidInput: there are several and none was named, or an ARN is of another region.
    """
    if wanted is not None and wanted.startswith("arn:"):
        if not any_region:
            _check_region(connection, wanted)
        return wanted
    there = listed(connection, kind)
    names = ", ".join(sorted(str(one["name"]) for one in there))
    if wanted is None:
        if len(there) == 1:
            return str(there[0][kind.arn])
        if not there:
            told = f"There is no {kind.words} in region {connection.region}."
            raise ResourceNotFound(told + other_region(connection, kind))
        raise InvalidInput(f"There are several: name the {kind.words}, one of {names}.")
    for one in there:
        if one["name"] == wanted:
            return str(one[kind.arn])
    told = f"There is no {kind.words} {wanted} in region {connection.region}; "
    told += f"there are {names}." if names else "there is none."
    raise ResourceNotFound(told + other_region(connection, kind, wanted))


def _check_region(connection: Connection, arn: str) -> None:
    """Raises InvalidInput for an ARN of another region than the one that is asked."""
    region = [*arn.split(":", 4), "", "", "", ""][3]
    if region and region != connection.region:
        raise InvalidInput(
            f"{arn} is of region {region}, and {connection.region} is the one that is asked: say --region"
            f" {region}."
        )


def other_region(connection: Connection, kind: Listing, wanted: str | None = None) -> str:
    """What to add, where a region has none of that name (or none at all), about those that have; empty where
    none has, or whoever asks may not know."""
    with suppress(OpenPersonalizeError, ClientError):
        jobs = connection.page("/v1/jobs")["jobs"]
        for region, names in elsewhere(connection, kind, jobs).items():
            if wanted is None:
                return f" Region {region} has {', '.join(names)}: say --region {region}."
            if wanted in names:
                return f" Region {region} has it: say --region {region}."
    return ""


def elsewhere(
    connection: Connection, kind: Listing, jobs: Iterable[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Those of a kind in the other regions that have had a job, by region: their names, sorted."""
    # The server's own jobs belong to no resource, and so to no region.
    arns = [str(one["arn"]).split(":") for one in jobs if str(one["arn"]).startswith("arn:")]
    regions = sorted({arn[3] for arn in arns} - {connection.region})
    there = {
        region: sorted(str(one["name"]) for one in listed(Connection(connection.address, region), kind))
        for region in regions
    }
    return {region: names for region, names in there.items() if names}
