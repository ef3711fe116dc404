"""Schemas: the Avro record that names a dataset's columns, and what each type of dataset demands of it.

`parse_schema` checks what holds for every schema (CreateSchema); `check_schema_for` checks what depends on
the dataset's type and the group's domain (CreateDataset). Both report all violations in one `InvalidInput`.
Rules: Amazon Personalize developer guide, "Datasets and schemas"; where it is silent, the choice is said
here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import InvalidInput

DATASET_TYPES = ("INTERACTIONS", "ITEMS", "USERS", "ACTIONS", "ACTION_INTERACTIONS")
"""The five dataset types as they are stored and returned."""

DOMAINS = ("ECOMMERCE", "VIDEO_ON_DEMAND")
"""Domains of dataset groups; None stands for a Custom group."""

ID_FIELDS = {"ITEMS": "ITEM_ID", "USERS": "USER_ID", "ACTIONS": "ACTION_ID"}
"""The column that identifies a record, for the types whose records have an identity."""

TIMESTAMP_FIELDS = frozenset(
    {"TIMESTAMP", "CREATION_TIMESTAMP", "EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"}
)
"""Columns that hold epoch seconds."""

MAX_TIMESTAMP = 4_102_444_800
"""The first second of the year 2100; anything later is surely not in seconds."""

FLOAT_LIMIT = 2.0**128 - 2.0**103
"""What a float, which has 32 bits, stays below: from here on numbers round to infinity."""

FieldType = Literal["string", "int", "long", "float", "double", "boolean"]

_SPELLED = {
    "INTERACTIONS": "Interactions",
    "ITEMS": "Items",
    "USERS": "Users",
    "ACTIONS": "Actions",
    "ACTION_INTERACTIONS": "Action_Interactions",
}
_TYPES = ("string", "int", "long", "float", "double", "boolean")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,149}")


@dataclass(frozen=True)
class Field:
    """One column: its name, its Avro type without the null, and what it means."""

    name: str
    type: FieldType
    nullable: bool = False
    categorical: bool = False
    textual: bool = False
    item_name: bool = False

    @property
    def is_number(self) -> bool:
        """Whether values are compared as numbers."""
        return self.type in ("int", "long", "float", "double")

    @property
    def trains(self) -> bool:
        """Whether a model may learn from it as metadata: a number, a category or prose. Other strings and
        booleans are for filters and answers only."""
        return self.is_number or self.categorical or self.textual

    @property
    def spelled(self) -> str:
        """The type as a schema writes it, e.g. ``string`` or ``[string,null]``."""
        return f"[{self.type},null]" if self.nullable else self.type


@dataclass(frozen=True)
class Schema:
    """A parsed schema: the record's name and its fields in the order written."""

    fields: tuple[Field, ...]
    name: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in schema order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field | None:
        """The field of exactly this name."""
        return next((field for field in self.fields if field.name == name), None)


def dataset_type(text: str) -> str | None:
    """The dataset type that `text` names in any case, as stored (upper case), or None."""
    return text.upper() if text.upper() in DATASET_TYPES else None


def spelled(kind: str) -> str:
    """A dataset type as sentences spell it: ``Interactions``, ``Action_Interactions``."""
    return _SPELLED[kind]


def id_field(kind: str) -> str | None:
    """The column that identifies a record of this dataset type; None for interactions, which have none."""
    return ID_FIELDS.get(kind)


def parse_schema(text: str, domain: str | None = None) -> Schema:
    """Read a schema and check what holds for all dataset types.

    Args:
        text: the Avro record as JSON.
        domain: the domain the schema is made for; None for Custom groups. No rule of this step depends on it.

    Raises:
        InvalidInput: ``Invalid schema: ...`` with every violation.
    """
    try:
        record = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidInput("Invalid schema: not valid JSON") from None
    violations: list[str] = []
    fields = tuple(_fields(record, violations))
    _check_names(fields, violations)
    name = record.get("name") if isinstance(record, dict) else None
    schema = Schema(fields, name if isinstance(name, str) else "")
    violations += _flag_violations(schema, dataset_type_named(schema.name))
    _raise(violations)
    return schema


def check_schema_for(schema: Schema, dataset_type: str, domain: str | None) -> None:
    """Check that `schema` may describe a dataset of `dataset_type` (upper case) in a group of `domain`.

    Raises:
        InvalidInput: ``Invalid schema: ...`` with every violation.
    """
    rules = _rules(dataset_type, domain)
    violations = []
    if dataset_type_named(schema.name) != dataset_type:
        violations.append(f"name must match the dataset type {spelled(dataset_type)}")
    violations += _flag_violations(schema, dataset_type)
    for rule in rules:
        violations += rule.violations(schema.field(rule.name))
    if dataset_type == "ACTIONS" and {"EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"} <= set(
        schema.names
    ):
        violations.append("EXPIRATION_TIMESTAMP and ACTION_EXPIRATION_TIMESTAMP are the same field, keep one")
    violations += _count_violations(schema, dataset_type, rules)
    _raise(list(dict.fromkeys(violations)))


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


def schema_text(dataset_type: str, fields: Iterable[Field]) -> str:
    """The Avro record, as CreateSchema takes it."""
    members: list[dict[str, Any]] = []
    for field in fields:
        member: dict[str, Any] = {"name": field.name}
        member["type"] = ["null", field.type] if field.nullable else field.type
        flags = {"categorical": field.categorical, "textual": field.textual, "itemName": field.item_name}
        members.append(member | {flag: True for flag, is_set in flags.items() if is_set})
    return json.dumps(
        {
            "type": "record",
            "name": _SPELLED[dataset_type],
            "namespace": "com.amazonaws.personalize.schema",
            "fields": members,
            "version": "1.0",
        }
    )


def dataset_type_named(record_name: str) -> str | None:
    """The dataset type that a record's name stands for, ignoring case and underscores, or None."""
    plain = record_name.replace("_", "").upper()
    return next((kind for kind in DATASET_TYPES if kind.replace("_", "") == plain), None)


# Reading the record -----------------------------------------------------------------------------------------


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _fields(record: Any, violations: list[str]) -> Iterator[Field]:
    entries = record.get("fields") if isinstance(record, dict) else None
    if isinstance(record, dict) and record.get("type") != "record":
        violations.append("type must be record")
    if not isinstance(entries, list) or not entries:
        violations.append("record must have fields")
        return
    for number, entry in enumerate(entries, start=1):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or "type" not in entry:
            violations.append(f"field number {number} must have a name and a type")
            continue
        if not _NAME.fullmatch(name):
            violations.append(
                f"field name {name[:200]} must start with a letter or underscore, go on with letters, digits"
                " and underscores, and have at most 150 characters"
            )
        flags = {}
        for flag, attribute in (
            ("categorical", "categorical"),
            ("textual", "textual"),
            ("itemName", "item_name"),
        ):
            value = entry.get(flag, False)
            if not isinstance(value, bool):
                violations.append(f"{flag} must be true or false ({name})")
            flags[attribute] = value is True
        kind, nullable = _type_of(entry["type"])
        if kind is None:
            violations.append(f"field {name} has unsupported type {_shown(entry['type'])}")
            continue
        yield Field(name, kind, nullable, **flags)


def _type_of(written: Any) -> tuple[FieldType | None, bool]:
    """The Avro type and whether null is allowed; (None, ...) when the type is not supported."""
    options = written if isinstance(written, list) else [written]
    nullable = "null" in options
    kinds = [option for option in options if option != "null"]
    if len(options) > 2 or len(kinds) != 1 or kinds[0] not in _TYPES:
        return None, nullable
    return kinds[0], nullable


def _shown(written: Any) -> str:
    text = written if isinstance(written, str) else json.dumps(written)
    return text if len(text) <= 100 else text[:100] + "..."


def _check_names(fields: tuple[Field, ...], violations: list[str]) -> None:
    """Names are unique even when underscores and case are ignored."""
    seen: set[str] = set()
    for field in fields:
        plain = field.name.replace("_", "").upper() or field.name
        if plain in seen:
            violations.append(f"duplicate field {field.name}")
        seen.add(plain)


def _flag_violations(schema: Schema, kind: str | None) -> Iterator[str]:
    """Where categorical and textual may stand; `kind` None when the dataset type is not known yet."""
    for field in schema.fields:
        if field.categorical and field.type != "string":
            yield f"categorical is allowed only for string fields ({field.name})"
        if field.textual and (field.type != "string" or kind not in ("ITEMS", None)):
            yield f"textual is allowed only for string fields of an Items schema ({field.name})"
        if field.item_name and field.type != "string":
            yield f"itemName is allowed only for string fields ({field.name})"
        if field.categorical and field.textual:
            yield f"categorical and textual exclude each other ({field.name})"
    if sum(field.textual for field in schema.fields) > 1:
        yield "only one textual field is allowed"


def _raise(violations: list[str]) -> None:
    if violations:
        raise InvalidInput("Invalid schema: " + "; ".join(violations))


# What each dataset type demands -----------------------------------------------------------------------------


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
