"""Programs that keep a configuration up: each call describes what is wanted, under an ARN that it builds from
the name, creates what is not there, compares every member it would send with the one that is described, and
says whether it has to come again. Then one that trains again by itself, and a gateway that finds out from
lists what is deployed. Sequences of pipelines and gateways that are published for Amazon Personalize.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import shop
from live import PATIENCE, Server

RECIPE = "arn:aws:personalize:::recipe/aws-popularity-count"
ROLE = "arn:aws:iam::000000000000:role/any"
CREATING = ("ACTIVE", "CREATE PENDING", "CREATE IN_PROGRESS")
NAMED_BY_THE_JOB = ("jobName", "jobInput", "jobOutput", "roleArn")


class Pending(Exception):
    """What is wanted is on its way: the program is to be called again."""


@dataclass
class Keeper:
    """Such a program's clients, and what it created.

    Attributes:
        arns: what ARNs begin with.
    """

    personalize: Any
    s3: Any
    arns: str
    created: list[str] = field(default_factory=list)

    def kept(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """The resource of this name, described; created where there is none, updated where it differs."""
        member = camel(kind) + "Arn"
        arn = f"{self.arns}:{kind.replace('_', '-')}/{wanted['name']}"
        try:
            found = self.described(kind, arn)
        except self.personalize.exceptions.ResourceNotFoundException:
            self.create(kind, wanted)
            raise Pending from None
        different = {name for name, value in wanted.items() if found[name] != value}
        if different:
            assert different == {"solutionVersionArn"}, (found, wanted)
            changed = {name: value for name, value in wanted.items() if name != "name"}
            getattr(self.personalize, f"update_{kind}")(**{member: arn}, **changed)
            raise Pending
        return self.usable(found, found.get("latestCampaignUpdate", {}))

    def current(
        self, kind: str, parent: str, fits: Callable[[dict[str, Any]], bool], **wanted: Any
    ) -> dict[str, Any]:
        """The newest resource below a parent that fits, described; created where there is none."""
        pages = self.personalize.get_paginator(f"list_{kind}s").paginate(**{parent: wanted[parent]})
        children = [
            one for page in pages for value in page.values() if isinstance(value, list) for one in value
        ]
        fitting = [one for one in children if one["status"] in CREATING and fits(one)]
        if not fitting:
            self.create(kind, wanted)
            raise Pending
        newest = max(fitting, key=lambda one: one["creationDateTime"])
        found = self.described(kind, newest[camel(kind) + "Arn"])
        for name, value in wanted.items():
            assert name in NAMED_BY_THE_JOB or found[name] == value
        return self.usable(found, {})

    def described(self, kind: str, arn: str) -> dict[str, Any]:
        answer = getattr(self.personalize, f"describe_{kind}")(**{camel(kind) + "Arn": arn})
        return dict(answer[camel(kind)])

    def create(self, kind: str, wanted: dict[str, Any]) -> None:
        getattr(self.personalize, f"create_{kind}")(**wanted)
        self.created.append(kind)

    def usable(self, found: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
        status = update.get("status") or found["status"]
        if status.endswith(("PENDING", "IN_PROGRESS")):
            raise Pending
        assert status == "ACTIVE", found
        return found

    def configured(self, group: str, dataset: str, location: str) -> dict[str, str]:
        """One call; what it was all about, once everything is ACTIVE."""
        self.kept("dataset_group", name="shop")
        bucket, key = location.removeprefix("s3://").split("/", 1)
        written = self.s3.head_object(Bucket=bucket, Key=key)["LastModified"]
        self.current(
            "dataset_import_job",
            "datasetArn",
            lambda one: one["lastUpdatedDateTime"] >= written,
            datasetArn=dataset,
            jobName="again",
            dataSource={"dataLocation": location},
            roleArn=ROLE,
        )
        self.kept(
            "filter",
            name="not-bought",
            datasetGroupArn=group,
            filterExpression='EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")',
        )
        solution = self.kept("solution", name="kept", datasetGroupArn=group, recipeArn=RECIPE)["solutionArn"]
        version = self.current(
            "solution_version", "solutionArn", lambda one: True, solutionArn=solution, trainingMode="FULL"
        )["solutionVersionArn"]
        metrics = self.personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
        assert all(isinstance(float(value), float) for value in metrics.values())
        campaign = self.kept("campaign", name="kept", solutionVersionArn=version, minProvisionedTPS=1)
        name = "batch-" + version.rsplit("/", 1)[1]
        job = self.current(
            "batch_inference_job",
            "solutionVersionArn",
            lambda one: one["jobName"] == name,
            solutionVersionArn=version,
            jobName=name,
            jobInput={"s3DataSource": {"path": "s3://kept/users.json"}},
            jobOutput={"s3DataDestination": {"path": f"s3://kept/{name}/"}},
            roleArn=ROLE,
            numResults=5,
        )
        output = job["jobOutput"]["s3DataDestination"]["path"]
        return {
            "solution": solution,
            "version": version,
            "campaign": campaign["campaignArn"],
            "output": output,
        }


def camel(kind: str) -> str:
    first, *rest = kind.split("_")
    return first + "".join(word.capitalize() for word in rest)


def until(call: Callable[[], Any]) -> Any:
    """What the program says once nothing is pending."""
    end = time.monotonic() + 120 * PATIENCE
    while True:
        try:
            return call()
        except Pending:
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.fixture(scope="module")
def session(small_shop: shop.SmallShop) -> boto3.Session:
    return boto3.Session("local", "local", region_name=small_shop.region)


@pytest.fixture(scope="module")
def keeper(server: Server, session: boto3.Session) -> Keeper:
    personalize, s3, sts = (
        session.client(name, endpoint_url=server.endpoint) for name in ("personalize", "s3", "sts")
    )
    account = sts.get_caller_identity()["Account"]
    s3.create_bucket(Bucket="kept")
    lines = "".join(json.dumps({"userId": user}) + "\n" for user in shop.USERS[:3])
    s3.put_object(Bucket="kept", Key="users.json", Body=lines.encode())
    return Keeper(personalize, s3, f"arn:aws:personalize:{session.region_name}:{account}")


def test_a_configuration_is_kept_trained_again_and_served(
    server: Server, session: boto3.Session, keeper: Keeper, small_shop: shop.SmallShop
) -> None:
    personalize, dataset = keeper.personalize, small_shop.datasets["Interactions"]
    location = f"s3://shop-{small_shop.region}/Interactions.csv"

    def configured() -> dict[str, str]:
        return keeper.configured(small_shop.group, dataset, location)

    made = until(configured)
    assert keeper.created == ["filter", "solution", "solution_version", "campaign", "batch_inference_job"]
    assert configured() == made
    assert len(keeper.created) == 5
    bucket, key = f"{made['output']}users.json.out".removeprefix("s3://").split("/", 1)
    body = keeper.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert [len(json.loads(line)["output"]["recommendedItems"]) for line in body.splitlines()] == [5, 5, 5]

    # It trains again by itself, and hands the version over to the campaign.
    newer = personalize.create_solution_version(solutionArn=made["solution"])["solutionVersionArn"]
    until(lambda: keeper.usable(keeper.described("solution_version", newer), {}))
    answer = personalize.update_campaign(campaignArn=made["campaign"], solutionVersionArn=newer)
    assert answer["campaignArn"] == made["campaign"]
    again = until(configured)
    assert again == {**made, "version": newer, "output": again["output"]}
    assert keeper.created[5:] == ["batch_inference_job"]

    # A gateway finds out what is deployed in the group.
    deployed = {}
    for page in personalize.get_paginator("list_campaigns").paginate():
        for one in page["campaigns"]:
            version = keeper.described("campaign", one["campaignArn"])["solutionVersionArn"]
            described = keeper.described("solution_version", version)
            if described["datasetGroupArn"].endswith("/shop"):
                deployed[one["name"]] = described["recipeArn"], one["campaignArn"]
    assert deployed["kept"] == (RECIPE, made["campaign"])
    runtime = session.client("personalize-runtime", endpoint_url=server.endpoint)
    found = runtime.get_recommendations(
        campaignArn=deployed["kept"][1],
        userId=shop.USERS[0],
        numResults=60,
        filterArn=f"{keeper.arns}:filter/not-bought",
    )["itemList"]
    assert 0 < len(found) < len(shop.ITEMS)
    with pytest.raises(ClientError) as caught:
        runtime.get_recommendations(
            campaignArn=deployed["kept"][1], userId=shop.USERS[0], filterArn=f"{keeper.arns}:filter/no-such"
        )
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
