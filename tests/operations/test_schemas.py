"""Schemas over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import shop
from live import Wait, fails, make_clients


def test_text_comes_back_as_sent(personalize: Any, name: str) -> None:
    text = json.dumps(json.loads(shop.SCHEMAS["Items"]), indent=3)
    arn = personalize.create_schema(name=name, schema=text)["schemaArn"]
    assert arn.endswith(f":000000000000:schema/{name}")
    described = personalize.describe_schema(schemaArn=arn)["schema"]
    assert described["schema"] == text
    assert described["name"] == name
    assert described["schemaArn"] == arn
    assert "domain" not in described
    assert described["creationDateTime"] == described["lastUpdatedDateTime"]


def test_domain_is_shown_when_given(personalize: Any, name: str) -> None:
    arn = personalize.create_schema(name=name, schema=shop.SCHEMAS["Users"], domain="ECOMMERCE")["schemaArn"]
    assert personalize.describe_schema(schemaArn=arn)["schema"]["domain"] == "ECOMMERCE"
    listed = {s["schemaArn"]: s for s in personalize.list_schemas()["schemas"]}
    assert listed[arn]["domain"] == "ECOMMERCE"
    assert "schema" not in listed[arn]


def test_taken_name(personalize: Any, name: str) -> None:
    arn = personalize.create_schema(name=name, schema=shop.SCHEMAS["Users"])["schemaArn"]
    message = fails(
        "ResourceAlreadyExistsException", personalize.create_schema, name=name, schema=shop.SCHEMAS["Users"]
    )
    assert message == f"Another resource with Arn {arn} already exists."


def test_a_taken_name_is_told_before_a_bad_schema(personalize: Any, name: str) -> None:
    personalize.create_schema(name=name, schema=shop.SCHEMAS["Users"])
    fails("ResourceAlreadyExistsException", personalize.create_schema, name=name, schema="no schema")


def test_bad_schema(personalize: Any, name: str) -> None:
    message = fails("InvalidInputException", personalize.create_schema, name=name, schema="{")
    assert message == "Invalid schema: not valid JSON"


@pytest.mark.parametrize("bad", ["a" * 64, "-lead", "a.b", ""])
def test_bad_name(personalize: Any, bad: str) -> None:
    raw = make_clients(personalize.meta.endpoint_url, personalize.meta.region_name, checked=False).personalize
    message = fails("InvalidInputException", raw.create_schema, name=bad, schema=shop.SCHEMAS["Users"])
    assert "'name'" in message


def test_unknown_schema(personalize: Any, region: str) -> None:
    arn = f"arn:aws:personalize:{region}:000000000000:schema/none"
    for call in (personalize.describe_schema, personalize.delete_schema):
        assert (
            fails("ResourceNotFoundException", call, schemaArn=arn) == f"Resource Arn {arn} does not exist."
        )


def test_schema_of_another_region_is_unknown_here(personalize: Any, name: str) -> None:
    arn = personalize.create_schema(name=name, schema=shop.SCHEMAS["Users"])["schemaArn"]
    elsewhere = arn.replace(":test-region", ":rest-region")
    fails("ResourceNotFoundException", personalize.describe_schema, schemaArn=elsewhere)


def test_a_schema_in_use_stays(
    personalize: Any, wait: Wait, group: str, make_dataset: Callable[..., str]
) -> None:
    dataset = make_dataset(group, "Interactions")
    schema = personalize.describe_dataset(datasetArn=dataset)["dataset"]["schemaArn"]
    message = fails("ResourceInUseException", personalize.delete_schema, schemaArn=schema)
    assert message == f"Resource {schema} cannot be deleted because it is used by {dataset}."
    personalize.delete_dataset(datasetArn=dataset)
    wait.gone(dataset)
    personalize.delete_schema(schemaArn=schema)
    fails("ResourceNotFoundException", personalize.describe_schema, schemaArn=schema)
