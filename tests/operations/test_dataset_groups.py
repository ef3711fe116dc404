"""Dataset groups over the wire."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from live import Wait, fails
from openpersonalize.operations.dataset_groups import VISIBLE_SECONDS

ROLE = "arn:aws:iam::000000000000:role/reader"
KEY = "arn:aws:kms:us-east-1:000000000000:key/one"


def test_custom_group(personalize: Any, wait: Wait, name: str) -> None:
    made = personalize.create_dataset_group(name=name)
    assert set(made) == {"datasetGroupArn", "ResponseMetadata"}
    arn = made["datasetGroupArn"]
    assert arn.endswith(f":dataset-group/{name}")
    described = wait.active(arn, limit=1)
    assert described["name"] == name
    assert "domain" not in described
    assert "failureReason" not in described
    begun = time.monotonic()
    personalize.delete_dataset_group(datasetGroupArn=arn)
    wait.gone(arn)
    assert time.monotonic() - begun > 0.9 * VISIBLE_SECONDS, "there was nothing to see of the deletion"


def test_domain_group(personalize: Any, wait: Wait, name: str) -> None:
    made = personalize.create_dataset_group(name=name, domain="ECOMMERCE", roleArn=ROLE, kmsKeyArn=KEY)
    assert made["domain"] == "ECOMMERCE"
    described = wait.active(made["datasetGroupArn"])
    assert (described["domain"], described["roleArn"], described["kmsKeyArn"]) == ("ECOMMERCE", ROLE, KEY)
    personalize.delete_dataset_group(datasetGroupArn=made["datasetGroupArn"])
    wait.gone(made["datasetGroupArn"])


def test_role_and_key_only_together(personalize: Any, name: str) -> None:
    for half in ({"roleArn": ROLE}, {"kmsKeyArn": KEY}):
        message = fails("InvalidInputException", personalize.create_dataset_group, name=name, **half)
        assert message == "roleArn and kmsKeyArn must be given together."


def test_a_group_in_use_stays(
    personalize: Any, wait: Wait, name: str, make_dataset: Callable[..., str]
) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    tracker = personalize.create_event_tracker(name=name, datasetGroupArn=group)["eventTrackerArn"]
    solution = personalize.create_solution(
        name=name, datasetGroupArn=group, recipeArn="arn:aws:personalize:::recipe/aws-popularity-count"
    )["solutionArn"]
    dataset = make_dataset(group, "Users")
    chosen = personalize.create_filter(
        name=name, datasetGroupArn=group, filterExpression="INCLUDE UserID WHERE Users.AGE > 30"
    )["filterArn"]

    def refused_for(user: str) -> None:
        message = fails("ResourceInUseException", personalize.delete_dataset_group, datasetGroupArn=group)
        assert message == f"Resource {group} cannot be deleted because it is used by {user}."

    refused_for(tracker)
    personalize.delete_event_tracker(eventTrackerArn=tracker)
    wait.gone(tracker)
    refused_for(solution)
    personalize.delete_solution(solutionArn=solution)
    wait.gone(solution)
    refused_for(dataset)
    personalize.delete_dataset(datasetArn=dataset)
    wait.gone(dataset)
    personalize.delete_dataset_group(datasetGroupArn=group)
    wait.gone(group)
    fails("ResourceNotFoundException", personalize.describe_filter, filterArn=chosen)


def test_a_group_waits_for_what_is_being_deleted(
    personalize: Any, wait: Wait, make_dataset: Callable[..., str], name: str
) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    tracker = personalize.create_event_tracker(name=name, datasetGroupArn=group)["eventTrackerArn"]
    dataset = make_dataset(group, "Users")
    schema = personalize.describe_dataset(datasetArn=dataset)["dataset"]["schemaArn"]
    personalize.delete_event_tracker(eventTrackerArn=tracker)
    personalize.delete_dataset(datasetArn=dataset)
    personalize.delete_schema(schemaArn=schema)
    personalize.delete_dataset_group(datasetGroupArn=group)
    wait.gone(group)
    wait.gone(dataset)
    wait.gone(tracker)


def test_an_arn_of_another_account_is_told_the_servers(personalize: Any, region: str) -> None:
    other = f"arn:aws:personalize:{region}:123456789012:dataset-group/one"
    message = fails("ResourceNotFoundException", personalize.describe_dataset_group, datasetGroupArn=other)
    assert message == (
        f"Resource Arn {other} does not exist. It is of account 123456789012; this server's is 000000000000"
        " (the setting account)."
    )


def test_an_arn_of_another_region_is_told_that_of_the_call(clients: Any, region: str) -> None:
    other = "arn:aws:personalize:eu-west-9:000000000000:campaign/one"
    told = f" It is of region eu-west-9, and this call was made for {region}: the client's region."
    message = fails("ResourceNotFoundException", clients.personalize.describe_campaign, campaignArn=other)
    assert message == f"Resource Arn {other} does not exist.{told}"
    message = fails(
        "ResourceNotFoundException", clients.runtime.get_recommendations, campaignArn=other, userId="u"
    )
    assert message == f"Campaign not found: {other}{told}"


def test_an_arn_of_another_kind_is_told_which_is_wanted(personalize: Any, region: str) -> None:
    solution = f"arn:aws:personalize:{region}:000000000000:solution/one"
    for call, member, said in (
        (personalize.create_campaign, "solutionVersionArn", "solution version"),
        (personalize.describe_dataset_group, "datasetGroupArn", "dataset group"),
    ):
        more = {"name": "one"} if member == "solutionVersionArn" else {}
        message = fails("ResourceNotFoundException", call, **{member: solution}, **more)
        assert message.startswith(
            f"Resource Arn {solution} does not exist. It is the ARN of a solution, and a {said}'s is wanted"
        )
        assert ("ListSolutionVersions" in message) == bool(more)


def test_a_version_asked_as_a_campaign_is_told_what_answers(clients: Any, region: str) -> None:
    version = f"arn:aws:personalize:{region}:000000000000:solution/one/0123abcd"
    told = (
        " It is the ARN of a solution version, and a campaign's is wanted here: ListCampaigns names those"
        " there are, CreateCampaign makes one of a version."
    )
    for call, more in (
        (clients.runtime.get_recommendations, {"userId": "u"}),
        (clients.runtime.get_personalized_ranking, {"userId": "u", "inputList": ["a"]}),
    ):
        message = fails("ResourceNotFoundException", call, campaignArn=version, **more)
        assert message == f"Campaign not found: {version}{told}"


def test_second_deletion(personalize: Any, wait: Wait, name: str) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    personalize.delete_dataset_group(datasetGroupArn=group)
    with pytest.raises(ClientError) as caught:
        personalize.delete_dataset_group(datasetGroupArn=group)
    refusal = caught.value.response["Error"]
    assert refusal["Code"] in ("ResourceInUseException", "ResourceNotFoundException")
    assert refusal["Message"] in (
        f"Resource {group} is in use. Status: DELETE PENDING.",
        f"Resource Arn {group} does not exist.",
    )
    wait.gone(group)
    assert personalize.create_dataset_group(name=name)["datasetGroupArn"] == group
    wait.active(group)
    personalize.delete_dataset_group(datasetGroupArn=group)
    wait.gone(group)


def test_sixth_group(personalize: Any, wait: Wait, name: str) -> None:
    groups = [
        personalize.create_dataset_group(name=f"{name}-{number}")["datasetGroupArn"] for number in range(5)
    ]
    message = fails("LimitExceededException", personalize.create_dataset_group, name=f"{name}-more")
    assert message == (
        "Cannot create a dataset group. More than 5 resources in ACTIVE state."
        " Please delete some and try again. (Server setting quota_dataset_groups:"
        " openpersonalize serve --quota-dataset-groups NUMBER.)"
    )
    for group in groups:
        wait.active(group)
        personalize.delete_dataset_group(datasetGroupArn=group)
    wait.gone(groups[-1])


def test_listed_oldest_first(personalize: Any, wait: Wait, name: str) -> None:
    groups = []
    for number in range(3):
        groups.append(personalize.create_dataset_group(name=f"{name}-{9 - number}")["datasetGroupArn"])
        wait.active(groups[-1])
    pages = personalize.get_paginator("list_dataset_groups").paginate(PaginationConfig={"PageSize": 1})
    found = [page["datasetGroups"] for page in pages]
    assert {len(page) for page in found} == {1}
    assert [page[0]["datasetGroupArn"] for page in found if page[0]["datasetGroupArn"] in groups] == groups
    for group in groups:
        personalize.delete_dataset_group(datasetGroupArn=group)
    for group in groups:
        wait.gone(group)
