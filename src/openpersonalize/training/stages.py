"""Stages of a training and about how long each takes, for the bar that its owner sees: `training_stages`.

The seconds are those of two ordinary cores, by the size of the data; the pace of what is done already
corrects them (`engine.timetable`), so that only their proportions matter for long.
"""

from __future__ import annotations

from ..algorithms.encoder_plan import plan_for
from ..datasets.protocols import protocol_of
from ..datasets.sequences import Sequences
from ..engine.timetable import ANY
from ..recipes.encoder_fit import LEAST_EVENTS
from ..recipes.recipe import Recipe
from ..recipes.training import TrainingData
from ..recipes.user_personalization import UserPersonalization

Stages = list[tuple[str, float]]

EVENTS_A_SECOND = 60_000
"""Inputs that the encoder takes in a second."""
QUESTIONS = 2_000


def training_stages(recipe: Recipe, data: TrainingData) -> Stages:
    """The stages of `fit.train`, and the publication after it."""
    if data.interactions is None:
        return [(ANY, 1.0 + 1e-5 * len(data.ranked.ids)), *_publish(data)]
    sequences = data.interactions
    return [
        *_fit(recipe, sequences), *_measure(sequences), *_again(recipe, sequences), *_publish(data)
    ]  # fmt: skip


def comparison_stages(recipe: Recipe, data: TrainingData) -> Stages:
    """The stages of one fit that is only measured."""
    if data.interactions is None:
        return [(ANY, 1.0)]
    return [*_fit(recipe, data.interactions), *_measure(data.interactions)]


def update_stages(data: TrainingData) -> Stages:
    """The stages of bringing a model up to date."""
    events = 0 if data.interactions is None else len(data.interactions.item)
    return [(ANY, 2.0 + 2e-5 * events), *_publish(data)]


def _fit(recipe: Recipe, sequences: Sequences) -> Stages:
    """A first fit: rankers, encoder, questions, weights, and the rankers again on what is measured."""
    events, items = len(sequences.item), len(sequences.items)
    if not isinstance(recipe, UserPersonalization):
        return [(ANY, 1.0 + 1e-5 * events)]
    counted = ("fit", 0.5 + 4e-6 * events)
    asked = QUESTIONS * 1e-3 + QUESTIONS * items * 1e-7
    encoder, again = _encoder(sequences)
    weighed: Stages = [("ask", asked), ("weigh", 2.0 + 1.5 * asked)]
    return [
        counted, *([("encoder", encoder)] if encoder else []), *weighed,
        counted, *([("encoder", again)] if encoder else []),
    ]  # fmt: skip


def _again(recipe: Recipe, sequences: Sequences) -> Stages:
    """The last fit, on everything."""
    if not isinstance(recipe, UserPersonalization):
        return [(ANY, 1.0 + 1e-5 * len(sequences.item))]
    _, again = _encoder(sequences)
    last: Stages = [("encoder", again)] if again else []
    return [("fit", 0.5 + 4e-6 * len(sequences.item)), *last]


def _encoder(sequences: Sequences) -> tuple[float, float]:
    """Seconds of a training of the encoder from nothing, and of one that goes on; 0: there is too little to
    learn from."""
    events = len(sequences.item)
    if events < LEAST_EVENTS:
        return 0.0, 0.0
    plan = plan_for(sequences.events, protocol_of(sequences) == "horizon")
    seconds = events / EVENTS_A_SECOND
    return plan.passes * seconds, plan.again(plan.passes).passes * seconds


def _measure(sequences: Sequences) -> Stages:
    return [("measure", 0.5 + 1e-3 * min(len(sequences.users), QUESTIONS))]


def _publish(data: TrainingData) -> Stages:
    return [("publish", 0.5 + 2e-6 * len(data.ranked.ids))]
