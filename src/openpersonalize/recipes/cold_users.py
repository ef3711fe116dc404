"""What is known of people before they did anything: members for it, and how far they shift popularity.

The members are weighed twice: among all members, for users with events (`user_personalization`), and here
beside popularity alone. For that some users are left out, and what they did first is asked as if they were
new.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..algorithms.companion import Events
from ..algorithms.fusion import Questions
from ..algorithms.groups import Groups, Side
from ..algorithms.popularity import by_users
from ..datasets.sequences import Sequences
from .base import Query, Training

SIDES: tuple[Side, ...] = ("profile", "context")
QUESTIONS = 2_000
SHARE = 0.2
"""Of the users, at most this part is left out and asked."""
FIRST = 4
"""Events of one user that are asked, the first ones, each by itself."""
LEAST = 25
"""Users asked below whom the weight is 1, the one of probabilities."""
LARGEST = 2.0


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
    sequences: Sequences, training: Training, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """The weights of the members, by name, when they are added to log(users of the item): a set for those of
    whom only the profile is known, one for a known context alone, and one for both (`known_sides`)."""
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
    starts = sequences.ptr[asked]
    places = starts[:, None] + np.arange(FIRST)
    chosen = rng.permutation(places[places < sequences.ptr[asked + 1, None]])[:QUESTIONS]
    asking = [Questions([False, *(True for _ in some)], len(chosen), popularity, rng) for some in sets]
    gain = np.ones(1, dtype=np.float32)
    for event in chosen.tolist():
        query = cold_question(sequences, event)
        features = {member.name: member.feature(query) for member in members}
        for some, questions in zip(sets, asking, strict=True):
            of_some = [known, *(features[member.name] for member in some)]
            questions.add(of_some, sequences.item[event : event + 1], gain, query.item)
    return {_key(some): _weights(some, one, training) for some, one in zip(sets, asking, strict=True)}


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
