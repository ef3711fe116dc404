"""Import jobs over the wire; what the files may hold is tested with the import itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import shop
from live import Server, Wait, fails

ROLE = "arn:aws:iam::000000000000:role/service-role/Reader@1"


@pytest.fixture(scope="module")
def users(group: str, make_dataset: Callable[..., str]) -> str:
    return make_dataset(group, "Users")


def test_life(personalize: Any, wait: Wait, server: Server, users: str, name: str) -> None:
    location = server.put("s3://files/users/one.csv", shop.csv("Users"))
    made = personalize.create_dataset_import_job(
        jobName=name, datasetArn=users, dataSource={"dataLocation": location}, roleArn=ROLE
    )
    assert set(made) == {"datasetImportJobArn", "ResponseMetadata"}
    arn = made["datasetImportJobArn"]
    assert arn.endswith(f":dataset-import-job/{name}")
    described = wait.active(arn)
    assert described["jobName"] == name
    assert described["importMode"] == "FULL"
    assert (described["datasetArn"], described["roleArn"]) == (users, ROLE)
    assert described["dataSource"] == {"dataLocation": location}
    assert "publishAttributionMetricsToS3" not in described
    assert "failureReason" not in described
    listed = personalize.list_dataset_import_jobs(datasetArn=users)["datasetImportJobs"]
    assert arn in [job["datasetImportJobArn"] for job in listed]
    assert listed[0]["importMode"] == "FULL"
    message = fails(
        "ResourceAlreadyExistsException",
        personalize.create_dataset_import_job,
        jobName=name,
        datasetArn=users,
        dataSource={"dataLocation": location},
    )
    assert message == f"Another resource with Arn {arn} already exists."
    incremental = personalize.create_dataset_import_job(
        jobName=f"{name}-more",
        datasetArn=users,
        dataSource={"dataLocation": location},
        importMode="INCREMENTAL",
    )["datasetImportJobArn"]
    assert wait.active(incremental)["importMode"] == "INCREMENTAL"


def test_nothing_at_the_location(personalize: Any, wait: Wait, users: str, name: str) -> None:
    location = f"s3://files/{name}/none.csv"
    arn = personalize.create_dataset_import_job(
        jobName=name, datasetArn=users, dataSource={"dataLocation": location}
    )["datasetImportJobArn"]
    told = wait.failed(arn)
    assert told.startswith(f"Invalid Data location. No objects found at {location}. ")
    assert f"`openpersonalize cp FILE {location}`" in told


@pytest.mark.parametrize("location", ["https://files/x.csv", "s3://files/../../x.csv"])
def test_bad_location(personalize: Any, users: str, name: str, location: str) -> None:
    message = fails(
        "InvalidInputException",
        personalize.create_dataset_import_job,
        jobName=name,
        datasetArn=users,
        dataSource={"dataLocation": location},
    )
    assert message == "Invalid Data location."


def test_incremental_needs_a_bulk_import(
    personalize: Any, wait: Wait, group: str, make_dataset: Callable[..., str], name: str
) -> None:
    items = make_dataset(group, "Items")
    request = {
        "jobName": name,
        "datasetArn": items,
        "dataSource": {"dataLocation": "s3://files/x"},
        "importMode": "INCREMENTAL",
    }
    message = fails("InvalidInputException", personalize.create_dataset_import_job, **request)
    assert "INCREMENTAL" in message
    failed = personalize.create_dataset_import_job(**request | {"importMode": "FULL"})["datasetImportJobArn"]
    wait.failed(failed)
    request["jobName"] = f"{name}-again"
    fails("InvalidInputException", personalize.create_dataset_import_job, **request)


def test_reports_need_a_metric_attribution(
    personalize: Any, group: str, make_dataset: Callable[..., str], users: str, name: str
) -> None:
    interactions = make_dataset(group, "Interactions")
    for dataset, words in ((users, "Interactions"), (interactions, "metric attribution")):
        message = fails(
            "InvalidInputException",
            personalize.create_dataset_import_job,
            jobName=name,
            datasetArn=dataset,
            dataSource={"dataLocation": "s3://files/x"},
            publishAttributionMetricsToS3=True,
        )
        assert words in message


def test_unknown_dataset(personalize: Any, users: str, group: str, name: str) -> None:
    for arn in (users.replace("USERS", "ACTIONS"), group):
        fails(
            "ResourceNotFoundException",
            personalize.create_dataset_import_job,
            jobName=name,
            datasetArn=arn,
            dataSource={"dataLocation": "s3://files/x"},
        )


def test_list_of_the_wrong_kind_of_parent(personalize: Any, group: str, users: str) -> None:
    fails("InvalidInputException", personalize.list_dataset_import_jobs, datasetArn=group)
    nobody = users.replace("USERS", "ACTIONS")
    assert personalize.list_dataset_import_jobs(datasetArn=nobody)["datasetImportJobs"] == []


def test_pages(personalize: Any, users: str) -> None:
    everything = personalize.list_dataset_import_jobs()["datasetImportJobs"]
    pages = list(
        personalize.get_paginator("list_dataset_import_jobs").paginate(PaginationConfig={"PageSize": 1})
    )
    assert [job["datasetImportJobs"][0] for job in pages] == everything
    assert all("nextToken" in page for page in pages[:-1])
    assert "nextToken" not in pages[-1]
    token = pages[0]["nextToken"]
    fails(
        "InvalidNextTokenException", personalize.list_dataset_import_jobs, datasetArn=users, nextToken=token
    )
    rest = personalize.list_dataset_import_jobs(nextToken=token, maxResults=100)["datasetImportJobs"]
    assert rest == everything[1:]


def test_data_of_a_deleted_dataset_is_gone_but_its_jobs_are_described(
    personalize: Any, wait: Wait, server: Server, group: str, users: str, name: str
) -> None:
    location = server.put("s3://files/users/two.csv", shop.csv("Users"))
    job = personalize.create_dataset_import_job(
        jobName=name, datasetArn=users, dataSource={"dataLocation": location}
    )["datasetImportJobArn"]
    wait.active(job)
    schema = wait.describe(users)["schemaArn"]
    personalize.delete_dataset(datasetArn=users)
    wait.gone(users)
    assert wait.describe(job)["status"] == "ACTIVE"
    again = personalize.create_dataset(
        name="again", datasetGroupArn=group, datasetType="USERS", schemaArn=schema
    )["datasetArn"]
    assert again == users
    message = fails(
        "InvalidInputException",
        personalize.create_dataset_import_job,
        jobName=f"{name}-more",
        datasetArn=users,
        dataSource={"dataLocation": location},
        importMode="INCREMENTAL",
    )
    assert "use FULL first" in message
    # Whoever sets up anew calls the job as before; the name of a job about something that is there is taken.
    request = {"jobName": name, "datasetArn": users, "dataSource": {"dataLocation": location}}
    assert personalize.create_dataset_import_job(**request)["datasetImportJobArn"] == job
    assert wait.active(job)["creationDateTime"] > wait.describe(users)["creationDateTime"]
    (only,) = personalize.list_dataset_import_jobs(datasetArn=users)["datasetImportJobs"]
    assert only["datasetImportJobArn"] == job
    fails("ResourceAlreadyExistsException", personalize.create_dataset_import_job, **request)


def test_a_failed_import_says_all_problems(
    personalize: Any, wait: Wait, server: Server, users: str, name: str, tmp_path: Path
) -> None:
    bad = "USER_ID,AGE,CITY\nu1,old,Oslo\nu2,7,Lyon\n,8,Lyon\n"
    arn = personalize.create_dataset_import_job(
        jobName=name,
        datasetArn=users,
        dataSource={"dataLocation": server.put(f"s3://files/{name}.csv", bad)},
    )["datasetImportJobArn"]
    reason = wait.failed(arn)
    assert "line 2, column AGE" in reason
    assert "line 4, column USER_ID" in reason
