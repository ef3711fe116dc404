"""The filter language: from text to expressions (Amazon Personalize developer guide, "Filter expressions").

The grammar stands in ``filter.lark``. What comes out follows the words of the text; whether they make sense
for a dataset group is the checker's question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from ..errors import InvalidInput

Target = Literal["ItemID", "UserID", "ActionID"]
Operator = Literal["IN", "NOT IN", "=", "!=", "<", "<=", ">", ">="]

RANGES: frozenset[Operator] = frozenset({"<", "<=", ">", ">="})
"""Operators that need numbers on both sides."""
NEGATIONS: frozenset[Operator] = frozenset({"NOT IN", "!="})
"""Operators that are the exact complement of IN and ``=``."""

CURRENT_USER = "CurrentUser"
"""The dataset of a condition on the user who asks."""
CURRENT_ITEM = "CurrentItem"
"""What stands for the item that a request asks about."""

REFUSED = "Could not create filter."
"""How every message about an expression begins."""

FOUND_SHOWN = 50
"""Characters shown of a token that was not expected."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal: its text without quotes and escapes, or a number as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A placeholder, named without the dollar sign; its value comes with each request."""

    name: str


@dataclass(frozen=True, slots=True)
class ItemField:
    """``CurrentItem.<name>``: a field of the item that a request asks about."""

    name: str


Operand = Constant | Parameter | ItemField

STAR = Constant("*")
"""Any event type: ``*``, with or without quotes."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``<dataset>.<field> <operator> <operands>``, the names as written (`CURRENT_USER` for CurrentUser)."""

    dataset: str
    field: str
    operator: Operator
    operands: tuple[Operand, ...]

    @property
    def named(self) -> str:
        """The field as messages call it."""
        return f"{self.dataset}.{self.field}"


Chain = tuple[tuple[Condition, ...], ...]
"""Conditions joined by AND, those groups joined by OR."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One of the expressions between the pipes. `conditions_on_user` has an entry for each IF."""

    include: bool
    target: Target
    where: Chain
    conditions_on_user: tuple[Chain, ...]

    def conditions(self) -> Iterator[Condition]:
        """All conditions, in the order written."""
        for chain in (self.where, *self.conditions_on_user):
            for branch in chain:
                yield from branch

    def parameters(self) -> frozenset[str]:
        """The names of all placeholders."""
        return frozenset(
            operand.name
            for condition in self.conditions()
            for operand in condition.operands
            if isinstance(operand, Parameter)
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """A whole filter: its text and its expressions in the order written."""

    text: str
    expressions: tuple[Expression, ...]


def parse(text: str) -> Filter:
    """Read a filter expression; time and memory grow linearly with the text.

    Raises:
        InvalidInput: ``Could not create filter. Invalid Expression: expected <token> at position <n>, found
            <token>``; positions count characters from 1.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _unexpected("Unicode text", error.start + 1, "a lone surrogate") from None
    reading: Any = _grammar().parse_interactive(text)
    seen: list[str] = []
    try:
        seen.extend(token.type for token in reading.iter_parse())
        tree = reading.feed_eof()
    except UnexpectedInput as error:
        raise _explained(error, text, reading.accepts(), seen) from None
    return Filter(text, cast("tuple[Expression, ...]", _Reading().transform(tree)))


@cache
def _grammar() -> Lark:
    """The parser; built on first use, a few dozen milliseconds."""
    return Lark.open_from_package(
        __package__, "filter.lark", parser="lalr", lexer="basic", maybe_placeholders=False
    )


# From tree to expressions -----------------------------------------------------------------------------------

_TARGETS: dict[str, Target] = {"ITEM_ID": "ItemID", "USER_ID": "UserID", "ACTION_ID": "ActionID"}
_QUOTED_PARAMETER = re.compile(r"\$[A-Za-z0-9_]+")
_ESCAPE = re.compile(r"\\([\s\S])")


def unescaped(text: str) -> str:
    """`text` without the backslash before each escaped character."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


class _Reading(Transformer[Token, Any]):
    """Each method turns the children of the rule of its name into a part of the filter."""

    def start(self, expressions: list[Expression]) -> tuple[Expression, ...]:
        return tuple(expressions)

    def expression(self, parts: list[Any]) -> Expression:
        action, target, _, where, *conditions_on_user = parts
        return Expression(action == "INCLUDE", _TARGETS[target], where, tuple(conditions_on_user))

    def condition_on_user(self, parts: list[Any]) -> Chain:
        return cast("Chain", parts[1])

    def action(self, tokens: list[Token]) -> str:
        return tokens[0].type

    def target(self, tokens: list[Token]) -> str:
        return tokens[0].type

    def chain(self, parts: list[Any]) -> Chain:
        return tuple(parts[::2])

    def branch(self, parts: list[Any]) -> tuple[Condition, ...]:
        return tuple(parts[::2])

    def condition(self, parts: list[Any]) -> Condition:
        dataset, field, (operator, operands) = parts
        return Condition(str(dataset), field, operator, operands)

    def user_condition(self, parts: list[Any]) -> Condition:
        _, field, (operator, operands) = parts
        return Condition(CURRENT_USER, field, operator, operands)

    def membership(self, parts: list[Any]) -> tuple[Operator, tuple[Operand, ...]]:
        operator, operands = parts
        return operator, (operands,) if isinstance(operands, ItemField) else operands

    def comparison(self, parts: list[Any]) -> tuple[Operator, tuple[Operand, ...]]:
        operator, operand = parts
        return cast("Operator", str(operator)), (operand,)

    user_membership = membership
    user_comparison = comparison

    def is_in(self, tokens: list[Token]) -> Operator:
        return "IN" if tokens[0].type == "IN" else "NOT IN"

    def choices(self, parts: list[Any]) -> tuple[Operand, ...]:
        (content,) = parts
        if isinstance(content, tuple):
            return content
        return (content,) if isinstance(content, ItemField) else (STAR,)

    def user_choices(self, parts: list[tuple[Operand, ...]]) -> tuple[Operand, ...]:
        return parts[0]

    def elements(self, values: list[Operand]) -> tuple[Operand, ...]:
        return tuple(values)

    def operand(self, parts: list[Operand]) -> Operand:
        return parts[0]

    def value(self, tokens: list[Token]) -> Operand:
        token = tokens[0]
        if token.type == "NUMBER":
            return Constant(str(token))
        text = str(token) if token.type == "PARAMETER" else token[1:-1]
        if _QUOTED_PARAMETER.fullmatch(text):  # "$NAME" in quotes stands for the placeholder
            return Parameter(text[1:])
        return Constant(unescaped(text))

    def current_item(self, parts: list[Any]) -> ItemField:
        return ItemField(parts[1])

    def name(self, tokens: list[Token]) -> str:
        return str(tokens[0])


# What was expected ------------------------------------------------------------------------------------------

_LABELS = {
    "INCLUDE": "INCLUDE",
    "EXCLUDE": "EXCLUDE",
    "ITEM_ID": "ItemID",
    "USER_ID": "UserID",
    "ACTION_ID": "ActionID",
    "WHERE": "WHERE",
    "DOT": ".",
    "IN": "IN",
    "LPAR": "(",
    "STRING": "literal",
    "PARAMETER": "parameter",
    "STAR": "*",
    "CURRENT_ITEM": CURRENT_ITEM,
    "COMMA": ",",
    "RPAR": ")",
    "AND": "AND",
    "OR": "OR",
    "IF": "IF",
    "VBAR": "|",
    "$END": "end of expression",
}
_END = "end of expression"
_RECORDS = {"ITEM_ID": "Items", "USER_ID": "Users", "ACTION_ID": "Actions", "IF": CURRENT_USER}
_NO_FIELDS = frozenset(
    (
        *("items", "users", "interactions", "actions", "action_interactions"),
        *(CURRENT_USER.lower(), CURRENT_ITEM.lower()),
    )
)


def _explained(error: UnexpectedInput, text: str, accepted: set[str], seen: list[str]) -> InvalidInput:
    """What could have stood at the place of `error`, given the terminals `accepted` there."""
    start = error.pos_in_stream
    if isinstance(error, UnexpectedCharacters) and start is not None:
        if text[start] in "\"'":
            return _unexpected(f"closing {text[start]}", len(text) + 1, _END)
        return _unexpected(_expected(accepted, seen), start + 1, text[start])
    token: Token = error.token  # type: ignore[attr-defined]
    if token.type == "$END" or token.start_pos is None:
        return _unexpected(_expected(accepted, seen), len(text) + 1, _END)
    hint = _dataset_hint(text[: token.start_pos], seen) if accepted == {"DOT"} else ""
    return _unexpected(_expected(accepted, seen), token.start_pos + 1, str(token), hint)


def _expected(accepted: set[str], seen: list[str]) -> str:
    """The accepted terminals in the reader's words."""
    if {"NAME", "INCLUDE"} <= accepted:
        return "field name"
    if "NAME" in accepted:
        begin = len(seen) - seen[::-1].index("VBAR") if "VBAR" in seen else 0
        return CURRENT_USER if "IF" in seen[begin:] else "dataset"
    if "COMPARE" in accepted:
        return "operator"
    if "STRING" in accepted:
        accepted = accepted - {"LPAR"}
    return _listed(label for terminal, label in _LABELS.items() if terminal in accepted)


def _dataset_hint(before: str, seen: list[str]) -> str:
    """What to write for a field without its dataset, the last word of `before`."""
    word = before.split()[-1]
    if word.lower() in _NO_FIELDS or len(word) > FOUND_SHOWN:
        return ""
    owner = next((_RECORDS[one] for one in reversed(seen) if one in _RECORDS), "Items")
    return f". Name the dataset of a field: {owner}.{word}"


def _listed(labels: Iterable[str]) -> str:
    *most, last = labels
    return f"{', '.join(most)} or {last}" if most else last


def _unexpected(expected: str, position: int, found: str, hint: str = "") -> InvalidInput:
    shown = found if len(found) <= FOUND_SHOWN else found[:FOUND_SHOWN] + "..."
    return InvalidInput(
        f"{REFUSED} Invalid Expression: expected {expected} at position {position}, found {shown}{hint}"
    )
