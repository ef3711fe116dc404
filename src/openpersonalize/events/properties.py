"""The `properties` of a streamed record: a JSON object, its keys matched to the columns of a schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from ..datasets.schemas import Field, Schema
from .coercion import Cell, UnfitError, coerce, wanted

MOST_SPELLINGS = 4096
"""Spellings of keys that are remembered for each schema; more are worked out anew each time."""

_encode = msgspec.json.Encoder().encode


def fold(name: str) -> str:
    """What all spellings of a column's name share: `numRatings`, `NUM_RATINGS`, `num_ratings`."""
    return name.replace("_", "").lower()


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


# An object becomes a tuple of its pairs: keys that occur twice stay visible, and no list looks like it.
_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_no_constant)


def parse(text: str) -> tuple[tuple[str, Any], ...]:
    """The pairs of a JSON object, in order, repeated keys included; objects inside become tuples too.

    Raises:
        UnfitError: it is no JSON, or no object.
    """
    try:
        pairs = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise UnfitError("properties must hold a JSON object; it cannot be parsed.") from None
    if not isinstance(pairs, tuple):
        raise UnfitError("properties must hold a JSON object.")
    return pairs


class Columns:
    """The columns that properties can fill, and the text in which they are stored."""

    def __init__(self, schema: Schema, fixed: Iterable[str]) -> None:
        """Columns of `schema` without those in `fixed`, filled by something else; their keys are ignored."""
        names = set(fixed)
        self.fields = tuple(field for field in schema.fields if field.name not in names)
        self._by_fold = {fold(field.name): field for field in self.fields}
        self._by_key: dict[str, Field | None] = {}

    def field(self, key: str) -> Field | None:
        """The column that `key` means, or None."""
        try:
            return self._by_key[key]
        except KeyError:
            field = self._by_fold.get(fold(key))
            if len(self._by_key) < MOST_SPELLINGS:
                self._by_key[key] = field
            return field

    def stored(self, pairs: Iterable[tuple[str, Any]], problems: list[str], *, nulls: bool) -> str | None:
        """Pairs of keys and values as the text of a JSON object by column names, in schema order.

        Values that are null are left out, keys without a column too; None when nothing is left.

        Args:
            pairs: from `parse`.
            problems: what is wrong is added here; the result is then worth nothing.
            nulls: whether a null may be sent for a column whose schema does not allow it.
        """
        cells: dict[str, Cell] = {}
        keys: dict[str, str] = {}
        for key, value in pairs:
            field = self.field(key)
            if field is None:
                continue
            if field.name in keys:
                problems.append(f"Properties {keys[field.name]} and {key} name the same column {field.name}.")
                continue
            keys[field.name] = key
            if value is None and not nulls and not field.nullable:
                problems.append(f"Property {key} must not be null.")
                continue
            try:
                cells[field.name] = coerce(value, field)
            except UnfitError as unfit:
                problems.append(
                    str(unfit) or f"Invalid value for property {key}. It must be {wanted(field)}."
                )
        ordered = {f.name: cells[f.name] for f in self.fields if cells.get(f.name) is not None}
        return _encode(ordered).decode() if ordered else None
