"""Weights of the rankers of the personal recipes, found on held-out questions: `weigh`, for each scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..algorithms.encoder import Encoder
from ..algorithms.fusion import Questions
from ..algorithms.item_attribute import ItemAttribute
from ..algorithms.sessions import session_gap
from ..datasets.protocols import ValidationProtocol, protocol_of
from ..datasets.scenarios import Scenario, ScenarioQuestions
from ..datasets.sequences import Bools, Sequences
from . import encoder_fit
from .base_rankers import NOTHING, base_rankers, online_rankers
from .cold_users import weigh_cold_users
from .encoder_fit import EncoderConfig
from .encoder_trial import TRIED_ABOVE, EncoderTrial
from .fusion.prior import prior_of, trust
from .fusion.weights import Weights, WeightSet
from .questions import ask
from .training import Training


def weigh(
    sequences: Sequences,
    recency: bool,
    training: Training,
    attributes: Sequence[ItemAttribute] = (),
    protocol: ValidationProtocol | None = None,
    config: EncoderConfig = EncoderConfig(),
    categories: Mapping[str, ItemAttribute] = NOTHING,
    askable: Bools | None = None,
    tried_above: int = TRIED_ABOVE,
) -> tuple[Weights, Encoder | None]:
    """Fit the rankers before a cut and find the weights that rank best what came after it.

    Args:
        sequences: the interactions. recency: whether recent popularity and freshness are on offer.
        training: how. attributes: of the items, for the encoder. categories: those by column, see `Taste`.
        protocol: how questions are found; None: as the data suggests. config: of the encoder.
        askable: bool[U], the users that are asked; None: all.
        tried_above: see `EncoderTrial`.

    Returns:
        The weights, and the encoder to go on from where one was fitted and is worth it.
    """
    rng = np.random.default_rng(training.seed)
    protocol = protocol or protocol_of(sequences)
    gap = session_gap(sequences.ptr, sequences.time)
    questions = ScenarioQuestions.of(sequences, protocol, gap, rng).of_users(askable)
    found = questions.held_out
    encoder_fit.check_weighing(sequences, protocol, attributes, training, config, len(found))
    learnt = sequences.where(found.training)
    rankers = base_rankers(learnt, sequences, protocol, recency, training, gap=gap, categories=categories)
    scenarios: tuple[Scenario, ...] = ("arriving",) if questions.shared else ("arriving", "in_session")
    parts = {one: questions.of_scenario(one) for one in scenarios}
    start, settled = None, {}
    if encoder_fit.worth_training(learnt, found):
        trial = EncoderTrial(sequences, learnt, parts, rankers, training, tried_above)
        trained = encoder_fit.train(sequences, found, learnt, protocol, attributes, training, config, trial)
        if trained.given_up:
            training.omit("encoder")
        else:
            start, settled = trained.encoder, encoder_fit.tuned_state(trained)
            rankers.insert(0, start)
        del trial, trained
    names = [ranker.name for ranker in rankers]
    users = [len(np.unique(one.user)) for one in parts.values()]
    asked = [ask(sequences, one, learnt, rankers, training, rng) for one in parts.values()]
    # What was fitted on a part of the data is not needed any more; the questions are the most there is now.
    del rankers, learnt
    sets: list[WeightSet] = []
    while asked:
        sets.append(_weight_set(names, asked.pop(0), users[len(sets)], training, len(sets), len(scenarios)))
    moving = online_rankers(sequences, training, None) if recency else []
    cold = weigh_cold_users(sequences, moving, training, rng, askable)
    return Weights(sets[0], sets[-1], gap, protocol, settled, cold), start


def _weight_set(
    names: Sequence[str], asked: Questions, users: int, training: Training, done: int, scenarios: int
) -> WeightSet:
    """The weights of one scenario, with questions of so many `users`: of `scenarios`, `done` were found."""
    prior, share = prior_of(names), trust(users)
    training.progress("weigh", 2 * done, 2 * scenarios, "weight sets")
    kept = asked.fit(False, training.check, training.threads, prior=prior, trust=share)
    training.progress("weigh", 2 * done + 1, 2 * scenarios, "weight sets")
    excluded = asked.fit(True, training.check, training.threads, kept.ends, prior, share)
    training.progress("weigh", 2 * done + 2, 2 * scenarios, "weight sets")
    return WeightSet(
        dict(zip(names, kept.weights, strict=True)),
        dict(zip(names, excluded.weights, strict=True)),
        kept.ndcg,
        excluded.ndcg,
        dict(zip(names, kept.alone, strict=True)),
        dict(zip(names, excluded.alone, strict=True)),
        len(asked),
    )
