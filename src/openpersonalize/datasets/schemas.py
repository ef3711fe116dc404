"""Schemas (`Schema`): the Avro record that names a dataset's columns.

`parse_schema` checks what holds for every schema (CreateSchema) and reports all violations in one
`InvalidInput`; what each type of dataset demands is in `schema_rules`. Rules: Amazon Personalize developer
guide, "Datasets and schemas"; where it is silent, the choice is said here.
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
    violations += flag_violations(schema, dataset_type_named(schema.name))
    refuse(violations)
    return schema


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


def flag_violations(schema: Schema, kind: str | None) -> Iterator[str]:
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


def refuse(violations: list[str]) -> None:
    """Raises `InvalidInput` with all of them; none: returns."""
    if violations:
        raise InvalidInput("Invalid schema: " + "; ".join(violations))
