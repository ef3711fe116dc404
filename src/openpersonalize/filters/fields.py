"""Which columns an expression may name, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..datasets.schemas import Field, Schema
from .language import CURRENT_USER, Condition, Target

FilterSchemas = Mapping[str, Schema]
"""The schemas of a dataset group by dataset type (``ITEMS``, ``INTERACTIONS``, ...)."""

EVENT_TYPE = "EVENT_TYPE"
"""The one column of interactions that filters read."""

FIELDS_OF_A_FILTER = 10
"""Distinct dataset fields that one filter may name (developer guide, quotas)."""

_DATASETS = {
    "items": "ITEMS",
    "interactions": "INTERACTIONS",
    "users": "USERS",
    "actions": "ACTIONS",
    "action": "ACTIONS",  # the guide writes it so once
    "action_interactions": "ACTION_INTERACTIONS",
}

USABLE: dict[Target, frozenset[str]] = {
    "ItemID": frozenset({"ITEMS", "INTERACTIONS"}),
    "UserID": frozenset({"USERS", "INTERACTIONS"}),
    "ActionID": frozenset({"ACTIONS", "ACTION_INTERACTIONS", "INTERACTIONS"}),
}
"""Dataset types whose conditions can decide about a target."""

CONSULT_USER: frozenset[Target] = frozenset({"ItemID", "ActionID"})
"""Targets that can be filtered with a condition on CurrentUser: those chosen for one user."""

EVENTS = frozenset({"INTERACTIONS", "ACTION_INTERACTIONS"})
"""Dataset types whose rows are events."""

_UNUSABLE = frozenset(
    {
        ("ACTIONS", "EXPIRATION_TIMESTAMP"),
        ("ACTIONS", "ACTION_EXPIRATION_TIMESTAMP"),
        ("ACTIONS", "REPEAT_FREQUENCY"),
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that an expression names: its dataset type, and its name as the schema spells it."""

    dataset: str
    name: str
    numeric: bool

    @property
    def key(self) -> str:
        """The field as quotas count it, e.g. ``ITEMS.GENRE``; CurrentItem and CurrentUser count the same."""
        return f"{self.dataset}.{self.name}"


def dataset_type(written: str) -> str | None:
    """The dataset type that an expression means by `written`, in any case; None when it means none."""
    return _DATASETS.get(written.lower())


def type_of(condition: Condition) -> str | None:
    """The dataset type whose column `condition` tests; None when its dataset is unknown."""
    return "USERS" if condition.dataset == CURRENT_USER else dataset_type(condition.dataset)


def field_of(schema: Schema, written: str) -> Field | None:
    """The field that `written` names in any case. Schemas hold no two names that differ only by case."""
    wanted = written.upper()
    return next((field for field in schema.fields if field.name.upper() == wanted), None)


def usable(dataset: str, field: Field) -> bool:
    """Whether filters may read the field at all (they leave out how long an action lasts)."""
    return (dataset, field.name.upper()) not in _UNUSABLE


def column_of(dataset: str | None, written: str, schemas: FilterSchemas) -> Column | None:
    """The column `written` in any case of a dataset type; None when the group has no such column. Events
    always have a type to filter by: where their schema has none, it is empty."""
    schema = schemas.get(dataset) if dataset is not None else None
    if dataset is None or schema is None:
        return None
    field = field_of(schema, written)
    if field is not None:
        return Column(dataset, field.name, field.is_number)
    is_type = dataset in EVENTS and written.upper() == EVENT_TYPE
    return Column(dataset, EVENT_TYPE, numeric=False) if is_type else None
