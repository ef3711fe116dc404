"""aws-user-personalization and aws-user-personalization-v2: what one user will want next.

A sequence encoder leads cheap rankers (transitions, item-item model, popularity at the moment, the user's own
repeats); all are weighed on held-out events of users, then fitted again on everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..algorithms.encoder import Encoder
from ..algorithms.freshness import AGE_SCALES, FirstSeen, Freshness
from ..algorithms.fusion import Questions
from ..algorithms.item_attribute import ItemAttribute
from ..algorithms.linear import Linear
from ..algorithms.neighbours import Neighbours
from ..algorithms.popularity import Popularity, item_popularity
from ..algorithms.ranker import BaseRanker, OnlineRanker
from ..algorithms.recent_popularity import HALF_LIVES, RecentPopularity, half_lives
from ..algorithms.repeat_consumption import PersonalFrequency, RepeatConsumption
from ..algorithms.timeline import Timeline
from ..algorithms.transitions import Transitions
from ..datasets.holdout import HoldOut
from ..datasets.protocols import ValidationProtocol, first_seen, hold_out, protocol_of
from ..datasets.schemas import MAX_TIMESTAMP
from ..datasets.sequences import Sequences
from ..errors import CannotUpdate
from ..storage.idtable import IdTable
from . import encoder_fit
from .cold_users import attribute_ranker, weigh_cold_users
from .encoder_fit import EncoderConfig
from .fusion.cold_items import fit_content
from .fusion.model import FusedModel
from .fusion.weights import ATTRIBUTES, Weights
from .incremental import Earlier, attributes_of, carried_over
from .indexing import INDEX_ABOVE, index
from .item_counts import ItemCounts
from .item_vocabulary import ItemVocabulary
from .model import Model
from .objective import ItemRewards
from .questions import held_out_question
from .recipe import Recipe
from .selection import without_extreme_users
from .training import Configuration, Training, TrainingData

MOST_LINEAR_ITEMS = 10_000
REPEAT_HORIZONS: dict[ValidationProtocol, int] = {"leave_last": 5, "temporal": 5, "horizon": 50}
PERSONAL_HALF_LIFE = 30 * 86_400


class UserPersonalization(Recipe):
    """Rankers weighed on validation."""

    api: ClassVar[int] = 1
    index_above: ClassVar[int] = INDEX_ABOVE
    """Items with interactions above which the catalogue gets an index."""

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> FusedModel:
        """Weigh the rankers on a cut of the data, unless `training.warm_state` has the weights; then fit on
        all of it.

        Memory beyond the data: the questions (rankers * 2,000 * 2,048 * 4 bytes at most), and what the
        largest ranker needs while it is fitted.
        """
        sequences = without_extreme_users(data.sequences, configuration)
        recency = bool(
            configuration.parameters.get(
                "recency_mask", configuration.parameters.get("apply_recency_bias", True)
            )
        )
        tuned = training.warm_state.get("weights")
        vocabulary = ItemVocabulary.fit(data.ranked.records, data.ranked.textual)
        attributes = vocabulary.attributes
        if tuned:
            weights, start = Weights.of(tuned), _encoder_of(training.warm_model)
        else:
            config = EncoderConfig.of(self.facts, configuration.parameters)
            weights, start = weigh(sequences, recency, training, attributes, config=config)
        rankers = final_rankers(sequences, sequences, recency, training, attributes, weights, start)
        return self._made(data, sequences, configuration, training, rankers, weights, vocabulary)

    def update(
        self, data: TrainingData, configuration: Configuration, training: Training, earlier: Earlier
    ) -> FusedModel:
        """See `Updates.update`. The weights, the item-item model and the vocabulary of the items stay; the
        encoder takes in what is new; what is counted is counted anew, about a second per million events.
        """
        model = earlier.model
        if not isinstance(model, FusedModel):
            raise CannotUpdate(f"it is not a model of {self.name}")
        sequences = without_extreme_users(data.sequences, configuration)
        weights, used = model.weights, model.weights.used()
        protocol = weights.refit_protocol
        before = earlier.numbers(sequences.items)
        counted = used - {Linear.kind, Neighbours.kind, Encoder.kind}
        rankers = base_rankers(sequences, sequences, protocol, False, training, only=counted)
        lasting = [one for one in model.rankers if one.name in used]
        rankers += [
            type(one)(one.rows.renumbered(before)) for one in lasting if isinstance(one, Linear | Neighbours)
        ]
        # The weights hold for the ages that they were fitted with.
        youngest = next((one.youngest for one in lasting if isinstance(one, Freshness)), None)
        moving = online_rankers(sequences, training, HALF_LIVES, youngest)
        rankers += [one for one in moving if one.name in used]
        vocabulary = model.vocabulary
        if Encoder.kind in used:
            attributes = attributes_of(model.encoder, vocabulary, data)
            start = carried_over(model.encoder, before, attributes, earlier.event_types, sequences)
            fresh = earlier.fresh(sequences)
            training.line(f"{int(fresh.sum()):,} interactions are new.")
            rankers.insert(0, encoder_fit.fine_tune(sequences, fresh, protocol, attributes, training, start))
        return self._made(data, sequences, configuration, training, rankers, weights, vocabulary)

    def _made(
        self,
        data: TrainingData,
        sequences: Sequences,
        configuration: Configuration,
        training: Training,
        rankers: Sequence[BaseRanker],
        weights: Weights,
        vocabulary: ItemVocabulary | None,
    ) -> FusedModel:
        """The model of these rankers, with an index where that pays; an objective needs the scores of all."""
        model = FusedModel(
            sequences.items,
            ItemCounts.of(sequences),
            rankers,
            weights,
            ItemRewards.of(data.ranked.records, configuration.objective),
            since_the_last(sequences, training.moment),
            vocabulary,
            content=fit_content(data, sequences, vocabulary, training),
        )
        if model.rewards is None:
            index(model, sequences, training, self.index_above)
        return model

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> FusedModel:
        """Open a saved model."""
        return FusedModel.load(folder, ids, counts)


def since_the_last(sequences: Sequences, moment: int) -> int:
    """Seconds from the newest event to `moment`, events that claim to be later left aside; 0 where the moment
    is unknown."""
    if moment == MAX_TIMESTAMP:
        return 0
    return moment - int(sequences.time[sequences.time <= moment].max(initial=0)) if len(sequences.time) else 0


def _encoder_of(model: Model | None) -> Encoder | None:
    return model.encoder if isinstance(model, FusedModel) else None


def weigh(
    sequences: Sequences,
    recency: bool,
    training: Training,
    attributes: Sequence[ItemAttribute] = (),
    protocol: ValidationProtocol | None = None,
    config: EncoderConfig = EncoderConfig(),
) -> tuple[Weights, Encoder | None]:
    """Fit the rankers before a cut and find the weights that rank best what came after it.

    Returns:
        The weights, and the encoder to go on from where one was fitted.
    """
    rng = np.random.default_rng(training.seed)
    protocol = protocol or protocol_of(sequences)
    found = hold_out(sequences, protocol, rng)
    encoder_fit.check_weighing(sequences, protocol, attributes, training, config, len(found.user))
    learnt = sequences.where(found.training)
    rankers = base_rankers(learnt, sequences, protocol, recency, training)
    start, settled = None, {}
    if encoder_fit.worth_training(learnt, found):
        trained = encoder_fit.train(sequences, found, learnt, protocol, attributes, training, config)
        start, settled = trained.encoder, encoder_fit.tuned_state(trained)
        rankers.insert(0, start)
    asked = ask(sequences, found, learnt, rankers, training, rng)
    names = [ranker.name for ranker in rankers]
    # What was fitted on a part of the data is not needed any more; the questions are the most there is now.
    del rankers, learnt
    training.progress("weigh", 0, 2, "weight sets")
    kept = asked.fit(False, training.check, training.threads)
    training.progress("weigh", 1, 2, "weight sets")
    excluded = asked.fit(True, training.check, training.threads)
    training.progress("weigh", 2, 2, "weight sets")
    count = len(asked)
    del asked
    moving = online_rankers(sequences, training, None) if recency else []
    cold = weigh_cold_users(sequences, moving, training, rng)
    weights = Weights(
        dict(zip(names, kept.weights, strict=True)),
        dict(zip(names, excluded.weights, strict=True)),
        kept.ndcg,
        excluded.ndcg,
        dict(zip(names, kept.alone, strict=True)),
        dict(zip(names, excluded.alone, strict=True)),
        count,
        protocol,
        settled,
        cold,
    )
    return weights, start


def final_rankers(
    learnt: Sequences,
    everything: Sequences,
    recency: bool,
    training: Training,
    attributes: Sequence[ItemAttribute],
    weights: Weights,
    start: Encoder | None,
) -> list[BaseRanker]:
    """The rankers that count, fitted on all of `learnt`; see `base_rankers`."""
    protocol = weights.refit_protocol
    used = weights.used()
    rankers = base_rankers(learnt, everything, protocol, recency, training, only=used)
    if Encoder.kind in used:
        rankers.insert(0, encoder_fit.refit(learnt, protocol, attributes, training, weights.encoder, start))
    return rankers


def ask(
    sequences: Sequences,
    found: HoldOut,
    learnt: Sequences,
    rankers: list[BaseRanker],
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


def base_rankers(
    learnt: Sequences,
    everything: Sequences,
    protocol: ValidationProtocol,
    recency: bool,
    training: Training,
    only: set[str] | None = None,
) -> list[BaseRanker]:
    """Fit the rankers that are counted or solved, the most useful one first.

    Args:
        learnt: what they learn from.
        everything: what happened, for popularity at a moment: a question sees only what came before it.
        aim: what repeats are counted for.
        recency: whether recent popularity and freshness are on offer.
        training: its moment; progress and stop.
        only: fit only rankers of these names.
    """
    n, events = len(learnt.items), learnt.events
    steps: list[tuple[str, Callable[[], BaseRanker | None]]] = [
        (Transitions.kind, lambda: Transitions.fit(events, check=training.check)),
        (Linear.kind, lambda: Linear.fit(events, check=training.check))
        if n <= MOST_LINEAR_ITEMS
        else (Neighbours.kind, lambda: Neighbours.fit(events, check=training.check)),
        (Popularity.kind, lambda: Popularity(item_popularity(learnt.ptr, learnt.item, n)[0])),
        (RepeatConsumption.kind, lambda: RepeatConsumption.fit(events, REPEAT_HORIZONS[protocol])),
        (PersonalFrequency.kind, lambda: PersonalFrequency(PERSONAL_HALF_LIFE, n)),
        *(
            (source, lambda source=source: attribute_ranker(learnt, source, training.check))
            for source in ATTRIBUTES
        ),
    ]
    if recency:
        moving = online_rankers(everything, training, None if only is None else HALF_LIVES)
        steps += [(one.name, lambda one=one: one) for one in moving]  # type: ignore[misc]
    chosen = [step for step in steps if only is None or step[0] in only]
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
    timeline = Timeline.of(sequences.item, times, sequences.weight)
    first_seen_at = FirstSeen.of(timeline, n)
    first_seen_at = first_seen_at if youngest is None else replace(first_seen_at, youngest=youngest)
    offered = half_lives(timeline.time) if offered is None else offered
    recents = [RecentPopularity(half_life, n, timeline) for half_life in offered]
    return [*recents, *(Freshness(span, first_seen_at) for span in AGE_SCALES)]
