"""Measures a model of actions on what test users did last: the figures of GetSolutionMetrics for
PERSONALIZED_ACTIONS, `measure_actions`.

Each test user is asked once, at the first action interaction of the part held out; the relevant actions are
those taken in it, and users who took none say nothing of the order. Precision and recall are means over
actions, of lists of `SHOWN` (Amazon Personalize developer guide, "Metrics for PERSONALIZED_ACTIONS recipes").
The area under the ROC curve compares the propensities of the occasions held out, as of the moment of each,
that ended with the action taken, with those of the others (Mann and Whitney's statistic; ties count half).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..algorithms.arrays import Float32, Float64, Int64
from ..algorithms.topk import top_k
from ..datasets.action_events import Outcome, outcomes_of
from ..datasets.holdout import HoldOut
from ..datasets.sequences import Sequences
from ..datasets.splits import MOST_USERS, sampled
from ..recipes.actions.outcomes import occasions
from ..recipes.complete import CompleteModel
from ..recipes.query import ItemHistory, Query
from ..recipes.question_values import QuestionValues, hashes_of_sets
from ..recipes.training import Behaviour, TrainingData
from ..storage.idhash import hashes
from .measure import Measurement
from .metrics import CUTS, LIST, ideal_gains, ndcg

SHOWN = 5
"""Actions of an answer that did not say how many."""

PERIOD_DAYS = 14
"""The period of a recipe that does not say how long an action may take."""

MOST_OCCASIONS = 20_000
"""Occasions that are asked about; of more, the last."""


def measure_actions(
    model: CompleteModel,
    data: TrainingData,
    held_out: HoldOut,
    period_days: int,
    *,
    most_users: int = MOST_USERS,
    progress: Callable[[str, float, float, str], None] = lambda step, done, total, unit: None,
    check: Callable[[], None] = lambda: None,
) -> Measurement:
    """The metrics of a model that was trained on ``held_out.training``; for each question NDCG, beside that
    of the actions which were taken most.

    Args:
        model: of the actions of `data`. data: all of it. held_out: the questions.
        period_days: how long an action may take.
        most_users: of more users only so many are asked.
        progress, check: told how far it is; may raise to stop.
    """
    held_out = sampled(data.sequences, held_out, most_users)
    asker = Asker(data)
    n, count = len(data.ranked.ids), len(held_out.user)
    hits, sizes = np.zeros((count, LIST)), np.zeros(count, dtype=np.int64)
    most_taken, taken_hits = asker.most_taken(held_out, n)[:LIST], np.zeros((count, LIST))
    truths = [np.empty(0, np.int32)] * count
    shown, correct, takers = np.zeros((3, n), dtype=np.int64)
    covered = np.zeros(n, dtype=np.bool_)
    for k in range(count):
        check()
        progress("measure", k, count, "users")
        start, end, user = int(held_out.start[k]), int(held_out.end[k]), int(held_out.user[k])
        listed = top_k(model.scores(asker.query(user, start, int(held_out.now[k]))), LIST)
        taken = asker.taken(start, end)
        first = listed[:SHOWN]
        covered[listed] = True
        shown[first] += 1
        correct[first] += np.isin(first, taken)
        takers[taken] += 1
        hits[k, : len(listed)] = np.isin(listed, taken)
        taken_hits[k, : len(most_taken)] = np.isin(most_taken, taken)
        sizes[k], truths[k] = len(taken), taken
    progress("measure", count, count, "users")
    some = sizes > 0
    found = {"coverage": float(covered.mean()) if n else 0.0}
    values, peer = (_gains(one[some], sizes[some]) for one in (hits, taken_hits))
    found |= {name: float(one.mean()) if some.any() else 0.0 for name, one in values.items()}
    found["precision"] = _mean(correct, shown)
    found["recall"] = _mean(correct, takers)
    scores, outcome = asked_occasions(model, asker, held_out, period_days, check)
    found["area_under_curve"] = area_under_curve(scores, outcome)
    ids, users = hashes(data.ranked.ids.series()), data.sequences.users.series()
    ptr = np.concatenate(([0], np.cumsum(sizes[some])))
    truth = hashes_of_sets(ids[np.concatenate([np.empty(0, np.int32), *truths])], ptr)
    asked = hashes(users.gather(held_out.user[some]))
    return Measurement(found, QuestionValues.of(asked, truth, values, peer))


def _gains(hits: Float64, sizes: Int64) -> dict[str, Float64]:
    """NDCG by name, float64[Q], of lists with these hits."""
    ideal = ideal_gains(sizes)
    return {f"normalized_discounted_cumulative_gain_at_{k}": ndcg(hits, ideal, k) for k in CUTS}


class Asker:
    """Makes questions of users of the training data as of moments."""

    def __init__(self, data: TrainingData) -> None:
        """`data`: with action interactions."""
        self.sequences: Sequences = data.sequences
        self.outcome = outcomes_of(self.sequences.event_types)[self.sequences.event]
        self._behaviour: Behaviour | None = data.behaviour
        if data.behaviour is not None:
            users = data.behaviour.interactions.users
            self._rows = users.find_all(self.sequences.users.series())

    def query(self, user: int, end: int, now: int) -> Query:
        """The question of a user after the events before `end`, at a moment."""
        query = Query.at(self.sequences, user, end, now)
        if self._behaviour is None or self._rows[user] < 0:
            return query
        done, row = self._behaviour.interactions, int(self._rows[user])
        start, stop = int(done.ptr[row]), int(done.ptr[row + 1])
        stop = start + int(np.searchsorted(done.time[start:stop], now))
        return replace(query, item_history=ItemHistory(done.item[start:stop], done.time[start:stop]))

    def most_taken(self, held_out: HoldOut, n: int) -> Int64:
        """int64[n], the actions by how often they were taken in what trained, most often first."""
        taken = self.sequences.item[held_out.training & (self.outcome == Outcome.TAKEN)]
        return np.argsort(-np.bincount(taken, minlength=n), kind="stable")

    def taken(self, start: int, end: int) -> np.ndarray:
        """The different actions taken in some events."""
        span = slice(start, end)
        return np.unique(self.sequences.item[span][self.outcome[span] == Outcome.TAKEN])


def asked_occasions(
    model: CompleteModel, asker: Asker, held_out: HoldOut, period_days: int, check: Callable[[], None]
) -> tuple[Float64, Float32]:
    """Log-propensities and outcomes of the occasions that begin in what was held out."""
    sequences = asker.sequences
    inside = np.zeros(len(sequences.item), dtype=np.bool_)
    for start, end in zip(held_out.start.tolist(), held_out.end.tolist(), strict=True):
        inside[start:end] = True
    all_of_them = occasions(sequences, asker.outcome, period_days)
    asked = np.flatnonzero(inside[all_of_them.event])[-MOST_OCCASIONS:]
    event = all_of_them.event[asked]
    scores = np.empty(len(event))
    user = sequences.user[event]
    for k, place in enumerate(event.tolist()):
        check()
        query = asker.query(int(user[k]), place, int(sequences.time[place]))
        scores[k] = model.scores(query)[sequences.item[place]]
    return scores, all_of_them.taken[asked]


def area_under_curve(scores: Float64, taken: Float32) -> float:
    """Of scores and outcomes 0 and 1; 0 where all outcomes are the same."""
    positive = int(taken.sum())
    negative = len(taken) - positive
    if not positive or not negative:
        return 0.0
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(times)
    rank = (ends - (times - 1) / 2.0)[place]
    above = float(rank[taken > 0].sum()) - positive * (positive + 1) / 2
    return above / (positive * negative)


def _mean(correct: np.ndarray, of: np.ndarray) -> float:
    """The mean of shares over actions that have one."""
    some = of > 0
    return float((correct[some] / of[some]).mean()) if some.any() else 0.0
