"""The expressions of a filter, ready to be decided: over whole columns, over a user's events, for one user.

Null follows one table: IN, ``=`` and the ranges are false for it, NOT IN and ``!=`` true, whichever side it
stands on (our choice, Amazon does not say). No row is looked at alone: a test is one question to a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import ge, gt, le, lt
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from ..datasets.action_events import folded
from ..datasets.column_kinds import Operator as Comparison
from ..datasets.columns import ColumnSet
from ..errors import InvalidInput
from .fields import EVENTS, Column
from .language import NEGATIONS, RANGES, STAR, Operator, Parameter
from .values import number

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int32]
Value = tuple[str, ...] | float | None
Values = tuple[str, ...] | tuple[float, ...]
Accepts = Callable[[str], bool]
ItemFacts = Callable[[str], Value]
"""The value of a field of the item asked about, None for null."""


class UserFacts(Protocol):
    """What a filter asks about the user of a request.

    For a UserID filter there is no such user: `rows_met` then gives the rows of the candidate users who have
    an accepted event with any item.
    """

    def rows_met(self, accepts: Accepts) -> Rows:
        """Candidate rows that the user's considered events point at, of the event types that `accepts`
        (given in lower case, "" for an event without type). A row may occur twice, in any order."""
        ...

    def value(self, field: str) -> Value:
        """The user's value of a Users column, as `ColumnSet.values_at` gives it; None for null, for a user
        without record, and for an unknown user."""
        ...


@dataclass(frozen=True, slots=True)
class Test:
    """One condition. `operand` is a column for ``CurrentItem.<name>``, a `Parameter` until it is bound."""

    column: Column
    operator: Operator
    operand: Values | Column | Parameter

    def bound(self, values: Mapping[str, tuple[str, ...]]) -> Test:
        """The same test with its parameter's values in place.

        Raises:
            InvalidInput: the values are too many or no numbers.
        """
        if not isinstance(self.operand, Parameter):
            return self
        name = self.operand.name
        operand = operand_of(self.column, self.operator, values[name])
        if operand is None:
            raise InvalidInput(f"Invalid value for filter parameter {name}.")
        return Test(self.column, self.operator, operand)

    def mask(self, columns: ColumnSet, current_item: ItemFacts) -> Mask:
        """bool[n]: the rows that meet the test; a new array."""
        values = self.operand
        if isinstance(values, Column):
            values = _set_of(current_item(values.name))
        name, operator = self.column.name, self.operator
        if not values:
            return np.full(columns.n, operator in NEGATIONS)
        if not self.column.numeric:
            mask = columns.any_of(name, cast("tuple[str, ...]", values))
            return np.logical_not(mask, out=mask) if operator in NEGATIONS else mask
        numbers = cast("tuple[float, ...]", values)
        if operator in ("IN", "NOT IN"):
            mask = columns.any_of_numbers(name, numbers)
            return np.logical_not(mask, out=mask) if operator == "NOT IN" else mask
        return columns.compare(name, cast("Comparison", operator), numbers[0])

    def holds(self, user: UserFacts) -> bool:
        """Whether the test of a CurrentUser column holds for `user`."""
        values = cast("Values", self.operand)
        own = _set_of(user.value(self.column.name))
        if self.operator in RANGES:
            return bool(own) and _COMPARISONS[self.operator](float(own[0]), float(values[0]))
        return (not frozenset(own).isdisjoint(values)) != (self.operator in NEGATIONS)

    def accepts(self) -> Accepts:
        """The event types, in lower case, that meet the test of an EVENT_TYPE column."""
        types = frozenset(cast("tuple[str, ...]", self.operand))
        anything = STAR.text in types
        if anything:
            return _nothing if self.operator in NEGATIONS else _everything
        if self.column.dataset == "ACTION_INTERACTIONS":  # whose types are compared in any spelling
            alike = frozenset(map(folded, types))
            if self.operator in NEGATIONS:
                return lambda kind: folded(kind) not in alike
            return lambda kind: folded(kind) in alike
        return (lambda kind: kind not in types) if self.operator in NEGATIONS else types.__contains__


Branches = tuple[tuple[Test, ...], ...]
"""Tests joined by AND, those groups joined by OR."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One expression: what it matches is included or excluded, if the user passes `on_user`."""

    include: bool
    where: Branches
    on_user: tuple[Test, ...]
    foreign: bool
    """Whether it tests events that never concern the candidates, as item events do for actions."""

    @property
    def about_events(self) -> bool:
        """Whether it tests events, not columns of the candidates."""
        return self.where[0][0].column.dataset in EVENTS

    @property
    def needs_current_item(self) -> bool:
        """Whether it compares with the item of the request."""
        return any(isinstance(test.operand, Column) for branch in self.where for test in branch)

    @property
    def fixed(self) -> bool:
        """Whether it matches the same rows in every request."""
        return not (self.on_user or self.needs_current_item or (self.about_events and not self.foreign))

    @property
    def removes_met(self) -> bool:
        """Whether it removes candidates that the user's events point at."""
        return not self.include and self.about_events and not self.foreign

    def columns(self) -> Iterator[Column]:
        """The columns that its tests read on the left-hand side."""
        for branch in (*self.where, self.on_user):
            for test in branch:
                yield test.column

    def unconditional(self) -> Rule:
        """The same rule without its IF part."""
        return Rule(self.include, self.where, (), self.foreign) if self.on_user else self

    def bound(self, values: Mapping[str, tuple[str, ...]]) -> Rule:
        """The same rule without parameters.

        Raises:
            InvalidInput: the values of one are too many or no numbers.
        """
        where = tuple(tuple(test.bound(values) for test in branch) for branch in self.where)
        on_user = tuple(test.bound(values) for test in self.on_user)
        return Rule(self.include, where, on_user, self.foreign)

    def applies(self, user: UserFacts | None) -> bool:
        """Whether the user passes the IF part; `user` may be None when there is none."""
        if not self.on_user:
            return True
        user = _given(user)
        return all(test.holds(user) for test in self.on_user)

    def rows(self, user: UserFacts | None) -> Rows:
        """Rows that a rule about events matches; a row may occur twice."""
        if self.foreign:
            return np.empty(0, dtype=np.int32)
        user = _given(user)
        matched: Rows | None = None
        for branch in self.where:
            rows = user.rows_met(branch[0].accepts())
            for test in branch[1:]:  # each test may be met by another event
                rows = np.intersect1d(rows, user.rows_met(test.accepts()))
            matched = rows if matched is None else np.concatenate([matched, rows])
        return cast("Rows", matched)

    def mask(self, columns: ColumnSet, user: UserFacts | None, current_item: ItemFacts) -> Mask:
        """bool[n]: the rows that the rule matches; a new array. `user` is asked by rules about events."""
        if self.about_events:
            matched = np.zeros(columns.n, dtype=np.bool_)
            matched[self.rows(user)] = True
            return matched
        return join(_meet(test.mask(columns, current_item) for test in branch) for branch in self.where)


def unknown_item(field: str) -> Value:
    """The facts of an item that has no record."""
    return None


def operand_of(column: Column, operator: Operator, texts: tuple[str, ...]) -> Values | None:
    """Values written as text in the form that `column` compares: numbers, event types in lower case, or
    texts as they are. None when they are too many for `operator` or no numbers."""
    if operator not in ("IN", "NOT IN") and len(texts) != 1:
        return None
    if not column.numeric:
        return tuple(text.lower() for text in texts) if column.dataset in EVENTS else texts
    numbers = [number(text) for text in texts]
    return None if None in numbers else cast("tuple[float, ...]", tuple(numbers))


def join(masks: Iterable[Mask]) -> Mask:
    """The union of one or more masks, in the array of the first."""
    return reduce(lambda one, other: np.logical_or(one, other, out=one), masks)


def _meet(masks: Iterable[Mask]) -> Mask:
    return reduce(lambda one, other: np.logical_and(one, other, out=one), masks)


def _given(user: UserFacts | None) -> UserFacts:
    if user is None:
        raise ValueError("this filter needs a user: see CompiledFilter.needs_user")
    return user


def _set_of(value: Value) -> Values:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _everything(kind: str) -> bool:
    return True


def _nothing(kind: str) -> bool:
    return False


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
