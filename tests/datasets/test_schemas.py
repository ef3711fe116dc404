"""What CreateSchema accepts, and what CreateDataset demands of each type of dataset."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.datasets.schema_rules import check_schema_for, metadata_fields
from openpersonalize.datasets.schemas import DATASET_TYPES, Field, dataset_type, parse_schema, spelled
from openpersonalize.errors import InvalidInput

from .tabular import CATEGORICAL, TEXTUAL, schema

INTERACTION = ("USER_ID", "ITEM_ID", ("TIMESTAMP", "long"))
NULLABLE = ["null", "string"]


def violations(text: str, kind: str | None = None, domain: str | None = None) -> list[str]:
    """What is wrong with a schema, at CreateSchema or, for a `kind`, at CreateDataset."""
    try:
        parsed = parse_schema(text, domain)
        if kind is not None:
            check_schema_for(parsed, kind, domain)
    except InvalidInput as error:
        head, _, rest = error.message.partition(": ")
        return rest.split("; ") if head == "Invalid schema" else [error.message]
    return []


def test_a_parsed_schema_knows_its_fields():
    parsed = parse_schema(
        schema(
            "items",
            "ITEM_ID",
            ("GENRES", NULLABLE, CATEGORICAL),
            ("PLOT", ["string"], TEXTUAL),
            ("PRICE", ["float", "null"]),
            ("TITLE", "string", {"itemName": True, "doc": "ignored"}),
        )
    )
    assert parsed.names == ("ITEM_ID", "GENRES", "PLOT", "PRICE", "TITLE")
    assert parsed.field("GENRES") == Field("GENRES", "string", nullable=True, categorical=True)
    assert parsed.field("PLOT") == Field("PLOT", "string", textual=True)
    assert parsed.field("PRICE") == Field("PRICE", "float", nullable=True)
    assert parsed.field("TITLE") == Field("TITLE", "string", item_name=True)
    assert parsed.field("genres") is None


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"fields":[],}', "[" * 100_000, '{"a": NaN}', "\ud800"])
def test_what_is_not_json(text: str):
    assert violations(text) == ["not valid JSON"]


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "null",
        "[]",
        '{"type":"record"}',
        '{"type":"record","fields":{}}',
        '{"type":"record","fields":[]}',
    ],
)
def test_a_record_must_have_fields(text: str):
    assert "record must have fields" in violations(text)


def test_all_violations_come_at_once():
    text = schema(
        "Items", ("A", "bytes"), ("B", "int", CATEGORICAL), ("C", "long", TEXTUAL), "D_1", "d1", "2x"
    )
    found = violations(text)
    assert found[0] == "field A has unsupported type bytes"
    assert "categorical is allowed only for string fields (B)" in found
    assert "textual is allowed only for string fields of an Items schema (C)" in found
    assert "duplicate field d1" in found
    assert any(v.startswith("field name 2x must start") for v in found)
    assert len(found) == 5


@pytest.mark.parametrize("written", ["string", ["string"], ["null", "string"], ["string", "null"]])
def test_accepted_ways_to_write_a_type(written: object):
    assert violations(schema("Users", ("A", written))) == []


@pytest.mark.parametrize(
    "written",
    [
        "null",
        ["null"],
        [],
        ["string", "int"],
        ["null", "string", "int"],
        ["null", "null"],
        "bytes",
        "STRING",
        {"type": "array", "items": "string"},
        {"type": "string"},
        None,
        1,
        True,
        [["string"]],
        [{"type": "int"}, "null"],
    ],
)
def test_refused_types(written: object):
    assert [v for v in violations(schema("Users", ("A", written))) if "field A has unsupported type" in v]


@pytest.mark.parametrize(
    "fields", [[1], ["A"], [{}], [{"name": "A"}], [{"type": "string"}], [{"name": 1, "type": "int"}]]
)
def test_a_field_needs_a_name_and_a_type(fields: list[object]):
    text = json.dumps({"type": "record", "name": "Users", "fields": fields})
    assert violations(text) == ["field number 1 must have a name and a type"]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [("GENRES_FIELD_1", "GENRESFIELD1", True), ("Abc", "ABC", True), ("A", "A", True), ("A1", "A2", False)],
)
def test_names_are_unique_without_underscores_and_case(one: str, other: str, clash: bool):
    assert bool(violations(schema("Users", one, other))) == clash


def test_names_in_mixed_case_are_accepted():
    text = schema(
        "Users", "USER_ID", ("memberClass", "string", CATEGORICAL), "user_device_type", "_x", "A" * 150
    )
    assert violations(text, "USERS") == []
    assert violations(schema("Users", "A" * 151))


def test_versions_namespaces_and_false_flags_do_not_matter():
    record = json.loads(schema("Users", "USER_ID", ("AGE", "int", {"categorical": False})))
    for version in ("1.0", "1.1", 1, None):
        record["version"] = version
        assert violations(json.dumps(record), "USERS") == []
    del record["version"]
    record["namespace"] = "com.example"
    assert violations(json.dumps(record), "USERS") == []


def test_flags_are_booleans():
    assert violations(schema("Users", ("A", "string", {"categorical": "true"}))) == [
        "categorical must be true or false (A)"
    ]


def test_textual_is_for_items_and_only_once():
    assert violations(schema("Users", "USER_ID", ("BIO", "string", TEXTUAL))) == [
        "textual is allowed only for string fields of an Items schema (BIO)"
    ]
    assert violations(schema("Items", "ITEM_ID", ("A", "string", TEXTUAL), ("B", "string", TEXTUAL))) == [
        "only one textual field is allowed"
    ]
    assert violations(schema("Items", "ITEM_ID", ("A", "string", TEXTUAL | CATEGORICAL))) == [
        "categorical and textual exclude each other (A)"
    ]


def test_what_depends_on_the_type_waits_for_the_dataset():
    without_time = schema("Interactions", "USER_ID", "ITEM_ID")
    assert violations(without_time) == []
    assert violations(without_time, "INTERACTIONS") == ["missing required field TIMESTAMP"]


@pytest.mark.parametrize(
    ("name", "kind", "fits"),
    [
        ("Items", "ITEMS", True),
        ("items", "ITEMS", True),
        ("Users", "ITEMS", False),
        ("", "ITEMS", False),
        ("ActionInteractions", "ACTION_INTERACTIONS", True),
        ("action_interactions", "ACTION_INTERACTIONS", True),
    ],
)
def test_the_records_name_must_match(name: str, kind: str, fits: bool):
    fields = (
        ("USER_ID", "ACTION_ID", "EVENT_TYPE", ("TIMESTAMP", "long"))
        if fits and "ACTION" in kind
        else ("ITEM_ID", "X")
    )
    found = violations(schema(name, *fields), kind)
    assert ("name must match the dataset type Items" in found) == (not fits)


@pytest.mark.parametrize(
    ("kind", "domain", "fields", "expected"),
    [
        ("INTERACTIONS", None, INTERACTION, []),
        ("INTERACTIONS", None, (*INTERACTION, "EVENT_TYPE", ("EVENT_VALUE", "float")), []),
        (
            "INTERACTIONS",
            None,
            (*INTERACTION, ("EVENT_VALUE", ["null", "float"]), ("IMPRESSION", NULLABLE)),
            [],
        ),
        (
            "INTERACTIONS",
            None,
            (*INTERACTION, ("EVENT_TYPE", "string", CATEGORICAL)),
            ["field EVENT_TYPE must not be categorical"],
        ),
        (
            "INTERACTIONS",
            None,
            (*INTERACTION, ("EVENT_TYPE", NULLABLE)),
            ["field EVENT_TYPE must have type string without null"],
        ),
        (
            "INTERACTIONS",
            None,
            (*INTERACTION, ("EVENT_VALUE", "double")),
            ["field EVENT_VALUE must have type float"],
        ),
        (
            "INTERACTIONS",
            None,
            ("USER_ID", ("ITEM_ID", "int"), ("TIMESTAMP", ["long", "null"])),
            ["field ITEM_ID must have type string", "field TIMESTAMP must have type long without null"],
        ),
        ("INTERACTIONS", "ECOMMERCE", INTERACTION, ["missing required field EVENT_TYPE"]),
        ("INTERACTIONS", "VIDEO_ON_DEMAND", (*INTERACTION, "EVENT_TYPE"), []),
        ("USERS", None, ("USER_ID",), ["at least one metadata field is required"]),
        ("USERS", None, ("USER_ID", ("VIP", "boolean")), ["at least one metadata field is required"]),
        ("USERS", None, ("USER_ID", ("AGE", "int")), []),
        ("USERS", "VIDEO_ON_DEMAND", ("USER_ID", ("SUBSCRIPTION_MODEL", NULLABLE, CATEGORICAL)), []),
        (
            "USERS",
            "VIDEO_ON_DEMAND",
            ("USER_ID", "SUBSCRIPTION_MODEL"),
            ["field SUBSCRIPTION_MODEL must be categorical"],
        ),
        ("ITEMS", None, ("ITEM_ID",), ["at least one metadata field is required"]),
        (
            "ITEMS",
            None,
            ("ITEM_ID", ("CREATION_TIMESTAMP", "long")),
            ["at least one metadata field is required"],
        ),
        ("ITEMS", None, ("ITEM_ID", ("CREATION_TIMESTAMP", ["long", "null"]), "TITLE"), []),
        ("ITEMS", "ECOMMERCE", ("ITEM_ID", ("PRICE", "float"), ("CATEGORY_L1", ["string"], CATEGORICAL)), []),
        (
            "ITEMS",
            "ECOMMERCE",
            ("ITEM_ID", ("CATEGORY_L1", "string", CATEGORICAL)),
            ["missing required field PRICE"],
        ),
        (
            "ITEMS",
            "ECOMMERCE",
            (
                "ITEM_ID",
                ("PRICE", "double"),
                "CATEGORY_L1",
                "PRODUCT_DESCRIPTION",
                ("CREATION_TIMESTAMP", "float"),
            ),
            [
                "field PRICE must have type float",
                "field CATEGORY_L1 must be categorical",
                "field PRODUCT_DESCRIPTION must be textual",
                "field CREATION_TIMESTAMP must have type long",
            ],
        ),
        (
            "ITEMS",
            "VIDEO_ON_DEMAND",
            ("ITEM_ID", ("GENRES", "string", CATEGORICAL), ("CREATION_TIMESTAMP", "long")),
            [],
        ),
        (
            "ITEMS",
            "VIDEO_ON_DEMAND",
            ("ITEM_ID", ("GENRES_L1", "string", CATEGORICAL), ("CREATION_TIMESTAMP", "long")),
            ["missing required field GENRES"],
        ),
        (
            "ACTIONS",
            None,
            ("ACTION_ID", ("VALUE", ["long", "null"]), ("EXPIRATION_TIMESTAMP", ["null", "long"])),
            [],
        ),
        (
            "ACTIONS",
            None,
            ("ACTION_ID", ("CREATION_TIMESTAMP", "long")),
            ["at least one metadata field is required"],
        ),
        (
            "ACTIONS",
            None,
            ("ACTION_ID", ("EXPIRATION_TIMESTAMP", "long"), ("ACTION_EXPIRATION_TIMESTAMP", "long")),
            ["EXPIRATION_TIMESTAMP and ACTION_EXPIRATION_TIMESTAMP are the same field, keep one"],
        ),
        ("ACTION_INTERACTIONS", None, ("USER_ID", "ACTION_ID", "EVENT_TYPE", ("TIMESTAMP", "long")), []),
        (
            "ACTION_INTERACTIONS",
            None,
            ("USER_ID", "ACTION_ID", ("TIMESTAMP", "long")),
            ["missing required field EVENT_TYPE"],
        ),
    ],
)
def test_required_and_reserved_fields(kind: str, domain: str | None, fields: tuple, expected: list[str]):
    assert violations(schema(kind, *fields), kind, domain) == expected


@pytest.mark.parametrize(
    ("kind", "fields", "most"),
    [
        ("INTERACTIONS", INTERACTION, 5),
        ("USERS", ("USER_ID",), 25),
        ("ITEMS", ("ITEM_ID",), 100),
        ("ACTIONS", ("ACTION_ID", ("VALUE", "long")), 10),
        ("ACTION_INTERACTIONS", ("USER_ID", "ACTION_ID", "EVENT_TYPE", ("TIMESTAMP", "long")), 5),
    ],
)
def test_the_most_metadata_fields(kind: str, fields: tuple, most: int):
    own = [f"X{k}" for k in range(most)]
    assert violations(schema(kind, *fields, *own), kind) == []
    assert violations(schema(kind, *fields, *own, "Y"), kind) == [f"more than {most} metadata fields"]


def test_metadata_fields_are_neither_required_nor_reserved():
    parsed = parse_schema(schema("Items", "ITEM_ID", ("CREATION_TIMESTAMP", "long"), "TITLE"))
    assert [field.name for field in metadata_fields(parsed, "ITEMS", None)] == ["TITLE"]


def test_dataset_types_in_any_case():
    assert dataset_type("Action_interactions") == "ACTION_INTERACTIONS"
    assert dataset_type("Films") is None
    assert [spelled(kind) for kind in DATASET_TYPES] == [
        "Interactions",
        "Items",
        "Users",
        "Actions",
        "Action_Interactions",
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "fields", "name", "categorical", "textual", "x"]), inner
            )
        ),
    )
)
def test_no_json_breaks_the_parser(value: object):
    violations(json.dumps(value))
