"""Held-out questions of both scenarios in which a recommender is asked (multi-scenario recommendation):
*in session*, while the user is there (the cart page, the next click), and *arriving* (the home page, an
e-mail). `ScenarioQuestions` says which is which by the age of the user's newest event, as serving does.

In session: of baskets the second half of a session, asked with the first half at its own moment; of streams
what comes next. Arriving: what follows a pause at once, and what the user does in a while (a horizon). All
share one training part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from ..algorithms.sessions import session_starts
from .holdout import HoldOut
from .protocols import MOST_QUESTIONS, ValidationProtocol, begins_second, hold_out
from .sequences import Bools, Int64, Sequences

Scenario: TypeAlias = Literal["arriving", "in_session"]

LEAST_QUESTIONS = 100
"""Questions of a scenario below which both share all questions, and what is found by them."""

LEAST_BASKET = 4
"""Events of a session that is halved."""

HORIZON_PART = 0.25
"""Part of the questions about a stream that look at a horizon."""

SESSIONS_AHEAD = 0.1
"""Share of a user's sessions, the newest, that a horizon looks at; one at least."""

MOST_HELD_OUT = 0.1
"""Share of all events that are held out for horizons where nothing else would be."""


@dataclass(frozen=True)
class ScenarioQuestions:
    """All questions, and which of them are asked in session: bool[Q]."""

    held_out: HoldOut
    in_session: Bools

    @classmethod
    def of(
        cls,
        sequences: Sequences,
        protocol: ValidationProtocol,
        gap: int,
        rng: np.random.Generator,
        most: int = MOST_QUESTIONS,
    ) -> ScenarioQuestions:
        """At most about `most` questions, as many as one weighing without scenarios asks.

        Args:
            sequences: the interactions; those of baskets in random order. protocol: how questions are found.
            gap: seconds after which a session is over. rng: draws.
        """
        halves = protocol == "horizon" or sequences.baskets
        first = most // 2 if halves else most - int(HORIZON_PART * most)
        found = hold_out(sequences, protocol, rng, first)
        if protocol == "horizon":  # moments at which a session happens to run say nothing about arriving
            found = found.take(np.flatnonzero(~asked_in_session(sequences, found, gap)))
        if sequences.baskets:
            more = second_halves(sequences, found.training, gap, rng, most - first)
        elif protocol == "horizon":
            more = next_in_session(sequences, found.training, gap, rng, most - first)
        elif protocol == "temporal":
            more = _returns(sequences, found.training, gap, rng, most - first)
        else:
            more = _newest_sessions(sequences, gap, rng, most - first)
        joined = _joined(found, more)
        return cls(joined, asked_in_session(sequences, joined, gap))

    def of_users(self, askable: Bools | None) -> ScenarioQuestions:
        """Those of the users marked in bool[U] `askable`, where anybody is left; None: all users."""
        if askable is None or not (kept := askable[self.held_out.user]).any():
            return self
        return ScenarioQuestions(self.held_out.take(np.flatnonzero(kept)), self.in_session[kept])

    def of_scenario(self, scenario: Scenario) -> HoldOut:
        """The questions of one scenario; all of them where either has too few."""
        count = int(self.in_session.sum())
        if min(count, len(self.in_session) - count) < LEAST_QUESTIONS:
            return self.held_out
        chosen = self.in_session if scenario == "in_session" else ~self.in_session
        return self.held_out.take(np.flatnonzero(chosen))

    @property
    def shared(self) -> bool:
        """Whether both scenarios have the same questions."""
        return len(self.of_scenario("in_session")) == len(self.held_out)


def asked_in_session(sequences: Sequences, held_out: HoldOut, gap: int) -> Bools:
    """bool[Q], whether the newest event before each question is at most `gap` seconds old."""
    before = np.maximum(held_out.start - 1, 0)
    has_history = held_out.start > sequences.ptr[held_out.user]
    return np.asarray(has_history & (held_out.now - sequences.time[before] <= gap))


def second_halves(
    sequences: Sequences, training: Bools, gap: int, rng: np.random.Generator, most: int
) -> HoldOut:
    """Of sessions that are held out as a whole, one of each user."""
    starts = session_starts(sequences.ptr, sequences.time, gap)
    ends = np.append(starts[1:], len(sequences.time))
    fits = ~training[starts] & (ends - starts >= LEAST_BASKET) if len(starts) else np.zeros(0, np.bool_)
    chosen = rng.permutation(np.flatnonzero(fits))
    _, first = np.unique(sequences.user[starts[chosen]], return_index=True)
    chosen = np.sort(chosen[np.sort(first)[:most]])
    begin, end = starts[chosen], ends[chosen]
    return _questions(sequences, training, begin + (end - begin) // 2, end)


def next_in_session(
    sequences: Sequences, training: Bools, gap: int, rng: np.random.Generator, most: int
) -> HoldOut:
    """Seconds that are held out and follow within the gap."""
    time = sequences.time
    begins = begins_second(sequences)
    fits = begins & ~training
    fits[sequences.ptr[:-1][sequences.counts > 0]] = False
    fits[1:] &= np.diff(time) <= gap
    start = _some(np.flatnonzero(fits), most, rng)
    seconds = np.append(np.flatnonzero(begins), len(time))
    return _questions(sequences, training, start, seconds[np.searchsorted(seconds, start, side="right")])


def _returns(sequences: Sequences, training: Bools, gap: int, rng: np.random.Generator, most: int) -> HoldOut:
    """Everything that users do from their first session on that is held out, of those that were there
    before."""
    starts = session_starts(sequences.ptr, sequences.time, gap)
    starts = starts[~training[starts]]
    user = sequences.user[starts]
    starts = starts[np.append(True, user[1:] != user[:-1])[: len(starts)]]
    starts = starts[starts > sequences.ptr[sequences.user[starts]]]
    starts = _some(starts, most, rng)
    return _questions(sequences, training, starts, sequences.ptr[sequences.user[starts] + 1])


def _newest_sessions(sequences: Sequences, gap: int, rng: np.random.Generator, most: int) -> HoldOut:
    """Everything in the newest sessions of some users, which is held out; at most half of a history, and
    `MOST_HELD_OUT` of all events."""
    ptr = sequences.ptr
    starts = session_starts(ptr, sequences.time, gap)
    past = np.searchsorted(starts, ptr[1:])
    sessions = past - np.searchsorted(starts, ptr[:-1])
    users = np.flatnonzero(sessions >= 2)
    ahead = np.maximum((SESSIONS_AHEAD * sessions[users]).astype(np.int64), 1)
    start, end = starts[past[users] - ahead], ptr[users + 1]
    short = np.flatnonzero(end - start <= (end - ptr[users]) // 2)
    short = rng.permutation(short)[:most]
    short = np.sort(short[np.cumsum((end - start)[short]) <= MOST_HELD_OUT * len(sequences.time)])
    start, end = start[short], end[short]
    training = np.ones(len(sequences.time), dtype=np.bool_)
    change = np.zeros(len(training) + 1, dtype=np.int64)
    change[start] += 1
    change[end] -= 1
    training[np.cumsum(change[:-1]) > 0] = False
    return _questions(sequences, training, start, end)


def _questions(sequences: Sequences, training: Bools, start: Int64, end: Int64) -> HoldOut:
    """Questions asked when their first relevant event happened."""
    return HoldOut(training, sequences.user[start].astype(np.int32), start, end, sequences.time[start])


def _joined(one: HoldOut, other: HoldOut) -> HoldOut:
    """The questions of both; what either holds out does not train."""
    return replace(
        one,
        training=one.training & other.training,
        user=np.concatenate((one.user, other.user)),
        start=np.concatenate((one.start, other.start)),
        end=np.concatenate((one.end, other.end)),
        now=np.concatenate((one.now, other.now)),
    )


def _some(places: Int64, most: int, rng: np.random.Generator) -> Int64:
    return places if len(places) <= most else np.sort(rng.choice(places, most, replace=False))
