"""Datasets over the wire, and the replacement of their schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import shop
from live import Wait, fails


@pytest.fixture(scope="module")
def domain_group(personalize: Any, wait: Wait) -> str:
    arn = personalize.create_dataset_group(name="domain", domain="ECOMMERCE")["datasetGroupArn"]
    wait.active(arn)
    return str(arn)


def with_field(kind: str, *more: dict[str, object]) -> str:
    record = json.loads(shop.SCHEMAS[kind])
    record["fields"] += more
    return json.dumps(record)


def test_a_dataset_is_active_at_once_and_named_after_its_group(
    personalize: Any, group: str, make_schema: Callable[..., str]
) -> None:
    schema = make_schema()
    made = personalize.create_dataset(
        name="mine", datasetGroupArn=group, datasetType="iNteractions", schemaArn=schema
    )
    assert set(made) == {"datasetArn", "ResponseMetadata"}
    arn = made["datasetArn"]
    assert arn.endswith(f":dataset/{group.rsplit('/', 1)[1]}/INTERACTIONS")
    described = personalize.describe_dataset(datasetArn=arn)["dataset"]
    assert described["status"] == "ACTIVE"
    assert described["name"] == "mine"
    assert described["datasetType"] == "INTERACTIONS"
    assert (described["datasetGroupArn"], described["schemaArn"]) == (group, schema)
    assert "latestDatasetUpdate" not in described
    assert "trackingId" not in described
    message = fails(
        "ResourceAlreadyExistsException",
        personalize.create_dataset,
        name="another",
        datasetGroupArn=group,
        datasetType="Interactions",
        schemaArn=schema,
    )
    assert message == f"Another resource with Arn {arn} already exists."


def test_action_interactions_bring_a_tracking_id(
    personalize: Any, group: str, make_schema: Callable[..., str]
) -> None:
    text = shop.schema(
        "ActionInteractions",
        shop.field("USER_ID"),
        shop.field("ACTION_ID"),
        shop.field("EVENT_TYPE"),
        shop.field("TIMESTAMP", "long"),
    )
    arn = personalize.create_dataset(
        name="a", datasetGroupArn=group, datasetType="Action_Interactions", schemaArn=make_schema(text)
    )["datasetArn"]
    assert arn.endswith("/ACTION_INTERACTIONS")
    assert len(personalize.describe_dataset(datasetArn=arn)["dataset"]["trackingId"]) == 36


@pytest.mark.parametrize(
    ("kind", "schema", "words"),
    [
        ("Orders", shop.SCHEMAS["Items"], "Orders is not a dataset type"),
        ("Users", shop.SCHEMAS["Items"], "name must match the dataset type Users"),
        ("Items", shop.schema("Items", shop.field("ITEM_ID")), "at least one metadata field is required"),
    ],
)
def test_unsuitable_schema(
    personalize: Any, group: str, make_schema: Callable[..., str], kind: str, schema: str, words: str
) -> None:
    message = fails(
        "InvalidInputException",
        personalize.create_dataset,
        name="x",
        datasetGroupArn=group,
        datasetType=kind,
        schemaArn=make_schema(schema),
    )
    assert words in message


def test_domains_must_agree(
    personalize: Any, group: str, domain_group: str, make_schema: Callable[..., str]
) -> None:
    plain = make_schema(shop.SCHEMAS["Users"])
    shopping = make_schema(shop.SCHEMAS["Users"], domain="ECOMMERCE")
    for where, schema in ((domain_group, plain), (group, shopping)):
        message = fails(
            "InvalidInputException",
            personalize.create_dataset,
            name="x",
            datasetGroupArn=where,
            datasetType="Users",
            schemaArn=schema,
        )
        assert "domain" in message
    arn = personalize.create_dataset(
        name="x", datasetGroupArn=domain_group, datasetType="Users", schemaArn=shopping
    )["datasetArn"]
    assert arn.endswith("/USERS")


def test_domain_groups_hold_no_actions(
    personalize: Any, domain_group: str, make_schema: Callable[..., str]
) -> None:
    text = shop.schema("Actions", shop.field("ACTION_ID"), shop.field("NAME"))
    message = fails(
        "InvalidInputException",
        personalize.create_dataset,
        name="x",
        datasetGroupArn=domain_group,
        datasetType="Actions",
        schemaArn=make_schema(text, domain="ECOMMERCE"),
    )
    assert message == "A Domain dataset group cannot hold a dataset of type ACTIONS."


def test_unknown_group_and_schema(
    personalize: Any, group: str, region: str, make_schema: Callable[..., str]
) -> None:
    prefix = f"arn:aws:personalize:{region}:000000000000:"
    schema = make_schema()
    for where, what in (
        (f"{prefix}dataset-group/none", schema),
        (group, f"{prefix}schema/none"),
        (group, group),
    ):
        fails(
            "ResourceNotFoundException",
            personalize.create_dataset,
            name="x",
            datasetGroupArn=where,
            datasetType="Users",
            schemaArn=what,
        )


def test_listed_by_group(personalize: Any, domain_group: str, group: str) -> None:
    mine = {d["datasetArn"] for d in personalize.list_datasets(datasetGroupArn=group)["datasets"]}
    theirs = {d["datasetArn"] for d in personalize.list_datasets(datasetGroupArn=domain_group)["datasets"]}
    everything = {d["datasetArn"] for d in personalize.list_datasets()["datasets"]}
    assert mine
    assert not mine & theirs
    assert mine | theirs <= everything


def test_schema_is_replaced(
    personalize: Any,
    wait: Wait,
    group: str,
    make_schema: Callable[..., str],
    make_dataset: Callable[..., str],
) -> None:
    dataset = make_dataset(group, "Items")
    old = personalize.describe_dataset(datasetArn=dataset)["dataset"]["schemaArn"]
    new = make_schema(with_field("Items", shop.field("SHELF", ["null", "int"])))
    assert personalize.update_dataset(datasetArn=dataset, schemaArn=new)["datasetArn"] == dataset
    described = wait.updated(dataset, "latestDatasetUpdate")
    assert described["status"] == "ACTIVE"
    assert described["schemaArn"] == described["latestDatasetUpdate"]["schemaArn"] == new
    personalize.delete_schema(schemaArn=old)
    fails("ResourceInUseException", personalize.delete_schema, schemaArn=new)
    message = fails("InvalidInputException", personalize.update_dataset, datasetArn=dataset, schemaArn=new)
    assert message == f"Dataset {dataset} already has schema {new}."


def test_replacement_only_adds_nullable_fields(
    personalize: Any, group: str, make_schema: Callable[..., str], make_dataset: Callable[..., str]
) -> None:
    dataset = make_dataset(group, "Users")
    record = json.loads(shop.SCHEMAS["Users"])
    record["fields"] = [f for f in record["fields"] if f["name"] != "AGE"] + [shop.field("SHELF", "int")]
    message = fails(
        "InvalidInputException",
        personalize.update_dataset,
        datasetArn=dataset,
        schemaArn=make_schema(json.dumps(record)),
    )
    assert "field AGE must be kept with the same type and attributes" in message
    assert "added field SHELF must allow null" in message
    interactions = personalize.list_datasets(datasetGroupArn=group)["datasets"][0]["datasetArn"]
    message = fails(
        "InvalidInputException",
        personalize.update_dataset,
        datasetArn=interactions,
        schemaArn=make_schema(with_field("Interactions", shop.field("SHELF", ["null", "int"]))),
    )
    assert "Only Items and Users datasets can be updated" in message
