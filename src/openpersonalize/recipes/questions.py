"""Held-out questions: a `Query` and the items that are its right answers, made from a `HoldOut` in one place
for measuring, for weighing and for the early stopping of the encoder; `ask` asks rankers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from ..algorithms.encoder import Encoder
from ..algorithms.fusion import Questions
from ..algorithms.popularity import item_popularity
from ..algorithms.ranker import BaseRanker
from ..datasets.holdout import HoldOut
from ..datasets.protocols import first_seen
from ..datasets.sequences import Float32, Int32, Sequences
from .query import Query
from .training import Training

Question: TypeAlias = tuple[Query, Int32, Float32]
"""What is asked, the distinct relevant items, and the gain of each."""


def held_out_question(sequences: Sequences, held_out: HoldOut, k: int, anchored: bool = False) -> Question:
    """The k-th question of a hold-out; `anchored`: asked about the newest item of the history."""
    start, now = int(held_out.start[k]), int(held_out.now[k])
    anchor = int(sequences.item[start - 1]) if anchored else None
    query = Query.at(sequences, int(held_out.user[k]), start, now, context_of=start, anchor=anchor)
    return query, *held_out.relevant(sequences, k)


def ask(
    sequences: Sequences,
    found: HoldOut,
    learnt: Sequences,
    rankers: Sequence[BaseRanker],
    training: Training,
    rng: np.random.Generator,
) -> Questions:
    """Ask every ranker, fitted on `learnt`, every question, in order of time.

    An item that came since is known at the question's moment, as it will be to a model that is trained then:
    without it, popularity at the moment would be weighed where its strongest answers are missing.
    """
    users, _ = item_popularity(learnt.ptr, learnt.item, len(learnt.items))
    questions = Questions([ranker.signed_weight for ranker in rankers], len(found.user), users, rng)
    first, learned = first_seen(sequences), users > 0
    now, known = None, learned
    for place, k in enumerate(np.argsort(found.now, kind="stable").tolist()):
        if place % 100 == 0:
            training.check()
            training.progress("ask", place, len(found.user), "questions")
        query, target, gain = held_out_question(sequences, found, k)
        # The encoder needs all products in any case, for what they sum up to.
        attributes = [
            one.lazy(query) if questions.large and not isinstance(one, Encoder) else one.feature(query)
            for one in rankers
        ]
        if query.now != now:
            now, known = query.now, learned | (first < query.now)
        questions.add(attributes, target, gain, query.item, known)
    return questions
