"""Generated filters over generated catalogues: what columns answer equals what each row answers by itself.

The second opinion below knows neither the parser nor the columns. It goes through the rows one by one and
decides each with the tables of the language: a value set, a null, a union of includes minus the excludes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.datasets.columns import ColumnSet
from openpersonalize.errors import InvalidInput
from openpersonalize.filters.compiler import compile_filter
from openpersonalize.storage.idtable import IdTable

from .catalogue import schema

FIELDS = (("G", "string", "categorical"), ("S", "string"), ("N", "int"), ("P", "float"))
NUMBERS = ("N", "P")
SCHEMAS = {
    "ITEMS": schema("Items", ("ITEM_ID", "string"), *FIELDS),
    "USERS": schema("Users", ("USER_ID", "string"), *FIELDS),
    "INTERACTIONS": schema(
        "Interactions",
        ("USER_ID", "string"),
        ("ITEM_ID", "string"),
        ("TIMESTAMP", "long"),
        ("EVENT_TYPE", "string"),
    ),
}
TEXTS = ("x", "X", "y z", 'q"', "a,b", "東")
DIGITS = ("0", "1", "2", "2.5", "-1")
TYPES = ("click", "Click", "buy", "like")


@dataclass(frozen=True)
class Condition:
    """A test as the generator means it. `values` stand in the text, or in filterValues under `parameter`."""

    field: str
    operator: str
    values: tuple[str, ...] = ()
    current: str | None = None
    parameter: str | None = None


@dataclass(frozen=True)
class Expression:
    include: bool
    branches: list[list[Condition]]
    on_user: list[Condition]
    about_events: bool

    def conditions(self) -> list[Condition]:
        return [*(c for branch in self.branches for c in branch), *self.on_user]


# Generating: from a seed, because drawing every part by itself gives few filters that mix anything ----------


def random_condition(random: Random, of: str) -> Condition:
    """A condition on items, users or events."""
    if of == "events":
        field, pool = "EVENT_TYPE", (*TYPES, "*")
    else:
        field = random.choice([name for name, *_ in FIELDS])
        pool = DIGITS if field in NUMBERS else TEXTS
    ranges = ["<", "<=", ">", ">="] if field in NUMBERS else []
    operator = random.choice(["IN", "NOT IN", "=", "!=", *ranges])
    if of == "items" and random.random() < 0.2:
        same = [name for name, *_ in FIELDS if (name in NUMBERS) == (field in NUMBERS)]
        return Condition(field, operator, current=random.choice(same))
    values = tuple(random.choices(pool, k=random.randint(1, 3) if "IN" in operator else 1))
    if operator == "NOT IN" or random.random() < 0.7:
        return Condition(field, operator, values)
    # A parameter has one value wherever it stands, so its name says which values fit.
    kind = ("number" if field in NUMBERS else "text") + ("s" if "IN" in operator else "")
    return Condition(field, operator, values, parameter=f"{kind}_{random.randint(1, 3)}")


def random_expression(random: Random) -> Expression:
    kind = random.choice(["items", "items", "events"])
    return Expression(
        include=random.random() < 0.5,
        branches=[
            [random_condition(random, kind) for _ in range(random.choice([1, 1, 2]))]
            for _ in range(random.choice([1, 1, 2, 3]))
        ],
        on_user=[random_condition(random, "users") for _ in range(random.choice([0, 0, 1, 2]))],
        about_events=kind == "events",
    )


def random_record(random: Random) -> dict[str, Any] | None:
    """A row of an Items or Users dataset; None for an id without row."""
    if random.random() < 0.15:
        return None
    values = {
        "G": " |".join(random.choices(TEXTS, k=random.randint(1, 3))),
        "S": random.choice(TEXTS),
        "N": random.randint(-1, 2),
        "P": random.choice([0.0, 1.0, 2.0, 2.5]),
    }
    return {name: None if random.random() < 0.2 else value for name, value in values.items()}


def written(expression: Expression) -> str:
    def condition(one: Condition, dataset: str) -> str:
        if one.current is not None:
            right = f"CurrentItem.{one.current}"
        elif one.parameter is not None:
            right = f"(${one.parameter})"
        else:
            numeric = one.field in NUMBERS
            right = f"({', '.join(v if numeric else quoted(v) for v in one.values)})"
        return f"{dataset}.{one.field} {one.operator} {right}"

    dataset = "Interactions" if expression.about_events else "Items"
    where = " OR ".join(" AND ".join(condition(c, dataset) for c in b) for b in expression.branches)
    on_user = " AND ".join(condition(c, "CurrentUser") for c in expression.on_user)
    return f"{'INCLUDE' if expression.include else 'EXCLUDE'} ItemID WHERE {where}" + (
        f" IF {on_user}" if on_user else ""
    )


def quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


# The second opinion -----------------------------------------------------------------------------------------


def passes(value: Any, operator: str, operand: Any) -> bool:
    """One test by the null table; `value` and `operand` are sets, numbers or None."""
    if value is None or operand is None:
        return operator in ("NOT IN", "!=")
    if operator in ("IN", "="):
        return bool(as_set(value) & as_set(operand))
    if operator in ("NOT IN", "!="):
        return not as_set(value) & as_set(operand)
    return {"<": value < operand, "<=": value <= operand, ">": value > operand, ">=": value >= operand}[
        operator
    ]


def as_set(value: Any) -> set[Any]:
    return value if isinstance(value, set) else {value}


def cell(record: dict[str, Any] | None, field: str) -> Any:
    value = None if record is None else record[field]
    if value is None or field in NUMBERS:
        return value
    return {part.strip() for part in value.split("|")} if field == "G" else {value}


def given_values(one: Condition, values: dict[str, tuple[str, ...]]) -> Any:
    texts = values[one.parameter] if one.parameter is not None else one.values
    if one.field not in NUMBERS:
        return set(texts)
    numbers = {float(text) for text in texts}
    return numbers if "IN" in one.operator else numbers.pop()


def item_stays(row, rows, user, events, current, expressions, values) -> bool:
    def matches(expression: Expression) -> bool:
        return any(all(holds(expression, one) for one in branch) for branch in expression.branches)

    def holds(expression: Expression, one: Condition) -> bool:
        if expression.about_events:
            types = {kind.lower() for item, kind in events if item == row}
            listed = {text.lower() for text in given_values(one, values)}
            if one.operator in ("IN", "="):
                return bool(types) and ("*" in listed or bool(types & listed))
            return "*" not in listed and bool(types - listed)
        if one.current is not None:
            right = cell(None if current is None else rows[current], one.current)
        else:
            right = given_values(one, values)
        return passes(cell(rows[row], one.field), one.operator, right)

    def applies(expression: Expression) -> bool:
        return all(
            passes(cell(user, c.field), c.operator, given_values(c, values)) for c in expression.on_user
        )

    applying = [e for e in expressions if applies(e)]
    includes = [e for e in applying if e.include]
    excludes = [e for e in applying if not e.include]
    return (not includes or any(map(matches, includes))) and not any(map(matches, excludes))


# Both -------------------------------------------------------------------------------------------------------


def column_set(kind: str, rows: list[dict[str, Any] | None]) -> ColumnSet:
    key = SCHEMAS[kind].names[0]
    ids = [f"{i:02}" for i in range(len(rows))]
    types = {"G": pl.String, "S": pl.String, "N": pl.Int64, "P": pl.Float64}
    known = [(i, row) for i, row in zip(ids, rows, strict=True) if row is not None]
    frame = pl.DataFrame([{key: i, **row} for i, row in known] or None, schema={key: pl.String, **types})
    return ColumnSet.build(frame, SCHEMAS[kind], IdTable.from_series(pl.Series(ids, dtype=pl.String)))


class User:
    def __init__(self, record, events):
        self.columns = column_set("USERS", [record])
        self.events = events

    def rows_met(self, accepts):
        return np.array([item for item, kind in self.events if accepts(kind.lower())], dtype=np.int32)

    def value(self, field):
        return self.columns.values_at(field, 0)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32))
def test_columns_and_rows_agree(seed):
    random = Random(seed)
    rows = [random_record(random) for _ in range(random.randint(1, 10))]
    items = column_set("ITEMS", rows)
    for _ in range(10):
        user = random_record(random)
        events = [
            (random.randrange(len(rows)), random.choice(TYPES)) for _ in range(random.choice([0, 3, 9]))
        ]
        current = random.choice([None, *range(len(rows))])
        expressions = [random_expression(random) for _ in range(random.randint(1, 4))]
        values = {c.parameter: c.values for e in expressions for c in e.conditions() if c.parameter}
        missing = {name for name in values if random.random() < 0.3}
        compare(rows, items, user, events, current, expressions, values, missing)


def compare(rows, items, user, events, current, expressions, values, missing):
    text = " | ".join(map(written, expressions))
    filter = compile_filter(text, SCHEMAS)
    sent = {name: ", ".join(map(quoted, texts)) for name, texts in values.items() if name not in missing}
    needing = [e for e in expressions if missing & {c.parameter for c in e.conditions()}]
    if any(e.include for e in needing):
        with pytest.raises(InvalidInput, match="Missing value for filter parameter"):
            filter.bind(sent)
        expressions = [e for e in expressions if not (e in needing and e.include)]
        return (
            compare(rows, items, user, events, current, expressions, values, missing) if expressions else None
        )
    used = [e for e in expressions if e not in needing]
    bound, asking = filter.bind(sent), User(user, events)
    expected = [item_stays(i, rows, user, events, current, used, values) for i in range(len(rows))]

    assert bound.keep(items, user=asking, current_item=current).tolist() == expected, text
    for one in (bound, bound.decided(asking)):
        static = one.static_mask(items)
        assert one.keep(items, user=asking, current_item=current, static=static).tolist() == expected, text
        dropped = one.dropped_rows(asking)
        if dropped is not None:
            static[dropped] = False
            assert static.tolist() == expected, text
        assert not one.is_static or dropped is not None
    return None
