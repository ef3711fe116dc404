"""What people get who did nothing yet: what is popular, at all and at the moment, shifted by what is known of
them.

What is popular is weighed on those who came last: what they did first is asked as of then. The members that
look at what is known are weighed twice: among all members, for users with events (`user_personalization`),
and here beside popularity alone, by leaving some users out and asking what they did first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..algorithms.companion import Events, Moving
from ..algorithms.fusion import Questions
from ..algorithms.groups import Groups, Side
from ..algorithms.popularity import Popularity, by_users
from ..datasets.sequences import Sequences
from .base import Int64, Query, Training
from .validation import LEARNED, first_met, moment_of

POPULAR = Popularity.kind
"""Names log(users of the item) among the weights."""
SIDES: tuple[Side, ...] = ("profile", "context")
QUESTIONS = 2_000
SHARE = 0.2
"""Of the users, at most this part is left out and asked."""
FIRST = 4
"""Events of one user that are asked, the first ones, each by itself."""
LEAST = 25
"""Users asked below whom the weight is 1, the one of probabilities."""
LARGEST = 2.0
GAIN = 1.05
"""How much better than log(users) alone a mixture must rank, on the questions that it was fitted to."""


def groups(sequences: Sequences, side: Side, check: Callable[[], None] = lambda: None) -> Groups | None:
    """The member that looks at `side`; None when the data has no such column, or none that says anything."""
    n = len(sequences.items)
    events = Events(sequences.ptr, sequences.item, sequences.time, sequences.event, sequences.weight, n)
    if side == "context":
        return Groups.fit(events, side, sequences.context, check=check) if sequences.context else None
    if sequences.profiles is None:
        return None
    rows = sequences.profile_rows[sequences.user]
    return Groups.fit(events, side, sequences.profiles.columns, rows, check)


def weigh_cold_users(
    sequences: Sequences, moving: Sequence[Moving], training: Training, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """The weights of the members, by name: a set for those of whom nothing is known, one for those of whom
    only the profile is, one for a known context alone, and one for both (`known_sides`).

    Args:
        moving: popularity at a moment and freshness, as of any moment of the events.
    """
    popular = weigh_popular(sequences, moving, training, rng)
    shifts = weigh_groups(sequences, training, rng)
    return {"": popular} | {known: {**popular, **shift} for known, shift in shifts.items()}


def weigh_popular(
    sequences: Sequences, moving: Sequence[Moving], training: Training, rng: np.random.Generator
) -> dict[str, float]:
    """What log(users) (`POPULAR`) and the `moving` members weigh for those of whom nothing is known.

    The last fifth to come answers, as of when they came; log(users) is of what was before. Where half of the
    events are not before that, it is what came after half of them; where hardly anybody came then, all that
    were there answer as if they were new. log(users) alone where it is hardly worse.
    """
    alone = {POPULAR: 1.0}
    came = np.flatnonzero(sequences.counts)
    if not len(moving) or not len(came):
        return alone
    first = sequences.time[sequences.ptr[came]]
    moment = max(int(np.quantile(first, 1 - SHARE, method="higher")), moment_of(sequences, LEARNED))
    learnt = sequences.where(sequences.time < moment)
    popularity = by_users(learnt.ptr, learnt.item, len(learnt.items))[0]
    begin, end = sequences.ptr[:-1], sequences.ptr[1:]
    asked = came[first >= moment]
    if len(asked) < LEAST:
        begin = begin + learnt.counts
        asked = np.flatnonzero(begin < end)
    del learnt
    if len(asked) < LEAST:
        return alone
    asked = rng.choice(asked, min(QUESTIONS, len(asked)), replace=False)
    chosen = _first_events(begin, end, asked, rng)
    chosen = chosen[np.argsort(sequences.time[chosen], kind="stable")]
    known = np.log(np.maximum(popularity, 0.5)).astype(np.float32)
    questions = Questions([False, *(True for _ in moving)], len(chosen), popularity, rng)
    met, gain = first_met(sequences), np.ones(1, dtype=np.float32)
    for event in chosen.tolist():
        training.check()
        query = cold_question(sequences, event)
        features = [one.partial(query) for one in moving]
        target = sequences.item[event : event + 1]
        questions.add([known, *features], target, gain, query.item, met < query.now)
    found = questions.fit(False, training.check)
    if found.ndcg < GAIN * found.alone[0]:
        return alone
    names = (POPULAR, *(one.name for one in moving))
    return {name: weight for name, weight in zip(names, found.weights, strict=True) if weight}


def weigh_groups(
    sequences: Sequences, training: Training, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """What the members that look at what is known weigh, by name, when they are added to log(users), for each
    combination of what may be known."""
    if sequences.profiles is None and not sequences.context:
        return {}
    users = np.flatnonzero(sequences.counts)
    asked = rng.choice(users, min(QUESTIONS, int(SHARE * len(users))), replace=False)
    left_out = np.zeros(len(sequences.users), dtype=np.bool_)
    left_out[asked] = True
    rest = sequences.where(~np.repeat(left_out, sequences.counts))
    members = [one for side in SIDES if (one := groups(rest, side, training.check)) is not None]
    sets = [members] if len(members) == 1 else [members[:1], members[1:], members] if members else []
    if len(asked) < LEAST:
        return {_key(some): {member.name: 1.0 for member in some} for some in sets}
    popularity = by_users(rest.ptr, rest.item, len(rest.items))[0]
    known = np.log(np.maximum(popularity, 0.5)).astype(np.float32)
    chosen = _first_events(sequences.ptr[:-1], sequences.ptr[1:], asked, rng)
    asking = [Questions([False, *(True for _ in some)], len(chosen), popularity, rng) for some in sets]
    gain = np.ones(1, dtype=np.float32)
    for event in chosen.tolist():
        query = cold_question(sequences, event)
        features = {member.name: member.feature(query) for member in members}
        for some, questions in zip(sets, asking, strict=True):
            of_some = [known, *(features[member.name] for member in some)]
            questions.add(of_some, sequences.item[event : event + 1], gain, query.item)
    return {_key(some): _weights(some, one, training) for some, one in zip(sets, asking, strict=True)}


def _first_events(begin: Int64, end: Int64, users: Int64, rng: np.random.Generator) -> Int64:
    """int64[k], what these users did first, `QUESTIONS` at most, in no order. What user u did are the events
    from ``begin[u]`` to before ``end[u]``."""
    places = begin[users][:, None] + np.arange(FIRST)
    return rng.permutation(places[places < end[users][:, None]])[:QUESTIONS]


def _weights(members: list[Groups], questions: Questions, training: Training) -> dict[str, float]:
    popular, *others = questions.fit(False, training.check).weights
    found = [float(np.clip(weight / popular, 0.0, LARGEST)) if popular else LARGEST for weight in others]
    return {member.name: round(weight, 4) for member, weight in zip(members, found, strict=True)}


def _key(members: list[Groups]) -> str:
    return " ".join(member.name for member in members)


def known_sides(query: Query) -> str:
    """The set of weights that fits what is known: ``profile``, ``context``, ``profile context`` or ""."""
    return " ".join(side for side in SIDES if getattr(query, side))


def cold_question(sequences: Sequences, event: int) -> Query:
    """The question that an event answers, asked without a history."""
    user = int(np.searchsorted(sequences.ptr, event, side="right")) - 1
    nothing = slice(event, event)
    return Query(
        sequences.item[nothing],
        sequences.time[nothing],
        sequences.event[nothing],
        sequences.weight[nothing],
        int(sequences.time[event]),
        profile=sequences.profile(user),
        context=sequences.situation(event),
    )
