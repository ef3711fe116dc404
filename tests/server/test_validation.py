from __future__ import annotations

import json
import re
from typing import Any

import pytest

from openpersonalize.errors import InvalidInput, MalformedRequest
from openpersonalize.server.protocol import OPERATIONS

EVENT = {"eventType": "click", "itemId": "i", "sentAt": 1_700_000_000}
CALL = {"trackingId": "t", "sessionId": "s", "eventList": [EVENT]}


def parsed(operation: str, request: Any) -> dict[str, Any]:
    return OPERATIONS[operation].parse(json.dumps(request).encode())


def violations(operation: str, request: Any) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        parsed(operation, request)
    head, _, rest = refused.value.message.partition(" detected: ")
    found = rest.split("; ")
    assert head == f"{len(found)} validation error{'s' if len(found) > 1 else ''}"
    return found


def event(**members: Any) -> dict[str, Any]:
    return {**CALL, "eventList": [{**EVENT, **members}]}


def test_one_violation_in_full() -> None:
    with pytest.raises(InvalidInput) as refused:
        parsed("DescribeSchema", {})
    assert refused.value.message == (
        "1 validation error detected: Value 'null' at 'schemaArn' failed to satisfy constraint: "
        "Member must not be null"
    )


def test_all_violations_come_in_one_message() -> None:
    request = {
        "name": "-x",
        "domain": "GROCERY",
        "tags": [{"tagKey": "", "tagValue": "a" * 257}, {"tagValue": "!"}],
        "kmsKeyArn": "k" * 2049,
    }
    long = "length less than or equal to"
    wanted = [
        ("-x", "name", r"satisfy regular expression pattern: ^[a-zA-Z0-9][a-zA-Z0-9\-_]*"),
        ("GROCERY", "domain", "satisfy enum value set: [ECOMMERCE, VIDEO_ON_DEMAND]"),
        ("", "tags.1.member.tagKey", "have length greater than or equal to 1"),
        ("a" * 256 + "...", "tags.1.member.tagValue", f"have {long} 256"),
        (
            "!",
            "tags.2.member.tagValue",
            r"satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$",
        ),
        ("null", "tags.2.member.tagKey", "not be null"),
        ("k" * 256 + "...", "kmsKeyArn", f"have {long} 2048"),
    ]
    assert violations("CreateDatasetGroup", request) == [
        f"Value '{value}' at '{where}' failed to satisfy constraint: Member must {constraint}"
        for value, where, constraint in wanted
    ]


@pytest.mark.parametrize(
    ("operation", "request_", "where", "constraint"),
    [
        ("CreateSchema", {"name": "a" * 64, "schema": "x"}, "name", "length less than or equal to 63"),
        ("CreateSchema", {"name": "a.b", "schema": "x"}, "name", "regular expression pattern"),
        ("CreateSchema", {"name": "a\n", "schema": "x"}, "name", "regular expression pattern"),
        (
            "CreateSchema",
            {"name": "a", "schema": "x" * 20_001},
            "schema",
            "length less than or equal to 20000",
        ),
        ("ListSchemas", {"maxResults": 0}, "maxResults", "value greater than or equal to 1"),
        ("ListSchemas", {"maxResults": 101}, "maxResults", "value less than or equal to 100"),
        ("ListSchemas", {"nextToken": "é"}, "nextToken", "regular expression pattern"),
        ("PutEvents", {**CALL, "eventList": [EVENT] * 11}, "eventList", "length less than or equal to 10"),
        ("PutEvents", {**CALL, "eventList": []}, "eventList", "length greater than or equal to 1"),
        ("PutEvents", {**CALL, "eventList": [EVENT, None]}, "eventList.2.member", "not be null"),
        (
            "PutEvents",
            event(eventType=""),
            "eventList.1.member.eventType",
            "length greater than or equal to 1",
        ),
        (
            "PutEvents",
            event(impression=["i"] * 26),
            "eventList.1.member.impression",
            "length less than or equal to 25",
        ),
        (
            "PutEvents",
            event(impression=["i", ""]),
            "eventList.1.member.impression.2.member",
            "length greater than",
        ),
        ("PutEvents", event(recommendationId="r" * 41), "eventList.1.member.recommendationId", "equal to 40"),
        (
            "PutEvents",
            event(properties="p" * 1025),
            "eventList.1.member.properties",
            "less than or equal to 1024",
        ),
        (
            "PutEvents",
            event(sentAt=1_700_000_000_000),
            "eventList.1.member.sentAt",
            "value less than or equal to",
        ),
        ("PutEvents", event(sentAt=-1), "eventList.1.member.sentAt", "value greater than or equal to 0"),
        (
            "PutEvents",
            event(metricAttribution={}),
            "eventList.1.member.metricAttribution.eventAttributionSource",
            "null",
        ),
        (
            "GetRecommendations",
            {"filterValues": {"a b": "x"}},
            "filterValues.a b.key",
            "regular expression pattern",
        ),
        ("GetRecommendations", {"filterValues": {"a": "x" * 1001}}, "filterValues.a.member", "equal to 1000"),
        ("GetRecommendations", {"context": {f"k{n}": "v" for n in range(151)}}, "context", "equal to 150"),
        ("GetRecommendations", {"numResults": -1}, "numResults", "value greater than or equal to 0"),
        (
            "CreateCampaign",
            {"name": "a", "solutionVersionArn": "s", "campaignConfig": {"rankingInfluence": {"AGE": 2}}},
            "campaignConfig.rankingInfluence.AGE.key",
            "enum value set: [POPULARITY, FRESHNESS]",
        ),
    ],
)
def test_each_kind_of_limit(operation: str, request_: Any, where: str, constraint: str) -> None:
    assert any(f"at '{where}' " in text and constraint in text for text in violations(operation, request_))


def test_limits_are_inclusive() -> None:
    name = "a" * 63
    assert parsed("CreateSchema", {"name": name, "schema": "x" * 20_000})["name"] == name
    assert (
        len(parsed("PutEvents", {**CALL, "eventList": [event(properties="p" * 1024)["eventList"][0]] * 10}))
        == 3
    )


@pytest.mark.parametrize(
    ("operation", "request_", "where"),
    [
        ("ListSchemas", {"maxResults": "5"}, "maxResults"),
        ("ListSchemas", {"maxResults": True}, "maxResults"),
        ("ListSchemas", {"maxResults": 5.5}, "maxResults"),
        ("ListSchemas", {"maxResults": 2**31}, "maxResults"),
        ("ListSchemas", {"nextToken": 5}, "nextToken"),
        ("CreateSolution", {"performHPO": 1}, "performHPO"),
        ("CreateSolution", {"tags": {}}, "tags"),
        ("CreateSolution", {"solutionConfig": []}, "solutionConfig"),
        ("GetRecommendations", {"filterValues": ["a"]}, "filterValues"),
        ("GetRecommendations", {"filterValues": {"a": 1}}, "filterValues.a.member"),
        ("PutEvents", event(eventValue="4"), "eventList.1.member.eventValue"),
        ("PutEvents", event(sentAt="yesterday"), "eventList.1.member.sentAt"),
        ("PutEvents", event(sentAt="nan"), "eventList.1.member.sentAt"),
        ("PutEvents", event(sentAt=True), "eventList.1.member.sentAt"),
        ("PutEvents", event(properties=[1]), "eventList.1.member.properties"),
        ("PutEvents", {**CALL, "eventList": [[]]}, "eventList.1.member"),
    ],
)
def test_wrong_json_types_are_malformed(operation: str, request_: Any, where: str) -> None:
    with pytest.raises(MalformedRequest, match=re.escape(f"'{where}'")):
        parsed(operation, request_)


def test_an_integer_may_be_written_with_a_fraction_of_zero() -> None:
    read = parsed("ListSchemas", {"maxResults": 5.0})["maxResults"]
    assert read == 5
    assert isinstance(read, int)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000.25, 1_700_000_000.25),
        ("1700000000", 1_700_000_000),
        ("1700000000.5", 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000),
        ("2023-11-14T23:13:20.500+01:00", 1_700_000_000.5),
    ],
)
def test_timestamps_in_all_their_forms(given: Any, seconds: float) -> None:
    read = parsed("PutEvents", event(sentAt=given))["eventList"][0]["sentAt"]
    assert read == seconds


def test_properties_may_be_an_object() -> None:
    read = parsed("PutEvents", event(properties={"a": "é", "b": [1]}))["eventList"][0]["properties"]
    assert read == '{"a":"é","b":[1]}'
    with pytest.raises(InvalidInput, match="1024"):
        parsed("PutEvents", event(properties={"a": "x" * 1024}))


def test_role_arns_of_iam_are_accepted() -> None:
    request = {"jobName": "j", "datasetArn": "arn:aws:personalize:us-east-1:000000000000:dataset/g/ITEMS"}
    request |= {"roleArn": "arn:aws:iam::000000000000:role/service-role/Personalize"}
    assert parsed("CreateDatasetImportJob", {**request, "dataSource": {}})["roleArn"] == request["roleArn"]
