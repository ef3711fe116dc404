"""Whether an expression makes sense for the datasets of a group.

Messages begin as Amazon's do; the one for a placeholder with NOT IN is Amazon's, the others are our choice.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from ..datasets.schemas import Field, Schema, spelled
from ..errors import InvalidInput
from .fields import (
    CONSULT_USER,
    EVENT_TYPE,
    EVENTS,
    FIELDS_OF_A_FILTER,
    USABLE,
    FilterSchemas,
    column_of,
    field_of,
    type_of,
    usable,
)
from .language import (
    CURRENT_ITEM,
    CURRENT_USER,
    RANGES,
    REFUSED,
    STAR,
    Condition,
    Constant,
    Expression,
    Filter,
    ItemField,
    Parameter,
)
from .values import number

LONGEST_PARAMETER = 50
"""Characters of a placeholder's name."""

_LISTED = 40
"""Columns of a dataset that a message names."""

_DATASET_OF = {CURRENT_USER: "Users", CURRENT_ITEM: "Items"}


def check(filter: Filter, schemas: FilterSchemas) -> frozenset[str]:
    """Check `filter` against the `schemas` of the dataset group.

    Returns:
        The distinct dataset fields that it names, e.g. ``ITEMS.GENRE``: the group's quota counts them.

    Raises:
        InvalidInput: ``Could not create filter. ...`` with everything that is wrong.
    """
    wrong = complaint(filter, schemas)
    if wrong is not None:
        raise InvalidInput(f"{REFUSED} {wrong}")
    return _fields(filter, schemas)


def complaint(filter: Filter, schemas: FilterSchemas) -> str | None:
    """Everything that is wrong with `filter` in one text, None when nothing is."""
    sentences = list(dict.fromkeys(_negated_parameters(filter)))
    details = list(dict.fromkeys(_details(filter, schemas)))
    if len(_fields(filter, schemas)) > FIELDS_OF_A_FILTER:
        details.append(f"more than {FIELDS_OF_A_FILTER} distinct fields")
    if details:
        sentences.append("Invalid Expression: " + "; ".join(details))
    return " ".join(sentences) or None


def _fields(filter: Filter, schemas: FilterSchemas) -> frozenset[str]:
    """The distinct fields of a filter, those that exist."""
    columns = set()
    for expression in filter.expressions:
        for condition in expression.conditions():
            columns.add(column_of(type_of(condition), condition.field, schemas))
            columns |= {
                column_of("ITEMS", operand.name, schemas)
                for operand in condition.operands
                if isinstance(operand, ItemField)
            }
    return frozenset(column.key for column in columns if column is not None)


def _negated_parameters(filter: Filter) -> Iterator[str]:
    for expression in filter.expressions:
        for condition in expression.conditions():
            for operand in condition.operands:
                if condition.operator == "NOT IN" and isinstance(operand, Parameter):
                    yield (
                        f"Invalid input symbol: ${operand.name}."
                        " Placeholders are not allowed with NOT_IN operator."
                    )


def _details(filter: Filter, schemas: FilterSchemas) -> Iterator[str]:
    for expression in filter.expressions:
        if expression.target != filter.expressions[0].target:
            yield "expressions must have the same target"
        yield from _about_where(expression)
        yield from _about_conditions_on_user(expression)
        for condition in expression.conditions():
            yield from _about_condition(condition, schemas)


def _about_where(expression: Expression) -> Iterator[str]:
    """The datasets that the conditions after WHERE use."""
    first: Condition | None = None
    for branch in expression.where:
        for condition in branch:
            kind = type_of(condition)
            if condition.dataset == CURRENT_USER:
                yield "CurrentUser can be used only in an IF condition"
            elif kind is None:
                yield f"unknown dataset {condition.dataset}"
            elif first is not None and kind != type_of(first):
                yield f"all conditions of one expression must use dataset {first.dataset}"
            elif kind not in USABLE[expression.target]:
                yield f"{expression.target} cannot be filtered by dataset {condition.dataset}"
            if first is None and kind is not None and condition.dataset != CURRENT_USER:
                first = condition


def _about_conditions_on_user(expression: Expression) -> Iterator[str]:
    """Where IF stands and what it holds."""
    chains = expression.conditions_on_user
    conditions = [condition for chain in chains for branch in chain for condition in branch]
    if len(chains) > 1 or any(condition.dataset != CURRENT_USER for condition in conditions):
        yield "IF can be used only once, at the end, with CurrentUser"
    if any(len(chain) > 1 for chain in chains):
        yield "OR cannot be used in an IF condition"
    if chains and expression.target not in CONSULT_USER:
        yield f"{expression.target} cannot be filtered by dataset {CURRENT_USER}"


def _about_condition(condition: Condition, schemas: FilterSchemas) -> Iterator[str]:
    """One condition: its field, its operator, its operands."""
    parameters = [operand for operand in condition.operands if isinstance(operand, Parameter)]
    if parameters and len(condition.operands) > 1:
        yield "a list may hold literals or one parameter"
    if any(len(parameter.name) > LONGEST_PARAMETER for parameter in parameters):
        yield f"parameter name longer than {LONGEST_PARAMETER} characters"
    kind = type_of(condition)
    if kind is None:  # told where the dataset stands
        return
    if kind in EVENTS and condition.field.upper() != EVENT_TYPE:
        yield f"only {EVENT_TYPE} can be used with {condition.dataset}"
        return
    schema = schemas.get(kind)
    if kind in EVENTS and schema is not None and field_of(schema, EVENT_TYPE) is None:
        if condition.operator != "IN" or STAR not in condition.operands:
            yield (
                f"unknown field {condition.named}: the schema of {condition.dataset} has no {EVENT_TYPE},"
                f' so only {condition.dataset}.{EVENT_TYPE} IN ("*"), all events, can be used'
            )
        return
    field = yield from _found(kind, condition.dataset, condition.field, schemas)
    if field is None:
        return
    if condition.operator in RANGES and not field.is_number:
        yield f"operator {condition.operator} needs a numeric field"
        return
    for operand in condition.operands:
        if isinstance(operand, ItemField):
            yield from _about_item_field(condition, kind, field, operand, schemas)
        elif isinstance(operand, Constant):
            if operand == STAR and kind not in EVENTS:
                yield f"* can be used only with {EVENT_TYPE}"
            elif field.is_number and number(operand.text) is None:
                yield f"field {condition.named} needs numbers"


def _about_item_field(
    condition: Condition, kind: str, field: Field, operand: ItemField, schemas: FilterSchemas
) -> Iterator[str]:
    """``CurrentItem.<name>`` on the right-hand side."""
    if kind != "ITEMS":
        yield f"field {condition.named} cannot be compared with CurrentItem"
        return
    other = yield from _found("ITEMS", CURRENT_ITEM, operand.name, schemas)
    if other is None or other.is_number == field.is_number:
        return
    if condition.operator in RANGES:
        yield f"operator {condition.operator} needs a numeric field"
    else:
        yield f"fields {condition.named} and CurrentItem.{operand.name} are not of one kind"


def _columns(kind: str, schema: Schema) -> str:
    """Which columns of a dataset filters may name; the same words each time, so that they are told once."""
    fields = [one for one in schema.fields if usable(kind, one) and not one.textual and one.type != "boolean"]
    names = [one.name for one in fields]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"filters can use of {spelled(kind)} the columns {', '.join(names[:_LISTED])}{more}"


def _found(kind: str, dataset: str, name: str, schemas: FilterSchemas) -> Generator[str, None, Field | None]:
    """Tell why a field cannot be filtered by; return it when it can."""
    schema = schemas.get(kind)
    if schema is None:
        yield f"unknown dataset {_DATASET_OF.get(dataset, dataset)}"
        return None
    field = field_of(schema, name)
    if field is None:
        yield f"unknown field {dataset}.{name}"
        yield _columns(kind, schema)
    elif field.type == "boolean":
        yield f"field {dataset}.{name} has boolean type"
    elif field.textual:
        yield f"field {dataset}.{name} is textual"
    elif not usable(kind, field):
        yield f"field {dataset}.{name} cannot be used in filters"
    else:
        return field
    return None
