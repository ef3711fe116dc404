"""What people get who did nothing yet: what is popular, at all and at the moment, shifted by what is known of
them.

What is popular is weighed on those who came last: what they did first is asked as of then, and the newest of
it more often, as what is popular moves, and so does what tells it. The rankers that look at what is known are
weighed twice: among all rankers, for users with events (`user_personalization`), and here beside what is
popular: on the same questions, or, where log(users) alone is, by leaving some users out and asking what they
did first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int64
from ..algorithms.fusion import Questions
from ..algorithms.lazy_scores import DenseScores, LazyScores, WeightedScores
from ..algorithms.naive_bayes import NaiveBayes
from ..algorithms.popularity import item_popularity
from ..algorithms.ranker import OnlineRanker
from ..datasets.protocols import LEAST_TRAINING_SHARE, first_seen, moment_of
from ..datasets.sequences import Sequences
from .fusion.prior import COLD, COLD_USERS, prior_of, trust
from .fusion.weights import ATTRIBUTES, POPULAR
from .query import Query
from .training import Training

COLD_QUESTIONS = 1_000
"""Most questions about people who did nothing yet."""
LEFT_OUT_SHARE = 0.2
"""Of the users, at most this part is left out and asked."""
FIRST_EVENTS = 4
"""Events of one user that are asked, the first ones, each by itself."""
EVEN_SHARE = 0.05
"""Share of the events that may be asked, the newest ones, which are drawn about alike; further back it falls
as one divided by how many are newer."""
SPANS = 100
"""Equal parts of the time of these events; what came in one counts as the median part does at most: many who
come at once are no more of the questions than others."""
LEAST_USERS = 25
"""Users asked below whom the weight is 1, the one of probabilities."""
MOST_RATIO = 2.0
ALONE: Mapping[str, float] = {POPULAR: 1.0}
EQUAL_GAIN = np.ones(1, dtype=np.float32)
"""Every event that is asked about counts alike."""
LEAST_IMPROVEMENT = 1.05
"""How much better than log(users) alone a sum must rank, on the questions that it was fitted to."""


def attribute_ranker(
    sequences: Sequences, source: str, check: Callable[[], None] = lambda: None
) -> NaiveBayes | None:
    """The ranker that looks at `source`; None when the data has no such column, or none that says
    anything."""
    events = sequences.events
    if source == "context":
        return NaiveBayes.fit(events, source, sequences.context, check=check) if sequences.context else None
    if sequences.profiles is None:
        return None
    rows = sequences.profile_rows[sequences.user]
    return NaiveBayes.fit(events, source, sequences.profiles.columns, rows, check)


def weigh_cold_users(
    sequences: Sequences,
    online: Sequence[OnlineRanker],
    training: Training,
    rng: np.random.Generator,
    askable: Bools | None = None,
) -> dict[str, dict[str, float]]:
    """The weights of the rankers, by name: a set for those of whom nothing is known, one for those of whom
    only the profile is, one for a known context alone, and one for both (`known_attributes`).

    Args:
        online: popularity at a moment and freshness, as of any moment of the events.
        askable: bool[U], the users that are asked; None: all.
    """
    came = sequences.counts > 0 if askable is None else (sequences.counts > 0) & askable
    late = _arrivals(sequences, came, rng) if online else None
    popular = dict(ALONE) if late is None else _weigh_popular(sequences, late, online, training, rng)
    if sequences.profiles is None and not sequences.context:
        return {"": popular}
    if late is None or popular == ALONE:
        shifts = _shifts(sequences, came, training, rng)
        return {"": popular} | {known: {**popular, **shift} for known, shift in shifts.items()}
    return {"": popular} | _weigh_attributes(sequences, late, popular, online, training, rng)


@dataclass(frozen=True)
class _Arrivals:
    """What people did first who came late.

    Attributes:
        event: int64[k] in order of time. moment: before the first of them.
        users: float32[n], of each item before the moment. known: its logarithm.
        met: int64[n], see  `first_seen`. asked: the users.
    """

    event: Int64
    asked: int
    moment: int
    users: Float32
    known: Float32
    first_seen_at: Int64


def _arrivals(sequences: Sequences, who: Bools, rng: np.random.Generator) -> _Arrivals | None:
    """The last fifth to come of these users, after half of all events at least. Where hardly anybody came
    then, all that were there are taken as if they were new; None where they are hardly any, either."""
    came = np.flatnonzero(who)
    if not len(came):
        return None
    first = sequences.time[sequences.ptr[came]]
    moment = max(
        int(np.quantile(first, 1 - LEFT_OUT_SHARE, method="higher")),
        moment_of(sequences, LEAST_TRAINING_SHARE),
    )
    learnt = sequences.where(sequences.time < moment)
    begin, end = sequences.ptr[:-1], sequences.ptr[1:]
    asked = came[first >= moment]
    if len(asked) < LEAST_USERS:
        begin = begin + learnt.counts
        asked = np.flatnonzero(who & (begin < end))
    if len(asked) < LEAST_USERS:
        return None
    event = _first_events(begin, end, asked)
    event = event[np.argsort(sequences.time[event], kind="stable")]
    event = event[newest_drawn(sequences.time[event], COLD_QUESTIONS, rng)]
    people = len(np.unique(np.searchsorted(sequences.ptr, event, side="right")))
    users = item_popularity(learnt.ptr, learnt.item, len(learnt.items))[0]
    return _Arrivals(event, people, moment, users, _log(users), first_seen(sequences))


def _weigh_popular(
    sequences: Sequences,
    late: _Arrivals,
    online: Sequence[OnlineRanker],
    training: Training,
    rng: np.random.Generator,
) -> dict[str, float]:
    """What log(users) (`POPULAR`) and the `online` rankers weigh for those of whom nothing is known, each
    asked as of when the question was; log(users) alone where it is hardly worse."""
    questions = Questions([False, *(True for _ in online)], len(late.event), late.users, rng)
    for event in late.event.tolist():
        training.check()
        query = cold_question(sequences, event)
        features: list[LazyScores] = [DenseScores(late.known), *(one.lazy(query) for one in online)]
        target = sequences.item[event : event + 1]
        questions.add(features, target, EQUAL_GAIN, query.item, late.first_seen_at < query.now)
    names = (POPULAR, *(one.name for one in online))
    share = trust(late.asked, COLD_USERS)
    found = questions.fit(False, training.check, training.threads, prior=prior_of(names, COLD), trust=share)
    if found.ndcg < LEAST_IMPROVEMENT * found.alone[0]:
        return dict(ALONE)
    return _mixed(names, found.weights)


def _weigh_attributes(
    sequences: Sequences,
    late: _Arrivals,
    popular: Mapping[str, float],
    online: Sequence[OnlineRanker],
    training: Training,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """The sets for those of whom something is known: what it weighs beside the `popular` sum."""
    learnt = sequences.where(sequences.time < late.moment)
    sets = _sets(
        [
            one
            for source in ATTRIBUTES
            if (one := attribute_ranker(learnt, source, training.check)) is not None
        ]
    )
    del learnt
    asking = {
        known: Questions([False, *(True for _ in some)], len(late.event), late.users, rng)
        for known, some in sets.items()
    }
    parts = [(one, weight) for one in online if (weight := popular.get(one.name))]
    for event in late.event.tolist():
        training.check()
        query = cold_question(sequences, event)
        combined = WeightedScores(
            [
                (DenseScores(late.known), popular.get(POPULAR, 0.0)),
                *((one.lazy(query), weight) for one, weight in parts),
            ]
        )
        target = sequences.item[event : event + 1]
        told = _told(sets, query)
        for known, some in sets.items():
            features: list[Float32 | LazyScores] = [combined, *(told[one.name] for one in some)]
            asking[known].add(features, target, EQUAL_GAIN, query.item, late.first_seen_at < query.now)
    found = {}
    for known, some in sets.items():
        share, *weights = asking[known].fit(False, training.check, training.threads).weights
        names = [*popular, *(one.name for one in some)]
        found[known] = _mixed(names, [*(share * weight for weight in popular.values()), *weights])
    return found


def _shifts(
    sequences: Sequences, who: Bools, training: Training, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """What the rankers that look at what is known weigh, by name, when they are added to log(users), for each
    combination of what may be known."""
    users = np.flatnonzero(who)
    asked = rng.choice(users, min(COLD_QUESTIONS, int(LEFT_OUT_SHARE * len(users))), replace=False)
    left_out = np.zeros(len(sequences.users), dtype=np.bool_)
    left_out[asked] = True
    rest = sequences.where(~np.repeat(left_out, sequences.counts))
    sets = _sets(
        [one for source in ATTRIBUTES if (one := attribute_ranker(rest, source, training.check)) is not None]
    )
    if len(asked) < LEAST_USERS:
        return {known: {ranker.name: 1.0 for ranker in some} for known, some in sets.items()}
    popularity = item_popularity(rest.ptr, rest.item, len(rest.items))[0]
    popular = _log(popularity)
    chosen = _first_events(sequences.ptr[:-1], sequences.ptr[1:], asked)
    chosen = rng.permutation(chosen)[:COLD_QUESTIONS]
    asking = {
        known: Questions([False, *(True for _ in some)], len(chosen), popularity, rng)
        for known, some in sets.items()
    }
    for event in chosen.tolist():
        query = cold_question(sequences, event)
        told = _told(sets, query)
        for known, some in sets.items():
            features = [popular, *(told[one.name] for one in some)]
            asking[known].add(features, sequences.item[event : event + 1], EQUAL_GAIN, query.item)
    return {known: _ratios(some, asking[known], training) for known, some in sets.items()}


def _first_events(begin: Int64, end: Int64, users: Int64) -> Int64:
    """int64[k], what these users did first. What user u did are the events from ``begin[u]`` to before
    ``end[u]``."""
    places = begin[users][:, None] + np.arange(FIRST_EVENTS)
    return places[places < end[users][:, None]]


def newest_drawn(time: Int64, most: int, rng: np.random.Generator) -> Int64:
    """int64[min(k, most)], in order, places of events at int64[k] `time`, which rises, drawn without
    replacement, the newest ones more often (see `EVEN_SHARE`, `SPANS`; Efraimidis and Spirakis, "Weighted
    random sampling with a reservoir", 2006)."""
    if len(time) <= most:
        return np.arange(len(time))
    part = np.minimum((time - time[0]) * SPANS // max(int(time[-1] - time[0]), 1), SPANS - 1)
    came = np.bincount(part, minlength=SPANS)
    counted = np.minimum(np.median(came[came > 0]) / np.maximum(came, 1), 1.0)[part]
    newer = np.cumsum(counted[::-1])[::-1] - counted
    waited = rng.standard_exponential(len(time)) * (newer + EVEN_SHARE * counted.sum()) / counted
    return np.sort(np.argsort(waited, kind="stable")[:most])


def _log(users: Float32) -> Float32:
    return np.log(np.maximum(users, 0.5)).astype(np.float32)


def _mixed(names: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """The weights that are not 0. That of log(users) is always told: a set without one has it in full."""
    found = {name: round(weight, 4) for name, weight in zip(names, weights, strict=True) if weight}
    return {POPULAR: 0.0, **found}


def _ratios(rankers: list[NaiveBayes], questions: Questions, training: Training) -> dict[str, float]:
    popular, *others = questions.fit(False, training.check, training.threads).weights
    found = [
        float(np.clip(weight / popular, 0.0, MOST_RATIO)) if popular else MOST_RATIO for weight in others
    ]
    return {ranker.name: round(weight, 4) for ranker, weight in zip(rankers, found, strict=True)}


def _sets(rankers: list[NaiveBayes]) -> dict[str, list[NaiveBayes]]:
    """The rankers that count, by what is known."""
    some = [rankers] if len(rankers) == 1 else [rankers[:1], rankers[1:], rankers] if rankers else []
    return {" ".join(ranker.name for ranker in one): one for one in some}


def _told(sets: Mapping[str, list[NaiveBayes]], query: Query) -> dict[str, Float32]:
    """What each ranker of the sets answers, by its name."""
    return {one.name: one.feature(query) for one in max(sets.values(), key=len, default=[])}


def cold_question(sequences: Sequences, event: int) -> Query:
    """The question that an event answers, asked without a history."""
    user = int(np.searchsorted(sequences.ptr, event, side="right")) - 1
    return Query.at(sequences, user, event, int(sequences.time[event]), newest=0, context_of=event)
