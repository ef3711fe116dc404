"""A small catalogue whose answers can be worked out by hand, and what a filter leaves of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from openpersonalize.datasets.columns import ColumnSet
from openpersonalize.datasets.schemas import Schema, parse_schema
from openpersonalize.filters.compiler import BoundFilter, compile_filter
from openpersonalize.filters.rules import Rows, Value
from openpersonalize.storage.idtable import IdTable


def schema(name: str, *fields: tuple[Any, ...]) -> Schema:
    """A schema from (name, type) or (name, type, flag); every field may be null."""
    rows = [{"name": n, "type": ["null", t], **dict.fromkeys(flags, True)} for n, t, *flags in fields]
    return parse_schema(json.dumps({"type": "record", "name": name, "fields": rows, "version": "1.0"}))


SCHEMAS = {
    "ITEMS": schema(
        "Items",
        ("ITEM_ID", "string"),
        ("GENRE", "string", "categorical"),
        ("PRICE", "float"),
        ("YEAR", "int"),
        ("STOCK", "string"),
        ("OWNER", "string", "categorical"),
        ("AVAILABLE", "boolean"),
        ("DESCRIPTION", "string", "textual"),
        ("CREATION_TIMESTAMP", "long"),
    ),
    "USERS": schema("Users", ("USER_ID", "string"), ("AGE", "int"), ("MEMBERSHIP", "string", "categorical")),
    "INTERACTIONS": schema(
        "Interactions",
        ("USER_ID", "string"),
        ("ITEM_ID", "string"),
        ("TIMESTAMP", "long"),
        ("EVENT_TYPE", "string"),
        ("EVENT_VALUE", "float"),
        ("DEVICE", "string", "categorical"),
    ),
    "ACTIONS": schema(
        "Actions",
        ("ACTION_ID", "string"),
        ("CATEGORY", "string", "categorical"),
        ("VALUE", "float"),
        ("EXPIRATION_TIMESTAMP", "long"),
        ("REPEAT_FREQUENCY", "long"),
    ),
    "ACTION_INTERACTIONS": schema(
        "Action_Interactions",
        ("USER_ID", "string"),
        ("ACTION_ID", "string"),
        ("TIMESTAMP", "long"),
        ("EVENT_TYPE", "string"),
    ),
}


def columns(kind: str, ids: Sequence[str], records: Mapping[str, tuple[Any, ...]], *names: str) -> ColumnSet:
    """The columns of `records` (id -> values of `names`) over `ids`; ids without a record are allowed."""
    key = SCHEMAS[kind].names[0]
    frame = pl.DataFrame(
        {
            key: pl.Series(list(records), dtype=pl.String),
            **{n: [values[i] for values in records.values()] for i, n in enumerate(names)},
        }
    )
    return ColumnSet.build(frame, SCHEMAS[kind], IdTable.from_series(pl.Series(list(ids), dtype=pl.String)))


ITEM_IDS = "abcdefghkz"
"""z is known from interactions only."""
ITEMS = columns(
    "ITEMS",
    ITEM_IDS,
    {
        "a": ("Comedy|Drama", 4.5, 1975, "yes", "in-house", 1600000000),
        "b": ("comedy", 10.0, 1999, "no", "partner", 1700000001),
        "c": ("Horror", 12.5, 2000, "yes", None, 1800000000),
        "d": ("A", 150.0, 1980, None, "in-house", None),
        "e": ("B", 4.0, None, "yes", "partner", 1700000000),
        "f": ("B|A", 19.99, 1970, "no", "in-house", 1500000000),
        "g": (None, None, 2000, "yes", "partner", 1900000000),
        "h": ("Adult | Horror", 250.0, 1979, "yes", "in-house", 1650000000),
        "k": ('Kids|Lux|Children"s', 9.99, 2010, "yes", "partner", 1750000000),
    },
    "GENRE",
    "PRICE",
    "YEAR",
    "STOCK",
    "OWNER",
    "CREATION_TIMESTAMP",
)

USER_IDS = ("adult", "child", "nil", "unknown")
"""nil has a record of nulls, unknown none."""
USERS = columns(
    "USERS",
    USER_IDS,
    {"adult": (40, "gold|vip"), "child": (8, "basic"), "nil": (None, None)},
    "AGE",
    "MEMBERSHIP",
)

ACTION_IDS = "pqr"
ACTIONS = columns(
    "ACTIONS", ACTION_IDS, {"p": ("a", 5.0), "q": ("b", 10.0), "r": (None, None)}, "CATEGORY", "VALUE"
)

EVENTS = {
    "adult": [
        ("a", "watch"),
        ("b", "Purchase"),
        ("b", "click"),
        ("c", "click"),
        ("c", "like"),
        ("e", "favorite"),
        ("f", "favorite"),
        ("z", "purchase"),
    ],
    "child": [("d", "click"), ("d", "click"), ("e", None)],
}
"""Item events by user: item and event type."""

TAKEN = {"adult": [("p", "Taken"), ("q", "not_taken")]}
"""Action events by user."""


@dataclass
class Facts:
    """A user as filters see one."""

    id: str = "unknown"
    events: list[tuple[int, str | None]] = field(default_factory=list)
    """Candidate row and event type as written."""
    users: ColumnSet = USERS

    def rows_met(self, accepts: Callable[[str], bool]) -> Rows:
        return np.array([r for r, kind in self.events if accepts((kind or "").lower())], dtype=np.int32)

    def value(self, field: str) -> Value:
        row = USER_IDS.index(self.id)
        return self.users.values_at(field, row)


def item_facts(user: str) -> Facts:
    """A user beside item candidates."""
    return Facts(user, [(ITEM_IDS.index(item), kind) for item, kind in EVENTS.get(user, [])])


def action_facts(user: str) -> Facts:
    """A user beside action candidates."""
    return Facts(user, [(ACTION_IDS.index(action), kind) for action, kind in TAKEN.get(user, [])])


USER_CANDIDATES = Facts(
    events=[(USER_IDS.index(user), kind) for user, events in EVENTS.items() for _, kind in events]
)
"""What stands for the user beside user candidates: who of them did what."""


def bound(expression: str, values: Mapping[str, str] | None = None) -> BoundFilter:
    """A filter over this catalogue with its values."""
    return compile_filter(expression, SCHEMAS).bind(values)


def remaining(
    expression: str,
    values: Mapping[str, str] | None = None,
    *,
    user: str = "adult",
    current: str | None = None,
) -> str:
    """The items that stay, asked in every way that a filter can be asked; all have to agree."""
    row = None if current is None else ITEM_IDS.index(current)
    return "".join(ITEM_IDS[i] for i in kept(bound(expression, values), ITEMS, item_facts(user), row))


def kept(filter: BoundFilter, candidates: ColumnSet, facts: Facts, current: int | None = None) -> list[int]:
    """The rows that stay; every way to ask has to give the same."""
    mask = filter.keep(candidates, user=facts, current_item=current)
    static = filter.static_mask(candidates)
    before = static.copy()
    assert (filter.keep(candidates, user=facts, current_item=current, static=static) == mask).all()
    assert (static == before).all(), "the mask handed in was changed"
    assert not (mask & ~static).any(), "the static part dropped what the whole filter keeps"
    if filter.is_static:
        assert (static == mask).all()
    decided = filter.decided(facts)
    assert not decided.depends_on_user_fields
    for one in (filter, decided):
        assert (one.keep(candidates, user=facts, current_item=current) == mask).all()
        dropped = one.dropped_rows(facts)
        if dropped is not None:
            left = one.static_mask(candidates)
            left[dropped] = False
            assert (left == mask).all()
    return [int(i) for i in np.flatnonzero(mask)]
