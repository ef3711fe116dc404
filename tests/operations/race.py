"""Calls of clients who meet at the same names, and what must hold of a region afterwards."""

from __future__ import annotations

from typing import Any

import botocore
from botocore.exceptions import ClientError

import shop
from live import Wait

RECIPE = "arn:aws:personalize:::recipe/aws-popularity-count"
NAMES = ("one", "two")
EXPRESSION = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click")'
PARENTS = {
    "ListDatasets": ("datasetArn", ("datasetGroupArn", "schemaArn")),
    "ListFilters": ("filterArn", ("datasetGroupArn",)),
    "ListEventTrackers": ("eventTrackerArn", ("datasetGroupArn",)),
    "ListSolutions": ("solutionArn", ("datasetGroupArn",)),
    "ListSolutionVersions": ("solutionVersionArn", ("solutionArn", "datasetGroupArn")),
    "ListDatasetImportJobs": ("datasetImportJobArn", ("datasetArn",)),
    "ListDatasetGroups": ("datasetGroupArn", ()),
    "ListSchemas": ("schemaArn", ()),
}
"""List operation -> the member that names an entry, the members of its description that name others."""

MAKING = (
    "CreateDatasetGroup",
    "CreateSchema",
    "CreateDataset",
    "UpdateDataset",
    "CreateFilter",
    "CreateEventTracker",
    "CreateSolution",
    "UpdateSolution",
    "TagResource",
    "UntagResource",
)
REMOVING = (
    "DeleteFilter",
    "DeleteEventTracker",
    "DeleteSolution",
    "DeleteDataset",
    "DeleteSchema",
    "DeleteDatasetGroup",
)
WORKING = ("CreateSolutionVersion", "CreateDatasetImportJob")


def request_of(
    personalize: Any, operation: str, prefix: str, name: str, other: str, job: str, location: str
) -> dict[str, Any]:
    """A request that fits, if what it names is there.

    Args:
        prefix: of the ARNs of a region. name, other: of `NAMES`.
        job: a name that nobody has used. location: of a file of interactions.
    """
    group, schema = f"{prefix}:dataset-group/{name}", f"{prefix}:schema/{other}"
    dataset, solution = f"{prefix}:dataset/{name}/INTERACTIONS", f"{prefix}:solution/{name}"
    in_group = {"name": name, "datasetGroupArn": group}
    match operation:
        case "CreateDatasetGroup":
            return {"name": name}
        case "CreateSchema":
            return {"name": other, "schema": shop.SCHEMAS["Interactions"]}
        case "CreateDataset":
            return {**in_group, "datasetType": "Interactions", "schemaArn": schema}
        case "UpdateDataset":
            return {"datasetArn": dataset, "schemaArn": schema}
        case "CreateFilter":
            return {**in_group, "filterExpression": EXPRESSION}
        case "CreateEventTracker":
            return in_group
        case "CreateSolution":
            return {**in_group, "recipeArn": RECIPE, "performAutoTraining": False}
        case "UpdateSolution":
            return {"solutionArn": solution, "performAutoTraining": False}
        case "TagResource":
            return {"resourceArn": group, "tags": [{"tagKey": job, "tagValue": ""}]}
        case "UntagResource":
            return {"resourceArn": group, "tagKeys": [job]}
        case "DeleteFilter":
            return {"filterArn": f"{prefix}:filter/{name}"}
        case "DeleteEventTracker":
            trackers = personalize.list_event_trackers()["eventTrackers"]
            none = f"{prefix}:event-tracker/00000000"
            return {"eventTrackerArn": trackers[0]["eventTrackerArn"] if trackers else none}
        case "DeleteSolution" | "CreateSolutionVersion":
            return {"solutionArn": solution}
        case "DeleteDataset":
            return {"datasetArn": dataset}
        case "DeleteSchema":
            return {"schemaArn": schema}
        case "DeleteDatasetGroup":
            return {"datasetGroupArn": group}
        case _:
            source = {"dataLocation": location}
            return {"jobName": job, "datasetArn": dataset, "dataSource": source}


def check_whole(personalize: Any) -> None:
    """Once nothing is under way any more, lists and descriptions agree, and what is named is there."""
    wait = Wait(personalize)
    for operation, (member, _) in PARENTS.items():
        for entry in entries(personalize, operation):
            settled(wait, entry[member])
    for operation, (member, parents) in PARENTS.items():
        for entry in entries(personalize, operation):
            described = wait.describe(entry[member])
            assert {name: described[name] for name in entry if name in described} == entry
            for parent in parents:
                if not (operation == "ListDatasetImportJobs" and gone(wait, described[parent])):
                    assert wait.describe(described[parent]).get("status", "ACTIVE") == "ACTIVE"


def entries(personalize: Any, operation: str) -> list[dict[str, Any]]:
    """What a List operation lists."""
    answer = getattr(personalize, botocore.xform_name(operation))()
    return next(value for value in answer.values() if isinstance(value, list))


def gone(wait: Wait, arn: str) -> bool:
    """Jobs stay when their dataset is deleted."""
    try:
        wait.describe(arn)
    except ClientError as error:
        return error.response["Error"]["Code"] == "ResourceNotFoundException"
    return False


def settled(wait: Wait, arn: str) -> None:
    """Until nothing of a resource is under way, or it is gone."""
    if gone(wait, arn):
        return
    try:
        wait.until(
            arn,
            lambda described: (
                not any(
                    str(part.get("status", "")).endswith(("PENDING", "IN_PROGRESS"))
                    for part in (described, *(one for one in described.values() if isinstance(one, dict)))
                )
            ),
        )
    except ClientError:
        if not gone(wait, arn):
            raise
