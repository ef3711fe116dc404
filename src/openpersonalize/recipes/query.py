"""A question to a model, `Query`: who asks, about which item, when and in what context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..algorithms.arrays import Float32, Int16, Int32, Int64

if TYPE_CHECKING:
    from ..datasets.sequences import Sequences

HISTORY_LENGTH = 1_000
"""Newest events of a user that a model is shown: in serving, in measuring, and as long as an artifact
remembers."""


class ItemHistory(NamedTuple):
    """What a user did with items, oldest first: int32[k] numbers in the table of items, int64[k] seconds."""

    item: Int32
    time: Int64


@dataclass(frozen=True)
class Query:
    """One question.

    Attributes:
        item: int32[k] numbers of the events' items in the model's table, oldest first; no unknown items.
        time: int64[k] seconds; event: int16[k] numbers of event types, -1 unknown; weight: float32[k].
        now: seconds; the moment of the request.
        seen_excluded: the answer will leave out the items the user interacted with.
        arriving: the answer is for later (a batch job), however young the user's newest event is.
        profile: values of Users columns, as they were at training. context: values of Interactions columns
            in the context of the request. Strings of several values have ``|`` between them.
        influence: how much POPULARITY and FRESHNESS count, as ``rankingInfluence`` has it.
        anchor: number of the item asked about (related items); None where there is none, or training did not
            know it. anchor_record: what the Items dataset says today of an anchor that training did not know.
        item_history: what the user did with items, where the other columns are about actions; None elsewhere.
    """

    item: Int32
    time: Int64
    event: Int16
    weight: Float32
    now: int
    seen_excluded: bool = False
    profile: Mapping[str, str | float] = field(default_factory=dict)
    context: Mapping[str, str | float] = field(default_factory=dict)
    anchor: int | None = None
    anchor_record: Mapping[str, Any] | None = None
    influence: Mapping[str, float] = field(default_factory=dict)
    arriving: bool = False
    item_history: ItemHistory | None = None

    @classmethod
    def at(
        cls,
        sequences: Sequences,
        user: int,
        end: int,
        now: int,
        *,
        newest: int = HISTORY_LENGTH,
        context_of: int | None = None,
        seen_excluded: bool = False,
        anchor: int | None = None,
    ) -> Query:
        """The question of a user of the training data, as of one of the user's events.

        Args:
            sequences: the interactions.
            user: number of the user. end: one past the last event that is history.
            now: seconds, the moment of the question.
            newest: so many events of the history are shown, the newest; 0: none.
            context_of: the event in whose context is asked; None: nothing is known of it.
            seen_excluded, anchor: see `Query`.
        """
        span = slice(max(int(sequences.ptr[user]), end - newest), end)
        return cls(
            sequences.item[span],
            sequences.time[span],
            sequences.event[span],
            sequences.weight[span],
            now,
            seen_excluded,
            sequences.profile(user),
            {} if context_of is None else sequences.context_at(context_of),
            anchor,
        )

    @classmethod
    def of_nobody(cls, now: int, anchor: int | None = None) -> Query:
        """The question of somebody of whom nothing is known."""
        return cls(
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.int16),
            np.empty(0, np.float32),
            now,
            anchor=anchor,
        )
