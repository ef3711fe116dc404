"""Metrics of user segmentation, `measure_segments`: whether the users that a model names for an item, or for
an attribute of items, are those who interacted with it later (developer guide, "Evaluating the trained
solution version").

K is one percent of the users who train, rounded down, at least 1. Of each question with at least one actual
user in the held-out part: hits are the actual users among the first K, recall is hits / min(actual users, K).
Coverage is the share of all users who are in any of these lists. At most `MOST_QUESTIONS` questions are
asked, a sample that stays the same from version to version. Memory: the distinct pairs of user and item of
the held-out part, and the scores of all users for one question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from ..algorithms.arrays import Bools, Int64, UInt64
from ..algorithms.topk import top_k
from ..datasets.holdout import HoldOut
from ..datasets.sequences import Sequences
from ..datasets.splits import in_order_of_hashes
from ..recipes.item_attributes import ItemAttributes
from ..recipes.item_counts import ItemCounts
from ..recipes.model import Segments
from ..recipes.question_values import QuestionValues, hashes_of_sets
from ..storage.idhash import hashes
from .measure import Measurement

MOST_QUESTIONS = 1_000
PERCENT = 100


class SegmentQuestion(NamedTuple):
    """Which users interact with any of some items.

    Attributes:
        items: int64[m], ascending. users: int64[k], those who did in the held-out part, ascending.
    """

    items: Int64
    users: Int64


def measure_segments(
    model: Segments,
    sequences: Sequences,
    held_out: HoldOut,
    attributes: ItemAttributes | None = None,
    *,
    most: int = MOST_QUESTIONS,
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None,
    check: Callable[[], None] = lambda: None,
) -> Measurement:
    """The metrics of a model that was trained on ``held_out.training``, beside the users who were most active
    in it.

    Args:
        model: its users and items must be those of `sequences`.
        sequences: all events. held_out: what happened later.
        attributes: asked about their values; None: about single items.
        most: of more questions only so many are asked. progress, check: told how far it is; may raise.

    Returns:
        By name. Without a question all are 0.
    """
    learnt = sequences.where(held_out.training)
    k = max(1, int((learnt.counts > 0).sum()) // PERCENT)
    active = ItemCounts.of_users(learnt).order[:k]
    questions = list(asked(sequences, held_out, attributes, most))
    named = np.zeros(len(sequences.users), dtype=np.bool_)
    hits = np.zeros((2, len(questions)))
    for number, question in enumerate(questions):
        check()
        progress("measure", number, len(questions), "segments")
        found = top_k(model.affinity(question.items), k)
        named[found] = True
        hits[:, number] = [np.isin(listed, question.users).sum() for listed in (found, active)]
    progress("measure", len(questions), len(questions), "segments")
    possible = np.minimum([len(one.users) for one in questions], k)
    values, peer = ({"hits_at_1_percent": one, "recall_at_1_percent": one / possible} for one in hits)
    metrics = {"coverage": float(named.sum() / max(len(named), 1))}
    metrics |= {name: float(one.mean()) if len(one) else 0.0 for name, one in values.items()}
    about = _keys(sequences.items.series(), [one.items for one in questions])
    truth = _keys(sequences.users.series(), [one.users for one in questions])
    return Measurement(metrics, QuestionValues.of(about, truth, values, peer))


def _keys(ids: pl.Series, sets: list[Int64]) -> UInt64:
    """uint64[Q], a hash of each set of ids, given by their numbers."""
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in sets]))).astype(np.int64)
    members, place = np.unique(np.concatenate([np.empty(0, np.int64), *sets]), return_inverse=True)
    return hashes_of_sets(hashes(ids.gather(members))[place], ptr)


def asked(
    sequences: Sequences, held_out: HoldOut, attributes: ItemAttributes | None, most: int = MOST_QUESTIONS
) -> Iterator[SegmentQuestion]:
    """The questions that some user answers: about items that train, or about values of attributes that any of
    these items has."""
    later = ~held_out.training
    users = len(sequences.users)
    pairs = np.unique(sequences.item[later].astype(np.int64) * users + sequences.user[later])
    item, user = np.divmod(pairs, max(users, 1))
    trained = np.zeros(len(sequences.items), dtype=np.bool_)
    trained[sequences.item[held_out.training]] = True
    if attributes is None:
        yield from _of_items(sequences, item, user, trained, most)
        return
    values = pl.DataFrame(list(attributes.values()), schema=["name", "value"], orient="row")
    order = in_order_of_hashes(values["name"] + "=" + values["value"])
    count = 0
    for name, value in values[pl.Series(order)].iter_rows():
        having = attributes.items_with(name, value)
        chosen = np.zeros(len(trained), dtype=np.bool_)
        chosen[having] = True
        theirs = np.unique(user[chosen[item]])
        if len(theirs) and trained[having].any():
            yield SegmentQuestion(having, theirs)
            count += 1
        if count == most:
            return


def _of_items(
    sequences: Sequences, item: Int64, user: Int64, trained: Bools, most: int
) -> Iterator[SegmentQuestion]:
    met = np.unique(item)
    met = met[trained[met]]
    chosen = met[np.sort(in_order_of_hashes(sequences.items.series().gather(met))[:most])]
    starts, ends = np.searchsorted(item, chosen), np.searchsorted(item, chosen, side="right")
    for one, start, end in zip(chosen.tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield SegmentQuestion(np.array([one], dtype=np.int64), user[start:end])
