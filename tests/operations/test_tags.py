"""Tags over the wire."""

from __future__ import annotations

from typing import Any

import pytest

import shop
from live import fails


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"tagKey": key, "tagValue": value} for key, value in pairs.items()]


def test_added_replaced_removed(personalize: Any, group: str) -> None:
    def shown() -> list[dict[str, str]]:
        return list(personalize.list_tags_for_resource(resourceArn=group)["tags"])

    assert shown() == []
    personalize.tag_resource(resourceArn=group, tags=tags(team="a b", stage="", Team="x"))
    personalize.tag_resource(resourceArn=group, tags=tags(stage="live", more="1"))
    assert shown() == tags(team="a b", stage="live", Team="x", more="1")
    personalize.untag_resource(resourceArn=group, tagKeys=["team", "never"])
    assert shown() == tags(stage="live", Team="x", more="1")
    assert "tags" not in personalize.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]
    personalize.untag_resource(resourceArn=group, tagKeys=["stage", "Team", "more"])
    assert shown() == []


def test_at_most_fifty(personalize: Any, group: str) -> None:
    personalize.tag_resource(resourceArn=group, tags=tags(**{f"k{n}": "v" for n in range(50)}))
    message = fails(
        "TooManyTagsException", personalize.tag_resource, resourceArn=group, tags=tags(k0="new", k50="v")
    )
    assert message == "A resource can have at most 50 tags."
    listed = personalize.list_tags_for_resource(resourceArn=group)["tags"]
    assert len(listed) == 50
    assert listed[0] == {"tagKey": "k0", "tagValue": "v"}
    fails(
        "TooManyTagKeysException",
        personalize.untag_resource,
        resourceArn=group,
        tagKeys=[f"k{n}" for n in range(51)],
    )
    personalize.untag_resource(resourceArn=group, tagKeys=[f"k{n}" for n in range(50)])


def test_too_many_at_creation_create_nothing(personalize: Any, group: str, name: str) -> None:
    call = personalize.create_event_tracker
    fails(
        "TooManyTagsException",
        call,
        name=name,
        datasetGroupArn=group,
        tags=tags(**{f"k{n}": "v" for n in range(51)}),
    )
    assert personalize.list_event_trackers(datasetGroupArn=group)["eventTrackers"] == []


@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "aWs:"])
def test_reserved_keys(personalize: Any, group: str, key: str) -> None:
    message = fails(
        "InvalidInputException",
        personalize.tag_resource,
        resourceArn=group,
        tags=[{"tagKey": key, "tagValue": ""}],
    )
    assert key in message


def test_key_given_twice(personalize: Any, group: str) -> None:
    fails(
        "InvalidInputException", personalize.tag_resource, resourceArn=group, tags=tags(a="1") + tags(a="2")
    )


def test_what_has_no_tags(personalize: Any, name: str) -> None:
    schema = personalize.create_schema(name=name, schema=shop.SCHEMAS["Users"])["schemaArn"]
    for arn in (schema, "arn:aws:personalize:::recipe/aws-popularity-count"):
        fails("InvalidInputException", personalize.tag_resource, resourceArn=arn, tags=tags(a="1"))
        fails("InvalidInputException", personalize.untag_resource, resourceArn=arn, tagKeys=["a"])
        fails("InvalidInputException", personalize.list_tags_for_resource, resourceArn=arn)


def test_unknown_resource(personalize: Any, group: str) -> None:
    for arn in (group + "-none", group.replace("dataset-group", "teapot")):
        fails("ResourceNotFoundException", personalize.list_tags_for_resource, resourceArn=arn)
