"""Event types of action interactions, as they are compared: Viewed, Taken and Not taken in whatever spelling,
`folded` and `Outcome`.

Amazon writes them in several ways (``Taken``, ``NOT_TAKEN``, ``Not taken``), so case, blanks and underscores
make no difference (Amazon Personalize developer guide, "Action interaction event types"; comparing loosely is
our choice). Other types are stored and not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import polars as pl

Int8 = npt.NDArray[np.int8]


class Outcome(IntEnum):
    """What an action interaction says. OTHER stands for event types that are not used."""

    OTHER = -1
    VIEWED = 0
    NOT_TAKEN = 1
    TAKEN = 2


NAMES = {"viewed": Outcome.VIEWED, "nottaken": Outcome.NOT_TAKEN, "taken": Outcome.TAKEN}
"""By folded event type."""


def folded(event_type: str) -> str:
    """What all spellings of an event type share."""
    return event_type.casefold().replace(" ", "").replace("_", "")


def folded_column(column: pl.Expr) -> pl.Expr:
    """`folded` of a column of texts."""
    return (
        column.str.to_lowercase()
        .str.replace_all(" ", "", literal=True)
        .str.replace_all("_", "", literal=True)
    )


def outcomes_of(event_types: Iterable[str]) -> Int8:
    """int8[k + 1], the outcome that each event type stands for; the last is that of no type at all, which -1
    finds."""
    found = [NAMES.get(folded(one), Outcome.OTHER) for one in event_types]
    return np.array([*found, Outcome.OTHER], dtype=np.int8)


class FoldedTypes(Mapping[str, int]):
    """Numbers of event types, found in any spelling."""

    def __init__(self, event_types: Iterable[str]) -> None:
        """In order of numbers."""
        self._numbers = {folded(one): number for number, one in enumerate(event_types)}

    def __getitem__(self, event_type: str) -> int:
        return self._numbers[folded(event_type)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
