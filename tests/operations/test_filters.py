"""Filters over the wire; what expressions mean is tested with the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import shop
from live import Wait, fails

BOOKS = 'INCLUDE ItemID WHERE Items.DEPARTMENT IN ("books")'


@pytest.fixture(scope="module")
def filled(group: str, make_dataset: Callable[..., str]) -> str:
    for kind in shop.TYPES:
        make_dataset(group, kind)
    return group


def test_life(personalize: Any, wait: Wait, filled: str, name: str) -> None:
    arn = personalize.create_filter(name=name, datasetGroupArn=filled, filterExpression=BOOKS)["filterArn"]
    assert arn.endswith(f":filter/{name}")
    described = personalize.describe_filter(filterArn=arn)["filter"]
    assert (described["status"], described["filterExpression"]) == ("ACTIVE", BOOKS)
    assert described["datasetGroupArn"] == filled
    listed = personalize.list_filters(datasetGroupArn=filled)
    assert set(listed) == {"Filters", "ResponseMetadata"}
    assert [f["filterArn"] for f in listed["Filters"]] == [arn]
    message = fails(
        "ResourceAlreadyExistsException",
        personalize.create_filter,
        name=name,
        datasetGroupArn=filled,
        filterExpression=BOOKS,
    )
    assert message == f"Another resource with Arn {arn} already exists."
    personalize.delete_filter(filterArn=arn)
    wait.gone(arn)
    assert personalize.list_filters(datasetGroupArn=filled)["Filters"] == []


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        (
            "INCLUDE ItemID WHERE Items.SHAPE IN (1)",
            (
                "unknown field Items.SHAPE; filters can use of Items the columns ITEM_ID, DEPARTMENT,"
                " PRICE, COLOUR, CREATION_TIMESTAMP"
            ),
        ),
        ("INCLUDE ItemID WHERE Orders.ID IN (1)", "unknown dataset Orders"),
    ],
)
def test_bad_expression_is_told_at_once(
    personalize: Any, filled: str, name: str, expression: str, detail: str
) -> None:
    message = fails(
        "InvalidInputException",
        personalize.create_filter,
        name=name,
        datasetGroupArn=filled,
        filterExpression=expression,
    )
    assert message == f"Could not create filter. Invalid Expression: {detail}"


def test_unknown_group_is_told_before_a_bad_expression(personalize: Any, filled: str, name: str) -> None:
    fails(
        "ResourceNotFoundException",
        personalize.create_filter,
        name=name,
        datasetGroupArn=filled + "-none",
        filterExpression="INCLUDE",
    )


def test_field_quota_of_a_group(
    personalize: Any, wait: Wait, make_schema: Callable[..., str], name: str
) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    fields = [shop.field(f"F{number}", "int") for number in range(25)]
    personalize.create_dataset(
        name="items",
        datasetGroupArn=group,
        datasetType="Items",
        schemaArn=make_schema(shop.schema("Items", shop.field("ITEM_ID"), *fields)),
    )

    def expression(numbers: range) -> str:
        return "INCLUDE ItemID WHERE " + " AND ".join(f"Items.F{number} > 1" for number in numbers)

    for part in (range(10), range(10, 20), range(5, 15)):
        personalize.create_filter(
            name=f"{name}-{part.start}", datasetGroupArn=group, filterExpression=expression(part)
        )
    message = fails(
        "LimitExceededException",
        personalize.create_filter,
        name=f"{name}-more",
        datasetGroupArn=group,
        filterExpression=expression(range(20, 21)),
    )
    assert "20" in message


def test_thirty_first_filter(
    personalize: Any, wait: Wait, name: str, make_dataset: Callable[..., str]
) -> None:
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    make_dataset(group, "Items")
    for number in range(30):
        personalize.create_filter(name=f"{name}-{number}", datasetGroupArn=group, filterExpression=BOOKS)
    message = fails(
        "LimitExceededException",
        personalize.create_filter,
        name=f"{name}-more",
        datasetGroupArn=group,
        filterExpression=BOOKS,
    )
    assert message == (
        "Cannot create a filter. More than 30 resources in ACTIVE state. Please delete some and try again."
        " (Server setting quota_filters: openpersonalize serve --quota-filters NUMBER.)"
    )
