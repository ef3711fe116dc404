"""The rankers of the personal recipes, fitted: `base_rankers` those that are counted or solved,
`online_rankers` those that go on learning from live events, `final_rankers` all that count in a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..algorithms.encoder import Encoder
from ..algorithms.freshness import AGE_SCALES, FirstSeen, Freshness
from ..algorithms.item_attribute import ItemAttribute
from ..algorithms.linear import Linear
from ..algorithms.neighbours import Neighbours
from ..algorithms.popularity import Popularity, item_popularity
from ..algorithms.ranker import BaseRanker, OnlineRanker
from ..algorithms.recent_popularity import HALF_LIVES, RecentPopularity, half_lives
from ..algorithms.repeat_consumption import PersonalFrequency, RepeatConsumption
from ..algorithms.returns import daily_shares, gaps_between
from ..algorithms.session_linear import SessionLinear
from ..algorithms.session_neighbours import SessionNeighbours
from ..algorithms.taste import Taste, telling
from ..algorithms.timeline import Timeline
from ..algorithms.transitions import Transitions
from ..datasets.protocols import ValidationProtocol
from ..datasets.sequences import Sequences
from . import encoder_fit
from .cold_users import attribute_ranker
from .fusion.weights import ATTRIBUTES, Weights
from .training import Training

MOST_LINEAR_ITEMS = 10_000
REPEAT_HORIZONS: dict[ValidationProtocol, int] = {"leave_last": 5, "temporal": 5, "horizon": 50}
PERSONAL_HALF_LIFE = 30 * 86_400
NOTHING: Mapping[str, ItemAttribute] = {}
"""No column is known."""


def final_rankers(
    learnt: Sequences,
    everything: Sequences,
    recency: bool,
    training: Training,
    attributes: Sequence[ItemAttribute],
    weights: Weights,
    start: Encoder | None,
    categories: Mapping[str, ItemAttribute] = NOTHING,
) -> list[BaseRanker]:
    """The rankers that count, fitted on all of `learnt`; see `base_rankers`."""
    protocol = weights.refit_protocol
    used = weights.used()
    gap = weights.session_gap
    rankers = base_rankers(
        learnt, everything, protocol, recency, training, gap=gap, categories=categories, only=used
    )
    if Encoder.kind in used:
        rankers.insert(0, encoder_fit.refit(learnt, protocol, attributes, training, weights.encoder, start))
    return rankers


def base_rankers(
    learnt: Sequences,
    everything: Sequences,
    protocol: ValidationProtocol,
    recency: bool,
    training: Training,
    *,
    gap: int,
    categories: Mapping[str, ItemAttribute] = NOTHING,
    only: set[str] | None = None,
) -> list[BaseRanker]:
    """Fit the rankers that are counted or solved, the most useful one first.

    Args:
        learnt: what they learn from.
        everything: what happened, for popularity at a moment: a question sees only what came before it.
        protocol: what repeats are counted for.
        recency: whether recent popularity and freshness are on offer.
        training: its moment; progress and stop.
        gap: seconds after which a session is over.
        categories: of the items, by column.
        only: fit only rankers of these names.
    """
    n, events = len(learnt.items), learnt.events
    users = item_popularity(learnt.ptr, learnt.item, n)[0]
    labels = list(categories)
    if only is None:
        labels = telling(categories, events, users, np.random.default_rng(training.seed))
    steps: list[tuple[str, Callable[[], BaseRanker | None]]] = [
        (Transitions.kind, lambda: Transitions.fit(events, check=training.check)),
        (SessionNeighbours.kind, lambda: SessionNeighbours.fit(events, gap, check=training.check)),
        (
            SessionLinear.kind,
            lambda: SessionLinear.fit(events, gap, check=training.check, threads=training.threads),
        ),
        (Linear.kind, lambda: Linear.fit(events, check=training.check, threads=training.threads))
        if n <= MOST_LINEAR_ITEMS
        else (Neighbours.kind, lambda: Neighbours.fit(events, check=training.check)),
        (Popularity.kind, lambda: Popularity(users)),
        (
            RepeatConsumption.kind,
            lambda: RepeatConsumption.fit(events, REPEAT_HORIZONS[protocol], categories),
        ),
        (PersonalFrequency.kind, lambda: PersonalFrequency(PERSONAL_HALF_LIFE, n)),
        *(
            (source, lambda source=source: attribute_ranker(learnt, source, training.check))
            for source in ATTRIBUTES
        ),
        *((f"{Taste.kind}-{one}", lambda one=one: Taste.fit(categories[one], one, users)) for one in labels),
    ]
    if recency:
        moving = online_rankers(everything, training, None if only is None else HALF_LIVES)
        steps += [(one.name, lambda one=one: one) for one in moving]  # type: ignore[misc]
    if only is None:
        only = {name for name, _ in steps if n <= MOST_LINEAR_ITEMS or name != SessionLinear.kind}
    chosen = [step for step in steps if step[0] in only]
    rankers = []
    for done, (_, fit) in enumerate(chosen):
        training.check()
        training.progress("fit", done, len(chosen), "rankers")
        ranker = fit()
        if ranker is not None:
            rankers.append(ranker)
    training.progress("fit", len(chosen), len(chosen), "rankers")
    return rankers


def online_rankers(
    sequences: Sequences, training: Training, offered: Sequence[int] | None, youngest: int | None = None
) -> list[OnlineRanker]:
    """Freshness from an age on, and popularity at a moment with these half-lives (None: what suits the
    events). Their clock ends with the last event: one from the future would fade all the others away."""
    times, n = sequences.time, len(sequences.items)
    if len(times) and int(times.max()) > training.moment:
        late = times > training.moment
        times = np.where(late, times[~late].max(initial=0), times)
    gap = gaps_between(sequences.ptr, sequences.item, times)
    weight = sequences.weight * daily_shares(sequences.ptr, times, gap)
    timeline = Timeline.of(sequences.item, times, weight, gap)
    first_seen_at = FirstSeen.of(timeline, n)
    first_seen_at = first_seen_at if youngest is None else replace(first_seen_at, youngest=youngest)
    offered = half_lives(timeline.time) if offered is None else offered
    recents = [RecentPopularity(half_life, n, timeline) for half_life in offered]
    return [*recents, *(Freshness(span, first_seen_at) for span in AGE_SCALES)]
