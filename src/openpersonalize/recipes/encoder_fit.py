"""Training of the sequence encoder of the personal recipes (`train`, `refit`, `fine_tune`): whether it is
worth it, with which configuration, and when to stop.

Weighing trains it from nothing on the data before the hold-out, with early stopping on held-out questions:
of its own quality, and of what it adds to the other rankers (`EncoderTrial`).
Every later fit (on all of that data, and on that of everybody) goes on from those weights: with a third of
the passes (of baskets a sixth), or with all of them where much has come that those weights have not seen. An
encoder that weighs nothing is not fitted again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..algorithms.arrays import Bools, Int64
from ..algorithms.encoder import Encoder
from ..algorithms.encoder_plan import Plan, memory_needed, plan_for
from ..algorithms.events import Events
from ..algorithms.item_attribute import ItemAttribute, codes_of
from ..algorithms.item_counts import item_counts
from ..algorithms.sessions import are_baskets
from ..algorithms.windows import Windows, cut_windows, windows_of_news
from ..datasets.holdout import HoldOut
from ..datasets.protocols import ValidationProtocol
from ..datasets.sequences import Sequences
from ..errors import JobFailed
from .encoder_trial import QUESTIONS, EncoderTrial, long_enough
from .facts import Facts, Value
from .memory import free_memory, training_memory
from .questions import Question, held_out_question
from .training import Training

if TYPE_CHECKING:
    from ..algorithms.encoder_training import TrainedEncoder

LEAST_EVENTS = 10_000
"""Events below which it is not trained: on less, its noise weighs more than the order it finds."""
VALIDATION_QUESTIONS = 800
"""Most questions that tell when to stop."""
VALIDATION_BATCH = 64
"""Most questions answered together."""
SCORE_BYTES = 16 * 2**20
"""Bytes of scores that are held at once."""
ID_BLOCK = 65_536
"""Items looked at together."""
TRAINING_SHARE = 0.7
"""Share of the budget for the training from nothing; the rest is for the refit."""
UNSEEN_SHARE = 0.02
"""Share of the events that are about items unknown to earlier weights, above which the data is not nearly the
same any more. Where items come and go the newest are what is asked for, and a third of the passes at a third
of the rate hardly moves them: on an intranet feed (0.12 unknown) and on news (0.08) that cost half of the
encoder, on a shop (0.004) nothing."""


@dataclass(frozen=True)
class EncoderConfig:
    """What a configuration wants the encoder to be; None: chosen by the size of the data.

    Attributes:
        width: of an item's vector (``hidden_dimension``).
        span: events of a history that it looks back over (``bptt``): as many steps gradients flow through.
    """

    width: int | None = None
    span: int | None = None

    @classmethod
    def of(cls, recipe: Facts, parameters: Mapping[str, Value]) -> EncoderConfig:
        """What these hyperparameters ask for. A value that is the recipe's default asks for nothing."""
        wanted = {
            row.name: int(parameters[row.name])
            for row in recipe.hyperparameters
            if row.name in ("hidden_dimension", "bptt")
            and parameters.get(row.name, row.default) != row.default
        }
        return cls(wanted.get("hidden_dimension"), wanted.get("bptt"))


def worth_training(learnt: Sequences, held_out: HoldOut) -> bool:
    """Whether there is enough to learn from, and somebody to ask."""
    return len(learnt.item) >= LEAST_EVENTS and len(held_out) > 0 and bool((learnt.counts > 1).any())


def tuned_state(trained: TrainedEncoder) -> dict[str, float]:
    """What the training from nothing found out for the later ones: passes and shape."""
    shape = trained.encoder.shape
    return {"passes": round(trained.passes, 3), "d": shape.d, "longest": shape.longest}


def train(
    sequences: Sequences,
    held_out: HoldOut,
    learnt: Sequences,
    protocol: ValidationProtocol,
    attributes: Sequence[ItemAttribute],
    training: Training,
    config: EncoderConfig = EncoderConfig(),
    trial: EncoderTrial | None = None,
) -> TrainedEncoder:
    """Train from nothing on `learnt`, the part of `sequences` that the hold-out leaves, with early stopping;
    a `trial` may end it at the first validation."""
    events = learnt.events
    chosen = np.arange(len(held_out))
    if len(chosen) > VALIDATION_QUESTIONS:
        rng = np.random.default_rng(training.seed)
        chosen = np.sort(rng.choice(chosen, VALIDATION_QUESTIONS, replace=False))
    validation = ValidationSet(
        [held_out_question(sequences, held_out, int(k)) for k in chosen], item_counts(learnt.item, events.n)
    )
    plan = plan_for(events, protocol == "horizon", width=config.width, span=config.span)
    validate = validation.value if validation.questions else None
    promising = trial.promising if trial is not None and trial.fits(plan) else None
    return _fit(events, attributes, plan, training, TRAINING_SHARE, validate=validate, promising=promising)


class ValidationSet:
    """Held-out questions that tell when an encoder is at its best."""

    def __init__(self, questions: Sequence[Question], interactions: Int64) -> None:
        """`interactions`: int64[n], events of each item in the training part: others are not asked about."""
        self.known = np.flatnonzero(interactions)
        place = np.full(len(interactions), -1)
        place[self.known] = np.arange(len(self.known))
        self.questions = []
        for query, relevant, gain in questions:
            some = np.flatnonzero(interactions[relevant])
            if len(some):
                self.questions.append((query, place[relevant[some]], gain[some]))

    def value(self, encoder: Encoder) -> float:
        """NDCG@10 + NDCG@100 / 2, as the fusion is weighed by: the longer list is less a matter of chance."""
        items = encoder.items if len(self.known) == len(encoder.items) else encoder.items[self.known]
        total = 0.0
        together = min(VALIDATION_BATCH, max(1, SCORE_BYTES // (4 * max(len(items), 1))))
        for start in range(0, len(self.questions), together):
            some = self.questions[start : start + together]
            vectors = np.stack([encoder.encode(one.item, one.time, one.event) for one, _, _ in some])
            for scores, (_, relevant, gain) in zip(vectors @ items.T, some, strict=True):
                rank = (scores[None, :] > scores[relevant, None]).sum(axis=1)
                for length, share in ((10, 1.0), (100, 0.5)):
                    ideal = np.sort(gain)[::-1][:length] / np.log2(np.arange(min(len(gain), length)) + 2.0)
                    reached = (gain / np.log2(rank + 2.0))[rank < length].sum()
                    total += share * float(reached) / max(float(ideal.sum()), 1e-9)
        return total / max(len(self.questions), 1)


def refit(
    sequences: Sequences,
    protocol: ValidationProtocol,
    attributes: Sequence[ItemAttribute],
    training: Training,
    tuned: Mapping[str, Any],
    start: Encoder | None,
) -> Encoder:
    """Fit on all of `sequences`: on from `start`, or without one from nothing, with the passes of `tuned`
    (see `tuned_state`), or a part of them where `start` has seen nearly all of it."""
    events = sequences.events
    width, span = (int(tuned[name]) if name in tuned else None for name in ("d", "longest"))
    plan = plan_for(events, protocol == "horizon", width=width, span=span)
    plan = replace(plan, passes=float(tuned["passes"]))
    if start is not None and start.trained is not None:
        plan = replace(plan, shape=start.shape)
        if _unseen_share(events, start) < UNSEEN_SHARE:
            plan = plan.again(plan.passes)
    else:
        start = None
    return _fit(events, attributes, plan, training, 1 - TRAINING_SHARE, start).encoder


def _unseen_share(events: Events, start: Encoder) -> float:
    """The share of the events that are about items of which `start` has seen none."""
    assert start.trained is not None
    ids = start.trained["ids"]
    blocks = range(0, len(ids), ID_BLOCK)
    seen = np.concatenate([ids[begin : begin + ID_BLOCK].any(axis=1) for begin in blocks])
    return 1 - float(item_counts(events.item, events.n)[seen].sum()) / max(len(events.item), 1)


@dataclass(frozen=True)
class FineTuning:
    """What a fine-tuning goes over: the windows that hold new events and as many others; how; and the items,
    bool[n], that only new events are about: they move further than the rest."""

    windows: Windows
    plan: Plan
    unseen: Bools

    @classmethod
    def of(
        cls, sequences: Sequences, fresh: Bools, protocol: ValidationProtocol, seed: int, start: Encoder
    ) -> FineTuning:
        """For the events marked in bool[N] `fresh`, on from `start`."""
        events = sequences.events
        rng = np.random.default_rng(seed)
        windows = windows_of_news(cut_windows(events.ptr, start.shape.longest), fresh, rng)
        plan = replace(plan_for(events, protocol == "horizon"), shape=start.shape)
        unseen = item_counts(events.item, events.n) == item_counts(events.item[fresh], events.n)
        return cls(windows, plan.onward(int(windows.length.sum())), unseen)


def fine_tune(
    sequences: Sequences,
    fresh: Bools,
    protocol: ValidationProtocol,
    attributes: Sequence[ItemAttribute],
    training: Training,
    start: Encoder,
) -> Encoder:
    """Go on from `start` with the events marked in bool[N] `fresh`: see `FineTuning`."""
    tuning = FineTuning.of(sequences, fresh, protocol, training.seed, start)
    events = sequences.events
    return _fit(
        events, attributes, tuning.plan, training, 1.0, start, windows=tuning.windows, unseen=tuning.unseen
    ).encoder


def _fit(
    events: Events,
    attributes: Sequence[ItemAttribute],
    plan: Plan,
    training: Training,
    share: float,
    start: Encoder | None = None,
    *,
    validate: Callable[[Encoder], float] | None = None,
    promising: Callable[[Encoder], bool] | None = None,
    windows: Windows | None = None,
    unseen: Bools | None = None,
) -> TrainedEncoder:
    check_memory(plan, events.n, attributes, training)
    # Torch is loaded where something is trained, and nowhere else.
    from ..algorithms.encoder_training import fit_encoder

    budget = math.inf if training.budget_seconds is None else share * training.budget_seconds
    return fit_encoder(
        events,
        attributes,
        plan,
        seed=training.seed,
        threads=training.threads,
        start=start,
        windows=windows,
        unseen=unseen,
        unordered=are_baskets(events.ptr, events.item, events.time),
        validate=validate,
        promising=promising,
        budget_seconds=budget,
        progress=lambda done, total: training.progress("encoder", done, total, "steps"),
        line=training.line,
        check=training.check,
    )


def check_weighing(
    sequences: Sequences,
    protocol: ValidationProtocol,
    attributes: Sequence[ItemAttribute],
    training: Training,
    config: EncoderConfig,
    questions: int,
) -> None:
    """Refuse at once to weigh rankers on what does not fit into memory.

    Raises:
        JobFailed: it needs more memory than there is.
    """
    plan, tried = None, 0
    if len(sequences.item) >= LEAST_EVENTS:
        plan = plan_for(sequences.events, protocol == "horizon", width=config.width, span=config.span)
        tried = min(questions, QUESTIONS) if long_enough(plan, len(sequences.item)) else 0
    needed = training_memory(sequences, plan, attributes, questions, training.threads, tried=tried)
    _refuse(needed, len(sequences.items), training)


def check_memory(plan: Plan, n: int, attributes: Sequence[ItemAttribute], training: Training) -> None:
    """Refuse at once to fit an encoder that does not fit into memory.

    Raises:
        JobFailed: it needs more memory than there is.
    """
    needed = memory_needed(plan, n, sum(one.size for one in attributes), sum(map(codes_of, attributes)))
    _refuse(needed, n, training)


def _refuse(needed: int, n: int, training: Training) -> None:
    free = training.memory_bytes if training.memory_bytes is not None else free_memory()
    if free is not None and needed > free:
        raise JobFailed(
            f"Training needs about {needed / 1e9:.1f} GB of memory for {n:,} items, and "
            f"{free / 1e9:.1f} GB are free: train on a machine with more memory, or delete items "
            "that nobody needs any more from the Items dataset, and old "
            "interactions from the Interactions dataset."
        )
