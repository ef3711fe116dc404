"""Two clients that create, update and delete the same names at once: the state stays whole."""

from __future__ import annotations

import random
import threading
from typing import Any

import botocore
import pytest
from botocore.exceptions import ClientError

import shop
from live import Server, Wait, make_clients

from .faults import listed

RECIPE = "arn:aws:personalize:::recipe/aws-popularity-count"
NAMES = ("one", "two")
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


class Client:
    """Somebody who does one thing after another, whatever is there."""

    def __init__(self, server: Server, region: str, seed: int, location: str) -> None:
        self.personalize = make_clients(server.endpoint, region).personalize
        self.chance = random.Random(seed)
        self.prefix = f"arn:aws:personalize:{region}:000000000000"
        self.seed, self.location, self.jobs = seed, location, 0
        self.done: list[str] = []
        self.wrong: list[str] = []

    def run(self, steps: int) -> None:
        for _ in range(steps):
            operation, request = self.chosen()
            try:
                getattr(self.personalize, botocore.xform_name(operation))(**request)
                self.done.append(operation)
            except ClientError as error:
                if error.response["Error"]["Code"] not in listed(operation):
                    self.wrong.append(f"{operation} {request}: {error}")
            except Exception as error:  # a thread's errors would be lost
                self.wrong.append(f"{operation} {request}: {error!r}")

    def chosen(self) -> tuple[str, dict[str, Any]]:
        """An operation and its request."""
        name, other = self.chance.choice(NAMES), self.chance.choice(NAMES)
        group, schema = f"{self.prefix}:dataset-group/{name}", f"{self.prefix}:schema/{other}"
        dataset, solution = f"{self.prefix}:dataset/{name}/INTERACTIONS", f"{self.prefix}:solution/{name}"
        text = shop.SCHEMAS["Interactions"]
        in_group = {"name": name, "datasetGroupArn": group}
        trackers = self.personalize.list_event_trackers()["eventTrackers"]
        tracker = trackers[0]["eventTrackerArn"] if trackers else f"{self.prefix}:event-tracker/00000000"
        self.jobs += 1
        job = f"job-{self.seed}-{self.jobs}"
        expression = "EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ('click')".replace("'", '"')
        often: list[tuple[str, dict[str, Any]]] = [
            ("CreateDatasetGroup", {"name": name}),
            ("CreateSchema", {"name": other, "schema": text}),
            ("CreateDataset", {**in_group, "datasetType": "Interactions", "schemaArn": schema}),
            ("UpdateDataset", {"datasetArn": dataset, "schemaArn": schema}),
            ("CreateFilter", {**in_group, "filterExpression": expression}),
            ("CreateEventTracker", in_group),
            ("CreateSolution", {**in_group, "recipeArn": RECIPE, "performAutoTraining": False}),
            ("UpdateSolution", {"solutionArn": solution, "performAutoTraining": False}),
            ("TagResource", {"resourceArn": group, "tags": [{"tagKey": job, "tagValue": ""}]}),
            ("UntagResource", {"resourceArn": group, "tagKeys": [job]}),
            ("CreateSchema", {"name": other, "schema": text}),
            ("CreateDataset", {**in_group, "datasetType": "Interactions", "schemaArn": schema}),
        ]
        rare: list[tuple[str, dict[str, Any]]] = [
            ("DeleteFilter", {"filterArn": f"{self.prefix}:filter/{name}"}),
            ("DeleteEventTracker", {"eventTrackerArn": tracker}),
            ("DeleteSolution", {"solutionArn": solution}),
            ("DeleteDataset", {"datasetArn": dataset}),
            ("DeleteSchema", {"schemaArn": schema}),
            ("DeleteDatasetGroup", {"datasetGroupArn": group}),
        ]
        if self.jobs % 60 == 30:
            return "CreateSolutionVersion", {"solutionArn": solution}
        if self.jobs % 60 == 0:
            source = {"dataLocation": self.location}
            return "CreateDatasetImportJob", {"jobName": job, "datasetArn": dataset, "dataSource": source}
        return self.chance.choice(often if self.chance.random() < 0.7 else rare)


@pytest.mark.parametrize("steps", [100, pytest.param(1500, marks=pytest.mark.soak)])
def test_the_same_names_at_once(server: Server, steps: int) -> None:
    region = f"eu-race-{steps}"
    location = server.put(f"s3://{region}/clicks.csv", shop.csv("Interactions"))
    two = [Client(server, region, seed, location) for seed in (1, 2)]
    threads = [threading.Thread(target=one.run, args=[steps]) for one in two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert two[0].wrong + two[1].wrong == []
    done = {*two[0].done, *two[1].done}
    assert {"CreateDatasetGroup", "CreateSchema", "CreateDataset"} <= done
    personalize = two[0].personalize
    wait = Wait(personalize)
    for operation, (member, _) in PARENTS.items():
        for arn in arns(personalize, operation, member):
            settled(wait, arn)
    for operation, (member, parents) in PARENTS.items():
        for entry in entries(personalize, operation):
            described = wait.describe(entry[member])
            assert {name: described[name] for name in entry if name in described} == entry
            for parent in parents:
                if not (operation == "ListDatasetImportJobs" and gone(wait, described[parent])):
                    assert wait.describe(described[parent]).get("status", "ACTIVE") == "ACTIVE"


def entries(personalize: Any, operation: str) -> list[dict[str, Any]]:
    answer = getattr(personalize, botocore.xform_name(operation))()
    return next(value for value in answer.values() if isinstance(value, list))


def arns(personalize: Any, operation: str, member: str) -> list[str]:
    return [entry[member] for entry in entries(personalize, operation)]


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
