"""Rules of schemas: the columns that each type of dataset requires and reserves (`check_schema_for`).

They depend on the dataset's type and the group's domain, so CreateDataset checks them. Rules: Amazon
Personalize developer guide, "Datasets and schemas"; where it is silent, the choice is said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .schemas import ID_FIELDS, Field, FieldType, Schema, dataset_type_named, flag_violations, refuse, spelled


def check_schema_for(schema: Schema, dataset_type: str, domain: str | None) -> None:
    """Check that `schema` may describe a dataset of `dataset_type` (upper case) in a group of `domain`.

    Raises:
        InvalidInput: ``Invalid schema: ...`` with every violation.
    """
    rules = _rules(dataset_type, domain)
    violations = []
    if dataset_type_named(schema.name) != dataset_type:
        violations.append(f"name must match the dataset type {spelled(dataset_type)}")
    violations += flag_violations(schema, dataset_type)
    for rule in rules:
        violations += rule.violations(schema.field(rule.name))
    if dataset_type == "ACTIONS" and {"EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"} <= set(
        schema.names
    ):
        violations.append("EXPIRATION_TIMESTAMP and ACTION_EXPIRATION_TIMESTAMP are the same field, keep one")
    violations += _count_violations(schema, dataset_type, rules)
    refuse(list(dict.fromkeys(violations)))


def metadata_fields(schema: Schema, dataset_type: str, domain: str | None) -> tuple[Field, ...]:
    """The caller's own columns: neither required nor reserved in this dataset type and domain."""
    known = {rule.name for rule in _rules(dataset_type, domain)}
    return tuple(field for field in schema.fields if field.name not in known)


def known_fields(dataset_type: str, domain: str | None = None) -> tuple[Field, ...]:
    """The required and the reserved columns of a dataset type, as a schema may name them: with null where
    that is allowed."""
    return tuple(
        Field(rule.name, rule.type, rule.nullable, rule.flag == "categorical", rule.flag == "textual")
        for rule in _rules(dataset_type, domain)
    )


def required_names(dataset_type: str, domain: str | None = None) -> tuple[str, ...]:
    """The columns that a schema of this type must have."""
    return tuple(rule.name for rule in _rules(dataset_type, domain) if rule.required)


@dataclass(frozen=True)
class _Rule:
    """A required or reserved column. `flag` is what a string must carry: nothing, categorical or textual."""

    name: str
    type: FieldType
    required: bool = False
    nullable: bool = True
    flag: Literal["", "categorical", "textual"] = ""

    def violations(self, field: Field | None) -> Iterator[str]:
        if field is None:
            if self.required:
                yield f"missing required field {self.name}"
            return
        if field.type != self.type:
            yield f"field {self.name} must have type {self.type}"
            return
        if field.nullable and not self.nullable:
            yield f"field {self.name} must have type {self.type} without null"
        if self.flag == "categorical" and not field.categorical:
            yield f"field {self.name} must be categorical"
        if self.flag != "categorical" and field.categorical:
            yield f"field {self.name} must not be categorical"
        if self.flag == "textual" and not field.textual:
            yield f"field {self.name} must be textual"
        if self.flag != "textual" and field.textual:
            yield f"field {self.name} must not be textual"


def _required(name: str, type: FieldType, flag: Literal["", "categorical"] = "") -> _Rule:
    return _Rule(name, type, required=True, nullable=False, flag=flag)


def _reserved(
    type: FieldType, *names: str, flag: Literal["", "categorical", "textual"] = ""
) -> tuple[_Rule, ...]:
    return tuple(_Rule(name, type, flag=flag) for name in names)


_OF_AN_INTERACTION = (
    *_reserved("float", "EVENT_VALUE"),
    *_reserved("string", "IMPRESSION", "RECOMMENDATION_ID", "EVENT_ATTRIBUTION_SOURCE"),
)
_INTERACTION = (
    _required("USER_ID", "string"),
    _required("ITEM_ID", "string"),
    _required("TIMESTAMP", "long"),
)

_CUSTOM: dict[str, tuple[_Rule, ...]] = {
    "INTERACTIONS": (*_INTERACTION, _Rule("EVENT_TYPE", "string", nullable=False), *_OF_AN_INTERACTION),
    "USERS": (_required("USER_ID", "string"),),
    "ITEMS": (_required("ITEM_ID", "string"), *_reserved("long", "CREATION_TIMESTAMP")),
    "ACTIONS": (
        _required("ACTION_ID", "string"),
        *_reserved(
            "long", "CREATION_TIMESTAMP", "VALUE", "EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"
        ),
        *_reserved("long", "REPEAT_FREQUENCY"),
        *_reserved("string", "TYPE"),
    ),
    "ACTION_INTERACTIONS": (
        _required("USER_ID", "string"),
        _required("ACTION_ID", "string"),
        _required("EVENT_TYPE", "string"),
        _required("TIMESTAMP", "long"),
        *_reserved("string", "IMPRESSION", "RECOMMENDATION_ID"),
    ),
}
_DOMAIN_INTERACTIONS = (*_INTERACTION, _required("EVENT_TYPE", "string"), *_OF_AN_INTERACTION)
_DOMAIN: dict[tuple[str, str], tuple[_Rule, ...]] = {
    ("ECOMMERCE", "INTERACTIONS"): _DOMAIN_INTERACTIONS,
    ("VIDEO_ON_DEMAND", "INTERACTIONS"): _DOMAIN_INTERACTIONS,
    ("ECOMMERCE", "USERS"): _CUSTOM["USERS"],
    ("VIDEO_ON_DEMAND", "USERS"): (
        *_CUSTOM["USERS"],
        *_reserved("string", "SUBSCRIPTION_MODEL", flag="categorical"),
    ),
    ("ECOMMERCE", "ITEMS"): (
        _required("ITEM_ID", "string"),
        _required("PRICE", "float"),
        _required("CATEGORY_L1", "string", "categorical"),
        *_reserved(
            "string", "CATEGORY_L2", "CATEGORY_L3", "AGE_GROUP", "ADULT", "GENDER", flag="categorical"
        ),
        *_reserved("string", "PRODUCT_DESCRIPTION", flag="textual"),
        *_reserved("long", "CREATION_TIMESTAMP"),
    ),
    ("VIDEO_ON_DEMAND", "ITEMS"): (
        _required("ITEM_ID", "string"),
        _required("GENRES", "string", "categorical"),
        _required("CREATION_TIMESTAMP", "long"),
        *_reserved("float", "PRICE", "DURATION", "AVERAGE_RATING"),
        *_reserved("string", "GENRE_L2", "GENRE_L3", "CONTENT_OWNER", flag="categorical"),
        *_reserved("string", "CONTENT_CLASSIFICATION", flag="categorical"),
        *_reserved("string", "PRODUCT_DESCRIPTION", flag="textual"),
    ),
}
_MOST_METADATA = {"INTERACTIONS": 5, "USERS": 25, "ITEMS": 100, "ACTIONS": 10, "ACTION_INTERACTIONS": 5}
_NOT_METADATA = frozenset({"ITEM_ID", "USER_ID", "ACTION_ID", "CREATION_TIMESTAMP"})


def _rules(kind: str, domain: str | None) -> tuple[_Rule, ...]:
    return _DOMAIN.get((domain or "", kind), _CUSTOM[kind])


def _count_violations(schema: Schema, kind: str, rules: tuple[_Rule, ...]) -> Iterator[str]:
    """At least one field that describes the record (reserved ones count), not too many of one's own."""
    known = {rule.name for rule in rules}
    own = [field for field in schema.fields if field.name not in known]
    if kind in ID_FIELDS and not any(
        field.name not in _NOT_METADATA and field.type != "boolean" for field in schema.fields
    ):
        yield "at least one metadata field is required"
    if len(own) > _MOST_METADATA[kind]:
        yield f"more than {_MOST_METADATA[kind]} metadata fields"
