"""Filters made ready for requests: compiled once per filter, bound to each request's values.

Several expressions combine as Amazon describes: what any INCLUDE matches (everything when none applies),
minus what any EXCLUDE matches. The part of a filter that is the same in every request is a mask that callers
keep under the filter's key; what depends on the user or on the item asked about is added per request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from functools import lru_cache

import numpy as np

from ..datasets.columns import ColumnSet
from ..errors import InvalidInput
from .checker import check
from .fields import Column, FilterSchemas, column_of, type_of
from .language import Condition, Constant, Expression, ItemField, Parameter, Target, parse
from .rules import ItemFacts, Mask, Rows, Rule, Test, UserFacts, join, operand_of, unknown_item
from .values import parse_values

__all__ = ["BoundFilter", "CompiledFilter", "FilterSchemas", "Mask", "Rows", "UserFacts", "compile_filter"]

BOUND_KEPT = 1024
"""Bound filters kept for values seen before."""
LONGEST_KEPT = 2000
"""Characters of all values of a bound filter that is kept; the caller decides how long they are."""
SHORT = 200
"""Characters of values that stand in a key as they are."""


def compile_filter(text: str, schemas: FilterSchemas) -> CompiledFilter:
    """Parse, check and compile a filter expression for a dataset group's `schemas`; about a millisecond.

    Raises:
        InvalidInput: the expression is wrong; the messages of `parse` and `check`.
    """
    filter = parse(text)
    fields = check(filter, schemas)
    rules = tuple((_rule(e, schemas), e.parameters()) for e in filter.expressions)
    return CompiledFilter(text, filter.expressions[0].target, fields, rules)


def _rule(expression: Expression, schemas: FilterSchemas) -> Rule:
    where = tuple(tuple(_test(c, schemas) for c in branch) for branch in expression.where)
    on_user = tuple(_test(c, schemas) for chain in expression.conditions_on_user for c in chain[0])
    foreign = expression.target == "ActionID" and where[0][0].column.dataset == "INTERACTIONS"
    return Rule(expression.include, where, on_user, foreign)


def _test(condition: Condition, schemas: FilterSchemas) -> Test:
    column = _known(type_of(condition), condition.field, schemas)
    first = condition.operands[0]
    if isinstance(first, Parameter):
        return Test(column, condition.operator, first)
    if isinstance(first, ItemField):
        return Test(column, condition.operator, _known("ITEMS", first.name, schemas))
    texts = tuple(operand.text for operand in condition.operands if isinstance(operand, Constant))
    values = operand_of(column, condition.operator, texts)
    if values is None:
        raise AssertionError(f"{condition.named} was checked")
    return Test(column, condition.operator, values)


def _known(dataset: str | None, name: str, schemas: FilterSchemas) -> Column:
    column = column_of(dataset, name, schemas)
    if column is None:
        raise AssertionError(f"{dataset}.{name} was checked")
    return column


class CompiledFilter:
    """A filter without its values. Immutable, safe to share between threads."""

    expression: str
    """The text it was made from."""
    target: Target
    """What it decides about."""
    parameters: frozenset[str]
    """Names of its placeholders."""
    fields: frozenset[str]
    """Distinct dataset fields it names, e.g. ``ITEMS.GENRE``."""
    needs_user: bool
    """Whether a request must name a user: it reads the user's events or a CurrentUser field."""
    needs_current_item: bool
    """Whether it compares with the item asked about: for related items only."""
    reads_interactions: bool
    """Whether it tests item interactions."""
    excludes_interactions: bool
    """Whether it may remove candidates because the user met them."""

    def __init__(
        self,
        expression: str,
        target: Target,
        fields: frozenset[str],
        rules: tuple[tuple[Rule, frozenset[str]], ...],
    ) -> None:
        """For `compile_filter`: `rules` in the order written, each with the names of its placeholders."""
        self.expression = expression
        self.target = target
        self.fields = fields
        self._rules = rules
        self.parameters = frozenset().union(*(names for _, names in rules))
        self._ordered = tuple(sorted(self.parameters))
        every = [rule for rule, _ in rules]
        self.needs_user = target != "UserID" and any(rule.about_events or rule.on_user for rule in every)
        self.needs_current_item = any(rule.needs_current_item for rule in every)
        self.reads_interactions = any(name.startswith("INTERACTIONS.") for name in fields)
        self.excludes_interactions = any(rule.removes_met for rule in every)
        # The same text means something else where a schema gives a column another type.
        numeric = frozenset(column.key for rule in every for column in rule.columns() if column.numeric)
        self._key = (expression, numeric)

    def bind(self, filter_values: Mapping[str, str] | None) -> BoundFilter:
        """Put a request's `filterValues` in place; a microsecond for values seen lately, else about thirty.

        A missing or empty value drops the EXCLUDE expressions that need it. Values of unknown names are
        ignored.

        Raises:
            InvalidInput: ``Missing value for filter parameter <name>.`` for each one that an INCLUDE
                expression needs; ``Invalid value for filter parameter <name>.`` for each that cannot be read,
                is no number where one is needed, or is more than one value beside a comparison.
        """
        given = filter_values or {}
        texts = tuple(given.get(name) or None for name in self._ordered)
        if sum(len(text) for text in texts if text is not None) > LONGEST_KEPT:
            return self._bind(texts)
        return _bound(self, texts)

    def _bind(self, texts: tuple[str | None, ...]) -> BoundFilter:
        problems: dict[str, None] = {}
        parsed: dict[str, tuple[str, ...]] = {}
        given = {name: text for name, text in zip(self._ordered, texts, strict=True) if text is not None}
        for name, text in given.items():
            values = parse_values(text)
            if values is None:
                problems[f"Invalid value for filter parameter {name}."] = None
            else:
                parsed[name] = values
        rules = []
        for rule, names in self._rules:
            missing = sorted(names - given.keys())
            if missing and rule.include:
                problems |= {f"Missing value for filter parameter {name}.": None for name in missing}
            elif names <= parsed.keys():
                try:
                    rules.append(rule.bound(parsed) if names else rule)
                except InvalidInput as error:
                    problems[error.message] = None
        if problems:
            raise InvalidInput(" ".join(problems))
        ordered = tuple(parsed.get(name) for name in self._ordered)
        return BoundFilter((*self._key, _short(ordered)), tuple(rules))


def _short(values: tuple[tuple[str, ...] | None, ...]) -> Hashable:
    """What tells values apart; their digest where they are long, for keys are kept with what is found by
    them."""
    text = repr(values)
    return values if len(text) <= SHORT else hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest()


@lru_cache(maxsize=BOUND_KEPT)
def _bound(compiled: CompiledFilter, texts: tuple[str | None, ...]) -> BoundFilter:
    return compiled._bind(texts)


class BoundFilter:
    """A filter with its values. Immutable, safe to share between threads.

    Masks are bool[n] over the rows of a `ColumnSet`, True = the row stays.
    """

    key: Hashable
    """Equal for filters that decide alike: what a kept `static_mask` is found by, together with the version
    of the columns."""
    is_static: bool
    """Whether `static_mask` is all there is to do."""
    depends_on_user_fields: bool
    """Whether an expression has an IF part: see `decided`."""
    excludes_interactions: bool
    """Whether it may remove candidates because the user met them."""

    def __init__(self, key: tuple[Hashable, ...], rules: tuple[Rule, ...]) -> None:
        """For `CompiledFilter.bind` and `decided`: the expressions that are used, without parameters."""
        self.key = key
        self._rules = rules
        self._fixed = [rule for rule in rules if rule.fixed]
        self._moving = [rule for rule in rules if not rule.fixed]
        self.is_static = not self._moving
        self.depends_on_user_fields = any(rule.on_user for rule in rules)
        self.excludes_interactions = any(rule.removes_met for rule in rules)
        self._only_drops = all(rule.removes_met for rule in self._moving)
        self._includes_move = any(rule.include for rule in self._moving)

    def without(self, other: BoundFilter) -> BoundFilter:
        """What this filter leaves, less what an `other` excludes that includes nothing."""
        return BoundFilter((self.key, other.key), (*self._rules, *other._rules))

    def decided(self, user: UserFacts | None) -> BoundFilter:
        """The same filter for this user with its IF parts decided, which makes its other expressions static
        where they can be; itself when it has no IF. A few microseconds."""
        if not self.depends_on_user_fields:
            return self
        applied = [rule.applies(user) for rule in self._rules]
        used = tuple(rule.unconditional() for rule, yes in zip(self._rules, applied, strict=True) if yes)
        return BoundFilter((self.key, tuple(applied)), used)

    def static_mask(self, items: ColumnSet) -> Mask:
        """The part that no user and no query item changes: what certainly goes is False. A new array."""
        includes = [rule for rule in self._fixed if rule.include]
        if includes and not self._includes_move:
            keep = join(rule.mask(items, None, unknown_item) for rule in includes)
        else:
            keep = np.ones(items.n, dtype=np.bool_)
        for rule in self._fixed:
            if not rule.include:
                _remove(keep, rule.mask(items, None, unknown_item))
        return keep

    def keep(
        self,
        items: ColumnSet,
        *,
        user: UserFacts | None,
        current_item: int | None = None,
        current_columns: ColumnSet | None = None,
        static: Mask | None = None,
    ) -> Mask:
        """The whole filter; a new array.

        Args:
            items: the columns of the candidates.
            user: the user of the request; None is allowed when the filter does not need one.
            current_item: the row of the item asked about; None when it has no record.
            current_columns: where that row stands, if not in `items`: for an item that is no candidate.
            static: what `static_mask` gave for these `items`, to spare computing it again; not changed.
        """
        keep = self.static_mask(items) if static is None else static.copy()
        asked = _item_facts(items if current_columns is None else current_columns, current_item)
        applied = [rule for rule in self._moving if rule.applies(user)]
        if self._includes_move:
            includes = [rule for rule in (*self._fixed, *applied) if rule.include]
            if includes:
                keep &= join(rule.mask(items, user, asked) for rule in includes)
        for rule in applied:
            if rule.include:
                continue
            if rule.about_events:
                keep[rule.rows(user)] = False
            else:
                _remove(keep, rule.mask(items, user, asked))
        return keep

    def rows_excluded(self, user: UserFacts) -> Rows:
        """The rows that go because the user met them; a row may occur twice."""
        rows = [rule.rows(user) for rule in self._moving if rule.removes_met and rule.applies(user)]
        return np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)

    def dropped_rows(self, user: UserFacts) -> Rows | None:
        """The rows that go beside what `static_mask` leaves out, for filters that beside static expressions
        only EXCLUDE by events; a row may occur twice. None for other filters: those need `keep`."""
        if not self._only_drops:
            return None
        rows = [rule.rows(user) for rule in self._moving if rule.applies(user)]
        if len(rows) == 1:
            return rows[0]
        return np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)


def _item_facts(columns: ColumnSet, row: int | None) -> ItemFacts:
    return unknown_item if row is None else lambda field: columns.values_at(field, row)


def _remove(keep: Mask, matched: Mask) -> None:
    """``keep &= ~matched`` without a third array: of two truth values only True > False is greater."""
    np.greater(keep, matched, out=keep)
