"""Batch inference and export jobs whose files lie on an S3: folders of many files, outputs in several parts,
refusals of the service, and servers that are killed."""

from __future__ import annotations

import csv
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

import shop
from live import Server, Wait, make_clients, make_shop

REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/Batch"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
FILES = 60
LINES = 30_000
"""Of which the answers are more than the 8 MB that boto3 sends as one part."""
_numbers = itertools.count(1)


@dataclass
class S3Server(Server):
    """A server whose s3:// locations are those of an S3.

    Attributes:
        s3: a client of that.
    """

    s3: Any = field(default=None)

    def put(self, location: str, text: str) -> str:
        bucket, key = location.removeprefix("s3://").split("/", 1)
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
        return location


@dataclass(frozen=True)
class World:
    """The small shop on S3 with a version that knows what is popular."""

    server: S3Server
    personalize: Any
    wait: Wait
    stock: shop.SmallShop
    version: str

    def infer(self, source: str, destination: str = "s3://jobs/out/", **more: Any) -> str:
        """ARN of a new batch inference job."""
        made = self.personalize.create_batch_inference_job(
            jobName=f"job-{next(_numbers)}",
            solutionVersionArn=self.version,
            jobInput={"s3DataSource": {"path": source}},
            jobOutput={"s3DataDestination": {"path": destination}},
            roleArn=ROLE,
            **more,
        )
        return str(made["batchInferenceJobArn"])

    def export(self, destination: str) -> tuple[str, str]:
        """ARN and name of a new export of the interactions."""
        name = f"export-{next(_numbers)}"
        made = self.personalize.create_dataset_export_job(
            jobName=name,
            datasetArn=self.stock.datasets["Interactions"],
            ingestionMode="ALL",
            roleArn=ROLE,
            jobOutput={"s3DataDestination": {"path": destination}},
        )
        return made["datasetExportJobArn"], name

    def read(self, key: str) -> list[dict[str, Any]]:
        """The lines of an object of the bucket of jobs."""
        body = self.server.s3.get_object(Bucket="jobs", Key=key)["Body"].read()
        return [json.loads(line) for line in body.decode().splitlines()]

    def restart(self, environment: dict[str, str]) -> None:
        """Begin anew, with other variables."""
        self.server.stop()
        self.server.environment = environment
        self.server.start()

    def work(self) -> list[str]:
        """What lies in the folder of work in progress."""
        folder = self.server.data / "work"
        return [path.name for path in folder.iterdir()] if folder.exists() else []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    server = S3Server(
        tmp_path_factory.mktemp("s3") / "data",
        environment={**KEYS, "AWS_ENDPOINT_URL_S3": endpoint, "AWS_MAX_ATTEMPTS": "1"},
        s3=s3,
    )
    server.start()
    stock = make_shop(server, REGION)
    personalize = make_clients(server.endpoint, REGION).personalize
    wait = Wait(personalize)
    solution = personalize.create_solution(
        name="popular",
        datasetGroupArn=stock.group,
        recipeArn="arn:aws:personalize:::recipe/aws-popularity-count",
        performAutoTraining=False,
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(version, 60)
    s3.create_bucket(Bucket="jobs")
    yield World(server, personalize, wait, stock, version)
    server.stop()
    moto.stop()


def test_a_folder_of_many_files_has_an_output_for_each(world: World) -> None:
    for number in range(FILES):
        world.server.put(
            f"s3://jobs/many/{number % 7}/q{number}.json", json.dumps({"userId": f"user-{number}"})
        )
    world.server.put("s3://jobs/many/_SUCCESS", "")
    world.server.put("s3://jobs/many/.part.crc", "no json")
    world.server.put("s3://jobs/many/0/old.json.out", "no json")
    world.server.put("s3://jobs/many-others/q.json", "no json")
    world.wait.active(world.infer("s3://jobs/many", "s3://jobs/answers/", numResults=3))
    pages = world.server.s3.get_paginator("list_objects_v2").paginate(Bucket="jobs", Prefix="answers/")
    found = {entry["Key"] for page in pages for entry in page["Contents"]}
    assert found == {f"answers/{number % 7}/q{number}.json.out" for number in range(FILES)}
    [line] = world.read("answers/3/q10.json.out")
    assert line["input"] == {"userId": "user-10"}
    assert len(line["output"]["recommendedItems"]) == 3
    assert line["error"] is None


def test_a_large_output_goes_in_parts_and_a_killed_job_goes_on(world: World) -> None:
    users = [f"user-{number}" for number in range(LINES)]
    lines = "\n".join(json.dumps({"userId": user}) for user in users)
    world.server.put("s3://jobs/large/q.json", lines)
    arn = world.infer("s3://jobs/large/q.json", "s3://jobs/large-out/", numResults=50)
    while not list((world.server.data / "work").glob("*/progress.json")):
        assert world.wait.describe(arn)["status"] != "ACTIVE", "it ended before it could be killed"
        time.sleep(0.01)
    world.server.kill()
    world.server.start()
    world.wait.active(arn, 60)
    head = world.server.s3.head_object(Bucket="jobs", Key="large-out/q.json.out")
    assert head["ContentLength"] > 8 * 2**20
    assert "-" in head["ETag"]  # that of an object uploaded in parts
    found = world.read("large-out/q.json.out")
    assert [line["input"]["userId"] for line in found] == users
    assert all(len(line["output"]["recommendedItems"]) == 50 for line in found)
    assert world.work() == []


def test_a_killed_export_goes_on(world: World) -> None:
    arn, name = world.export("s3://jobs/exports/")
    world.server.kill()
    world.server.start()
    world.wait.active(arn, 60)
    body = world.server.s3.get_object(Bucket="jobs", Key=f"exports/{name}-part-00000.csv")["Body"].read()
    rows = list(csv.reader(body.decode().splitlines()))
    expected = list(csv.reader(shop.csv("Interactions").splitlines()))
    assert rows[0] == expected[0]
    key = [rows[0].index(column) for column in ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE")]
    assert sorted([row[k] for k in key] for row in rows[1:]) == sorted(
        [row[k] for k in key] for row in expected[1:]
    )
    assert world.work() == []


def test_what_the_service_refuses_is_said_in_the_job(world: World) -> None:
    source = world.server.put("s3://jobs/refused/q.json", '{"userId": "user-00"}')
    nothing = world.infer("s3://jobs/refused/nothing/", "s3://jobs/refused-out/")
    no_bucket = world.infer("s3://no-such-bucket/q.json", "s3://jobs/refused-out/")
    nowhere = world.infer(source, "s3://no-such-bucket/out/")
    to_nowhere, _ = world.export("s3://no-such-bucket/out/")
    assert world.wait.failed(nothing).startswith("Invalid S3 input path. No objects found at")
    told = world.wait.failed(no_bucket)
    assert told.startswith("Invalid S3 input path. No objects found at s3://no-such-bucket/q.json. ")
    assert "data folder" not in told
    assert "`aws s3 ls s3://no-such-bucket/q.json`" in told
    assert "Invalid S3 path" in world.wait.failed(nowhere)
    assert "s3://no-such-bucket/out/" in world.wait.failed(to_nowhere)
    assert world.work() == []


def test_without_the_right_to_read_or_write_jobs_fail(world: World) -> None:
    source = world.server.put("s3://jobs/denied/q.json", '{"userId": "user-00"}')
    allowed = world.server.environment
    others = {name: value for name, value in allowed.items() if name not in KEYS}
    world.restart(others | {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(world.server.data)})
    try:
        inference = world.infer(source, "s3://jobs/denied-out/")
        export, _ = world.export("s3://jobs/denied-out/")
        for arn in (inference, export):
            assert world.wait.failed(arn) == "Insufficient privileges for accessing data in Amazon S3."
        assert world.work() == []
    finally:
        world.restart(allowed)
    world.wait.active(world.infer(source, "s3://jobs/denied-out/"))
