"""Operations while nothing moves: handlers called directly, with no runner that could change a state.

What waits stays waiting here, so that refusals which depend on a state of the moment can be tested exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import shop
from openpersonalize.clock import SystemClock
from openpersonalize.errors import (
    InvalidInput,
    LimitExceeded,
    OpenPersonalizeError,
    ResourceAlreadyExists,
    ResourceInUse,
    ResourceNotFound,
)
from openpersonalize.installation import Installation
from openpersonalize.operations.context import Answer, Context
from openpersonalize.operations.registry import OPERATIONS
from openpersonalize.settings import read_settings

RECIPE = "arn:aws:personalize:::recipe/"


class Still:
    """An installation without a runner, and its operations."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.scope = installation.metadata.scope("000000000000", "us-east-1")
        self.context = Context(installation, cast(Any, None), self.scope, "request")

    def call(self, operation: str, **request: Any) -> Answer:
        return cast(Answer, OPERATIONS[operation](self.context, request))

    def refused(self, error: type[OpenPersonalizeError], operation: str, **request: Any) -> str:
        with pytest.raises(error) as caught:
            self.call(operation, **request)
        return caught.value.message

    def become(self, arn: str, *statuses: str, **internal: Any) -> str:
        """Moves a resource through `statuses`, as its workflow would."""
        with self.scope.write() as tx:
            for status in statuses:
                tx.update(arn, status=status, internal=internal)
        return arn

    def group(self, name: str = "group", *statuses: str) -> str:
        arn = str(self.call("CreateDatasetGroup", name=name)["datasetGroupArn"])
        return self.become(arn, *(statuses or ("CREATE IN_PROGRESS", "ACTIVE")))

    def dataset(self, group: str, kind: str) -> str:
        name = group.rsplit("/", 1)[1] + kind
        schema = self.call("CreateSchema", name=name, schema=shop.SCHEMAS[kind])["schemaArn"]
        made = self.call(
            "CreateDataset", name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )
        return str(made["datasetArn"])

    def solution(self, group: str, name: str = "solution", recipe: str = "aws-popularity-count") -> str:
        made = self.call("CreateSolution", name=name, datasetGroupArn=group, recipeArn=RECIPE + recipe)
        return str(made["solutionArn"])

    def version(self, solution: str, *statuses: str) -> str:
        made = self.call("CreateSolutionVersion", solutionArn=solution)["solutionVersionArn"]
        return self.become(made, *statuses, artifact="artifacts/x", metrics={"coverage": 0.5})


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Still]:
    settings = read_settings({"data_dir": str(tmp_path / "data")}, {})
    installation = Installation.open(settings, SystemClock())
    yield Still(installation)
    installation.close()


def test_sixth_running_import(still: Still) -> None:
    users = still.dataset(still.group(), "Users")
    request = {"datasetArn": users, "dataSource": {"dataLocation": "s3://files/x"}}
    for number in range(5):
        still.call("CreateDatasetImportJob", jobName=f"job-{number}", **request)
    message = still.refused(LimitExceeded, "CreateDatasetImportJob", jobName="job-5", **request)
    assert message.startswith(
        "More than 5 resources with PENDING or IN_PROGRESS status. (Server setting quota_"
    )
    still.refused(ResourceAlreadyExists, "CreateDatasetImportJob", jobName="job-4", **request)
    still.become(still.scope.arn("dataset-import-job/job-0"), "CREATE FAILED")
    still.call("CreateDatasetImportJob", jobName="job-5", **request)


def test_sixth_running_job_of_each_kind(still: Still) -> None:
    group = still.group()
    users = still.dataset(group, "Users")
    still.dataset(group, "Interactions")
    version = still.version(still.solution(group), "CREATE IN_PROGRESS", "ACTIVE")
    segments = still.solution(group, "segments", "aws-item-affinity")
    batch: dict[str, Any] = {
        "jobInput": {"s3DataSource": {"path": "s3://batch/in.json"}},
        "jobOutput": {"s3DataDestination": {"path": "s3://batch/out/"}},
        "roleArn": "arn:aws:iam::000000000000:role/any",
    }
    export = {"datasetArn": users, **{name: batch[name] for name in ("jobOutput", "roleArn")}}
    asked = {
        "BatchInferenceJob": {"solutionVersionArn": version, **batch},
        "BatchSegmentJob": {
            "solutionVersionArn": still.version(segments, "CREATE IN_PROGRESS", "ACTIVE"),
            **batch,
        },
        "DatasetExportJob": export,
    }
    for noun, request in asked.items():
        jobs = [
            still.call(f"Create{noun}", jobName=f"job-{number}", **request)[f"{noun[0].lower()}{noun[1:]}Arn"]
            for number in range(5)
        ]
        message = still.refused(LimitExceeded, f"Create{noun}", jobName="job-5", **request)
        assert message.startswith("More than 5 resources with PENDING or IN_PROGRESS status. (Server")
        still.refused(ResourceAlreadyExists, f"Create{noun}", jobName="job-4", **request)
        still.become(jobs[0], "CREATE FAILED")
        still.call(f"Create{noun}", jobName="job-5", **request)


def test_imports_of_one_dataset_share_a_queue(still: Still) -> None:
    users = still.dataset(still.group(), "Users")
    arn = still.call(
        "CreateDatasetImportJob",
        jobName="job",
        datasetArn=users,
        dataSource={"dataLocation": "s3://files/x"},
    )["datasetImportJobArn"]
    with still.scope.read() as tx:
        job = tx.job(arn)
    assert job is not None
    assert (job.kind, job.queue) == ("import", users)


def test_twenty_first_running_version(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    solution = still.solution(group)
    versions = [still.version(solution) for _ in range(20)]
    message = still.refused(LimitExceeded, "CreateSolutionVersion", solutionArn=solution)
    assert message.startswith(
        "More than 20 resources with PENDING or IN_PROGRESS status. (Server setting quota_"
    )
    still.call("StopSolutionVersionCreation", solutionVersionArn=versions[0])
    still.version(solution)


def test_schema_quota(still: Still) -> None:
    few = read_settings({"data_dir": str(still.installation.settings.data), "quota_schemas": 2}, {})
    smaller = dataclasses.replace(still.installation, settings=few)
    context = dataclasses.replace(still.context, installation=smaller)
    create = OPERATIONS["CreateSchema"]
    for number in range(2):
        create(context, {"name": f"s{number}", "schema": shop.SCHEMAS["Users"]})
    with pytest.raises(LimitExceeded) as caught:
        create(context, {"name": "s2", "schema": shop.SCHEMAS["Users"]})
    assert caught.value.message.startswith("Cannot create a schema. More than 2 resources in ACTIVE state.")


@pytest.mark.parametrize(
    ("statuses", "error", "filter_error"),
    [
        ((), ResourceInUse, InvalidInput),
        (("CREATE IN_PROGRESS",), ResourceInUse, InvalidInput),
        (("CREATE FAILED",), InvalidInput, InvalidInput),
        (("ACTIVE", "DELETE PENDING"), ResourceInUse, InvalidInput),
    ],
)
def test_group_that_is_not_active(
    still: Still,
    statuses: tuple[str, ...],
    error: type[OpenPersonalizeError],
    filter_error: type[OpenPersonalizeError],
) -> None:
    group = still.call("CreateDatasetGroup", name="group")["datasetGroupArn"]
    still.become(group, *statuses)
    schema = still.call("CreateSchema", name="s", schema=shop.SCHEMAS["Users"])["schemaArn"]
    messages = {
        still.refused(
            error, "CreateDataset", name="d", datasetGroupArn=group, datasetType="Users", schemaArn=schema
        ),
        still.refused(error, "CreateEventTracker", name="t", datasetGroupArn=group),
        still.refused(
            error,
            "CreateSolution",
            name="s",
            datasetGroupArn=group,
            recipeArn=RECIPE + "aws-popularity-count",
        ),
        still.refused(
            filter_error,
            "CreateFilter",
            name="f",
            datasetGroupArn=group,
            filterExpression="INCLUDE ItemID WHERE Items.X IN (1)",
        ),
    }
    status = still.call("DescribeDatasetGroup", datasetGroupArn=group)["datasetGroup"]["status"]
    expected = (
        f"Resource {group} is in use. Status: {status}."
        if error is ResourceInUse
        else f"Resource {group} has status {status}; expected ACTIVE."
    )
    assert messages == {expected}


def test_taken_name_is_told_before_a_bad_state(still: Still) -> None:
    still.solution(still.group("one"), "taken")
    waiting = still.call("CreateDatasetGroup", name="two")["datasetGroupArn"]
    still.refused(
        ResourceAlreadyExists,
        "CreateSolution",
        name="taken",
        datasetGroupArn=waiting,
        recipeArn=RECIPE + "aws-popularity-count",
    )
    still.refused(
        ResourceNotFound,
        "CreateSolution",
        name="taken",
        datasetGroupArn=waiting,
        recipeArn=RECIPE + "none",
    )


def test_stop_a_waiting_version_at_once(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    version = still.version(still.solution(group))
    assert still.call("StopSolutionVersionCreation", solutionVersionArn=version) == {}
    described = still.call("DescribeSolutionVersion", solutionVersionArn=version)["solutionVersion"]
    assert described["status"] == "CREATE STOPPED"
    with still.scope.read() as tx:
        job = tx.job(version)
    assert job is not None
    assert job.state == "cancelled"
    message = still.refused(InvalidInput, "StopSolutionVersionCreation", solutionVersionArn=version)
    assert "CREATE STOPPED; expected CREATE PENDING" in message


def test_stop_a_version_whose_server_died(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    version = still.version(still.solution(group), "CREATE IN_PROGRESS")
    still.call("StopSolutionVersionCreation", solutionVersionArn=version)
    described = still.call("DescribeSolutionVersion", solutionVersionArn=version)["solutionVersion"]
    assert described["status"] == "CREATE STOPPED", "nobody is there who would end it later"


def test_version_that_is_stopping(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    version = still.version(still.solution(group), "CREATE IN_PROGRESS", "CREATE STOPPING")
    message = still.refused(ResourceInUse, "StopSolutionVersionCreation", solutionVersionArn=version)
    assert message == f"Resource {version} is in use. Status: CREATE STOPPING."


def test_campaign_needs_a_finished_version(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    solution = still.solution(group)
    waiting = still.version(solution)
    message = still.refused(ResourceInUse, "CreateCampaign", name="c", solutionVersionArn=waiting)
    assert message == f"Resource {waiting} is in use. Status: CREATE PENDING."
    still.become(waiting, "CREATE FAILED")
    message = still.refused(InvalidInput, "CreateCampaign", name="c", solutionVersionArn=waiting)
    assert message == f"Resource {waiting} has status CREATE FAILED; expected ACTIVE."
    still.refused(InvalidInput, "CreateCampaign", name="c", solutionVersionArn=f"{solution}/$LATEST")
    still.refused(ResourceNotFound, "CreateCampaign", name="c", solutionVersionArn=solution)


def test_a_version_whose_model_was_removed_says_so(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    solution = still.solution(group)
    old, new = still.version(solution, "ACTIVE"), still.version(solution, "ACTIVE")
    still.become(old, "ACTIVE", artifact="artifacts/old", retired=True)
    message = still.refused(InvalidInput, "CreateCampaign", name="c", solutionVersionArn=old)
    assert message.startswith(f"The model of {old} was removed, because its solution has newer versions")
    assert "CreateSolutionVersion" in message
    campaign = still.call("CreateCampaign", name="c", solutionVersionArn=new)["campaignArn"]
    still.become(campaign, "CREATE IN_PROGRESS", "ACTIVE")
    still.refused(InvalidInput, "UpdateCampaign", campaignArn=campaign, solutionVersionArn=old)
    assert still.call("CreateSolutionVersion", solutionArn=solution)["solutionVersionArn"].startswith(
        solution
    )


def test_latest_is_the_newest_full_version(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    solution = still.solution(group)
    older = still.version(solution, "ACTIVE")
    newest = still.version(solution, "ACTIVE")
    still.version(solution, "CREATE FAILED")
    update = still.version(solution, "ACTIVE")
    with still.scope.write() as tx:
        tx.update(update, set={"trainingMode": "UPDATE"})
    campaign = still.call("CreateCampaign", name="c", solutionVersionArn=f"{solution}/$LATEST")["campaignArn"]
    described = still.call("DescribeCampaign", campaignArn=campaign)["campaign"]
    assert described["solutionVersionArn"] == newest != older
    assert described["status"] == "CREATE PENDING"


def test_update_while_creating(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    version = still.version(still.solution(group), "ACTIVE")
    campaign = still.call("CreateCampaign", name="c", solutionVersionArn=version)["campaignArn"]
    for status in ("CREATE PENDING", "CREATE IN_PROGRESS"):
        still.become(campaign, status)
        message = still.refused(ResourceInUse, "UpdateCampaign", campaignArn=campaign, minProvisionedTPS=2)
        assert status in message
    assert still.call("DescribeCampaign", campaignArn=campaign)["campaign"]["minProvisionedTPS"] == 1


def test_update_while_updating(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    solution = still.solution(group)
    first, second = still.version(solution, "ACTIVE"), still.version(solution, "ACTIVE")
    campaign = still.call("CreateCampaign", name="c", solutionVersionArn=first)["campaignArn"]
    still.become(campaign, "ACTIVE")
    still.call("UpdateCampaign", campaignArn=campaign, solutionVersionArn=second, minProvisionedTPS=3)
    described = still.call("DescribeCampaign", campaignArn=campaign)["campaign"]
    assert (described["status"], described["solutionVersionArn"]) == ("ACTIVE", first)
    assert described["minProvisionedTPS"] == 1
    update = described["latestCampaignUpdate"]
    assert (update["status"], update["solutionVersionArn"]) == ("CREATE PENDING", second)
    assert (update["minProvisionedTPS"], update["campaignConfig"]) == (3, {})
    for operation, request in (("UpdateCampaign", {"minProvisionedTPS": 4}), ("DeleteCampaign", {})):
        message = still.refused(ResourceInUse, operation, campaignArn=campaign, **request)
        assert message.endswith("Status of latestCampaignUpdate: CREATE PENDING.")


def test_a_version_about_to_be_deployed_elsewhere_keeps_its_solution(still: Still) -> None:
    group = still.group()
    still.dataset(group, "Interactions")
    mine, other = still.solution(group, "mine"), still.solution(group, "other")
    campaign = still.call("CreateCampaign", name="c", solutionVersionArn=still.version(mine, "ACTIVE"))
    still.become(campaign["campaignArn"], "ACTIVE")
    target = still.version(other, "ACTIVE")
    still.call("UpdateCampaign", solutionVersionArn=target, **campaign)
    message = still.refused(ResourceInUse, "DeleteSolution", solutionArn=other)
    assert message == f"Resource {other} cannot be deleted because it is used by {campaign['campaignArn']}."


def test_version_of_another_group(still: Still) -> None:
    here, there = still.group("here"), still.group("there")
    for group in (here, there):
        still.dataset(group, "Interactions")
    campaign = still.call(
        "CreateCampaign", name="c", solutionVersionArn=still.version(still.solution(here, "a"), "ACTIVE")
    )["campaignArn"]
    still.become(campaign, "ACTIVE")
    foreign = still.version(still.solution(there, "b"), "ACTIVE")
    message = still.refused(InvalidInput, "UpdateCampaign", campaignArn=campaign, solutionVersionArn=foreign)
    assert "belongs to another dataset group" in message


def test_dataset_while_its_import_runs(still: Still) -> None:
    items = still.dataset(still.group(), "Items")
    job = still.call(
        "CreateDatasetImportJob",
        jobName="job",
        datasetArn=items,
        dataSource={"dataLocation": "s3://files/x"},
    )["datasetImportJobArn"]
    message = still.refused(ResourceInUse, "DeleteDataset", datasetArn=items)
    assert message == f"Resource {items} cannot be deleted because it is used by {job}."
    schema = still.call("CreateSchema", name="other", schema=shop.SCHEMAS["Items"])["schemaArn"]
    message = still.refused(ResourceInUse, "UpdateDataset", datasetArn=items, schemaArn=schema)
    assert message == f"Resource {job} is in use. Status: CREATE PENDING."


def test_dataset_while_it_is_updated(still: Still) -> None:
    items = still.dataset(still.group(), "Items")
    text = shop.SCHEMAS["Items"].replace(
        '"fields": [', '"fields": [{"name": "NEW", "type": ["null", "int"]}, '
    )
    schema = still.call("CreateSchema", name="other", schema=text)["schemaArn"]
    still.call("UpdateDataset", datasetArn=items, schemaArn=schema)
    described = still.call("DescribeDataset", datasetArn=items)["dataset"]
    assert described["status"] == described["latestDatasetUpdate"]["status"] == "UPDATE PENDING"
    assert described["schemaArn"] != schema
    busy = f"Resource {items} is in use. Status: UPDATE PENDING."
    assert busy == still.refused(ResourceInUse, "UpdateDataset", datasetArn=items, schemaArn=schema)
    assert busy == still.refused(ResourceInUse, "DeleteDataset", datasetArn=items)
    assert busy == still.refused(
        ResourceInUse,
        "CreateDatasetImportJob",
        jobName="job",
        datasetArn=items,
        dataSource={"dataLocation": "s3://files/x"},
    )
    still.refused(ResourceInUse, "DeleteSchema", schemaArn=schema)
    still.refused(ResourceInUse, "DeleteSchema", schemaArn=described["schemaArn"])


def test_what_is_being_deleted(still: Still) -> None:
    group = still.group()
    users = still.dataset(group, "Users")
    still.call("DeleteDataset", datasetArn=users)
    busy = f"Resource {users} is in use. Status: DELETE PENDING."
    assert busy == still.refused(ResourceInUse, "DeleteDataset", datasetArn=users)
    assert busy == still.refused(ResourceInUse, "TagResource", resourceArn=users, tags=[])
    assert still.call("DescribeDataset", datasetArn=users)["dataset"]["status"] == "DELETE PENDING"
    assert len(still.call("ListDatasets", datasetGroupArn=group)["datasets"]) == 1
    schema = still.call("DescribeDataset", datasetArn=users)["dataset"]["schemaArn"]
    still.refused(
        ResourceAlreadyExists,
        "CreateDataset",
        name="again",
        datasetGroupArn=group,
        datasetType="Users",
        schemaArn=schema,
    )
    still.call("DeleteDatasetGroup", datasetGroupArn=group)
    described = still.call("DescribeDatasetGroup", datasetGroupArn=group)["datasetGroup"]
    assert described["status"] == "DELETE PENDING"  # until the dataset has gone


def test_group_that_is_being_made_is_not_deleted(still: Still) -> None:
    group = still.call("CreateDatasetGroup", name="group")["datasetGroupArn"]
    message = still.refused(ResourceInUse, "DeleteDatasetGroup", datasetGroupArn=group)
    assert message == f"Resource {group} is in use. Status: CREATE PENDING."


def test_solution_while_it_is_updated(still: Still) -> None:
    solution = still.solution(still.group())
    still.call("UpdateSolution", solutionArn=solution, performAutoTraining=False)
    described = still.call("DescribeSolution", solutionArn=solution)["solution"]
    assert described["status"] == "ACTIVE"
    assert described["performAutoTraining"] is True
    assert described["latestSolutionUpdate"]["status"] == "CREATE PENDING"
    for operation, request in (("UpdateSolution", {"performAutoTraining": True}), ("DeleteSolution", {})):
        message = still.refused(ResourceInUse, operation, solutionArn=solution, **request)
        assert "Status of latestSolutionUpdate: CREATE PENDING." in message


def test_automl_needs_no_recipe_and_tunes(still: Still) -> None:
    solution = still.call("CreateSolution", name="s", datasetGroupArn=still.group(), performAutoML=True)
    described = still.call("DescribeSolution", **solution)["solution"]
    assert (described["performAutoML"], described["performHPO"]) == (True, True)
    assert "recipeArn" not in described
