"""aws-user-personalization and aws-user-personalization-v2: what one user will want next.

A sequence encoder leads cheap rankers (transitions, neighbours within sessions, item-item model, popularity
at the moment, the user's own repeats); all are weighed on held-out events of users, for those who are there
and for those who arrive, then fitted again on everything. An encoder that adds nothing to the others is left
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..algorithms.encoder import Encoder
from ..algorithms.encoder_plan import rounded_width
from ..algorithms.freshness import Freshness
from ..algorithms.linear import Linear
from ..algorithms.neighbours import Neighbours
from ..algorithms.ranker import BaseRanker
from ..algorithms.recent_popularity import HALF_LIVES
from ..datasets.schemas import MAX_TIMESTAMP
from ..datasets.sequences import Sequences
from ..errors import CannotUpdate
from ..storage.idtable import IdTable
from . import encoder_fit
from .base_rankers import base_rankers, final_rankers, online_rankers
from .encoder_fit import EncoderConfig
from .encoder_trial import TRIED_ABOVE
from .facts import Value
from .fusion.cold_items import fit_content
from .fusion.model import FusedModel
from .fusion.weights import Weights
from .incremental import Earlier, attributes_of, carried_over
from .indexing import INDEX_ABOVE, index
from .item_counts import ItemCounts
from .item_vocabulary import ItemVocabulary
from .model import Model
from .objective import ItemRewards
from .recipe import Recipe
from .selection import Usual, without_extreme_users
from .training import Configuration, Training, TrainingData
from .weighing import weigh


class UserPersonalization(Recipe):
    """Rankers weighed on validation."""

    api: ClassVar[int] = 1
    index_above: ClassVar[int] = INDEX_ABOVE
    """Items with interactions above which the catalogue gets an index."""
    tried_above: ClassVar[int] = TRIED_ABOVE
    """Inputs of a training of the encoder above which there is a trial, see `EncoderTrial`."""

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> FusedModel:
        """Weigh the rankers on a cut of the data, unless `training.warm_state` has the weights; then fit on
        all of it.

        Memory beyond the data: the questions (rankers * 2,000 * 2,048 * 4 bytes at most), and what the
        largest ranker needs while it is fitted.
        """
        usual = _learned_from(data, configuration, training)
        sequences = usual.sequences
        recency = bool(
            configuration.parameters.get(
                "recency_mask", configuration.parameters.get("apply_recency_bias", True)
            )
        )
        tuned = training.warm_state.get("weights")
        vocabulary = ItemVocabulary.fit(data.ranked.records, data.ranked.textual)
        attributes = vocabulary.attributes
        categories = vocabulary.categories_of(data.ranked.records)
        if tuned:
            weights, start = Weights.of(tuned), _encoder_of(training.warm_model)
        else:
            config = EncoderConfig.of(self.facts, configuration.parameters)
            weights, start = weigh(
                sequences,
                recency,
                training,
                attributes,
                config=config,
                categories=categories,
                askable=usual.askable,
                tried_above=self.tried_above,
            )
        rankers = final_rankers(
            sequences, sequences, recency, training, attributes, weights, start, categories
        )
        return self._made(data, sequences, configuration, training, rankers, weights, vocabulary)

    def canonical(self, parameters: Mapping[str, Value], events: int) -> Mapping[str, Value]:
        """See `Canonical.canonical`: without an encoder its shape means nothing, and widths are rounded."""
        config = EncoderConfig.of(self.facts, parameters)
        shape = {"hidden_dimension": rounded_width(config.width), "bptt": config.span or 0}
        if events < encoder_fit.LEAST_EVENTS:
            shape = dict.fromkeys(shape, 0)
        return {**parameters, **{name: value for name, value in shape.items() if name in parameters}}

    def update(
        self, data: TrainingData, configuration: Configuration, training: Training, earlier: Earlier
    ) -> FusedModel:
        """See `Updates.update`. The weights, the item-item model and the vocabulary of the items stay; the
        encoder takes in what is new; what is counted is counted anew, about a second per million events.
        """
        model = earlier.model
        if not isinstance(model, FusedModel):
            raise CannotUpdate(f"it is not a model of {self.name}")
        sequences = _learned_from(data, configuration, training).sequences
        weights, used = model.weights, model.weights.used()
        protocol = weights.refit_protocol
        before = earlier.numbers(sequences.items)
        counted = used - {Linear.kind, Neighbours.kind, Encoder.kind}
        vocabulary = model.vocabulary
        known = {} if vocabulary is None else vocabulary.categories_of(data.ranked.records)
        gap = weights.session_gap
        rankers = base_rankers(
            sequences, sequences, protocol, False, training, gap=gap, categories=known, only=counted
        )
        lasting = [one for one in model.rankers if one.name in used]
        rankers += [
            type(one)(one.rows.renumbered(before)) for one in lasting if isinstance(one, Linear | Neighbours)
        ]
        # The weights hold for the ages that they were fitted with.
        youngest = next((one.youngest for one in lasting if isinstance(one, Freshness)), None)
        moving = online_rankers(sequences, training, HALF_LIVES, youngest)
        rankers += [one for one in moving if one.name in used]
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


def _learned_from(data: TrainingData, configuration: Configuration, training: Training) -> Usual:
    """The interactions that train; those of baskets in an order that says nothing."""
    sequences = without_extreme_users(data.sequences, configuration)
    return Usual.of(sequences.without_order_in_baskets(np.random.default_rng(training.seed)))


def since_the_last(sequences: Sequences, moment: int) -> int:
    """Seconds from the newest event to `moment`, events that claim to be later left aside; 0 where the moment
    is unknown."""
    if moment == MAX_TIMESTAMP:
        return 0
    return moment - int(sequences.time[sequences.time <= moment].max(initial=0)) if len(sequences.time) else 0


def _encoder_of(model: Model | None) -> Encoder | None:
    return model.encoder if isinstance(model, FusedModel) else None
