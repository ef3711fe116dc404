"""Names of resources as people type them: a name, an ARN, or nothing where there is only one: `found`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import InvalidInput, ResourceNotFound
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


def found(connection: Connection, kind: Listing, wanted: str | None, **within: str) -> str:
    """The ARN of a resource that somebody names; of the only one where nobody does.

    Raises:
        ResourceNotFound: there is none of that name.
        InvalidInput: there are several and none was named.
    """
    if wanted is not None and wanted.startswith("arn:"):
        return wanted
    there = listed(connection, kind, **within)
    names = ", ".join(sorted(str(one["name"]) for one in there))
    if wanted is None:
        if len(there) == 1:
            return str(there[0][kind.arn])
        if not there:
            raise ResourceNotFound(f"There is no {kind.words} in region {connection.region}.")
        raise InvalidInput(f"There are several: name the {kind.words}, one of {names}.")
    for one in there:
        if one["name"] == wanted:
            return str(one[kind.arn])
    raise ResourceNotFound(
        f"There is no {kind.words} {wanted} in region {connection.region}; "
        f"{f'there are {names}' if names else 'there is none'}."
    )
