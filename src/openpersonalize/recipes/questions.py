"""Held-out questions: a `Query` and the items that are its right answers, made from a `HoldOut` in one place
for measuring, for weighing and for the early stopping of the encoder."""

from __future__ import annotations

from typing import TypeAlias

from ..datasets.holdout import HoldOut
from ..datasets.sequences import Float32, Int32, Sequences
from .query import Query

Question: TypeAlias = tuple[Query, Int32, Float32]
"""What is asked, the distinct relevant items, and the gain of each."""


def held_out_question(sequences: Sequences, held_out: HoldOut, k: int, anchored: bool = False) -> Question:
    """The k-th question of a hold-out; `anchored`: asked about the newest item of the history."""
    start, now = int(held_out.start[k]), int(held_out.now[k])
    anchor = int(sequences.item[start - 1]) if anchored else None
    query = Query.at(sequences, int(held_out.user[k]), start, now, context_of=start, anchor=anchor)
    return query, *held_out.relevant(sequences, k)
