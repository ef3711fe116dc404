"""The lead ranker of the personal recipes: when, how and how long the sequence encoder is fitted.

Weighing fits it from nothing on the data before the cut, and stops when held-out questions bring nothing
more. Every later fit (on all of that data, and on that of everybody) goes on from those weights: with a third
of the passes, or with all of them where much has come that those weights have not met. What weighs nothing is
not fitted again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int32, Int64
from ..algorithms.encoder import Encoder
from ..algorithms.encoder_plan import Plan, memory_needed, plan_for
from ..algorithms.events import Events
from ..algorithms.item_attribute import ItemAttribute, codes_of
from ..algorithms.item_counts import item_counts
from ..algorithms.windows import Windows, cut_windows, windows_of_news
from ..datasets.sequences import Sequences
from ..errors import JobFailed
from .facts import Facts, Value
from .memory import free_memory, training_memory
from .query import Query
from .training import Training
from .validation import Aim, Cut, question

if TYPE_CHECKING:
    from ..algorithms.encoder_training import TrainedEncoder

LEAST_EVENTS = 10_000
"""Events below which it is not fitted: on less, its noise weighs more than the order it finds."""
QUESTIONS = 800
_TOGETHER = 64
_BLOCK = 65_536
_SCORES = 16 * 2**20
"""Bytes of scores that are held at once."""
WEIGHING = 0.7
"""Share of the budget for the fit from nothing; the rest is for going on."""
MOVED_ON = 0.02
"""Share of the events that are about items unknown to earlier weights, above which the data is not nearly the
same any more. Where items come and go the newest are what is asked for, and a third of the passes at a third
of the rate hardly moves them: on an intranet feed (0.12 unknown) and on news (0.08) that cost half of the
encoder, on a shop (0.004) nothing."""


def offered(sequences: Sequences, found: Cut) -> bool:
    """Whether there is enough to learn from, and somebody to ask."""
    return len(sequences.item) >= LEAST_EVENTS and len(found.user) > 0 and bool((sequences.counts > 1).any())


@dataclass(frozen=True)
class Form:
    """What a configuration wants the encoder to be; None: chosen by the size of the data.

    Attributes:
        width: of an item's vector (``hidden_dimension``).
        span: events of a history that it looks back over (``bptt``): as many steps gradients flow through.
    """

    width: int | None = None
    span: int | None = None


def form_of(recipe: Facts, parameters: Mapping[str, Value]) -> Form:
    """The form that a configuration asks for. A value that is the recipe's default asks for nothing."""
    set_ = {
        row.name: int(parameters[row.name])
        for row in recipe.hyperparameters
        if row.name in ("hidden_dimension", "bptt") and parameters.get(row.name, row.default) != row.default
    }
    return Form(set_.get("hidden_dimension"), set_.get("bptt"))


def settled(trained: TrainedEncoder) -> dict[str, float]:
    """What the fit from nothing settled for the later ones."""
    shape = trained.encoder.shape
    return {"passes": round(trained.passes, 3), "d": shape.d, "longest": shape.longest}


def learn(
    sequences: Sequences,
    found: Cut,
    learnt: Sequences,
    aim: Aim,
    features: Sequence[ItemAttribute],
    training: Training,
    form: Form = Form(),
) -> TrainedEncoder:
    """Fit from nothing on `learnt`, the part of `sequences` before the cut, watched by the questions."""
    events = learnt.events
    chosen = np.arange(len(found.user))
    if len(chosen) > QUESTIONS:
        chosen = np.sort(np.random.default_rng(training.seed).choice(chosen, QUESTIONS, replace=False))
    exam = _Exam([question(sequences, found, int(k)) for k in chosen], item_counts(learnt.item, events.n))
    plan = plan_for(events, aim == "horizon", width=form.width, span=form.span)
    return _fit(events, features, plan, training, WEIGHING, None, exam.value if exam.asked else None)


class _Exam:
    """Held-out questions that tell when an encoder is at its best."""

    def __init__(self, asked: Sequence[tuple[Query, Int32, Float32]], met: Int64) -> None:
        """`met`: int64[n], events of each item in what is learnt from: others are not asked about."""
        self.known = np.flatnonzero(met)
        place = np.full(len(met), -1)
        place[self.known] = np.arange(len(self.known))
        self.asked = []
        for query, target, gain in asked:
            some = np.flatnonzero(met[target])
            if len(some):
                self.asked.append((query, place[target[some]], gain[some]))

    def value(self, encoder: Encoder) -> float:
        """NDCG@10 + NDCG@100 / 2, as the fusion is weighed by: the longer list is less a matter of chance."""
        items = encoder.items if len(self.known) == len(encoder.items) else encoder.items[self.known]
        total = 0.0
        together = min(_TOGETHER, max(1, _SCORES // (4 * max(len(items), 1))))
        for start in range(0, len(self.asked), together):
            some = self.asked[start : start + together]
            vectors = np.stack([encoder.encode(one.item, one.time, one.event) for one, _, _ in some])
            for scores, (_, target, gain) in zip(vectors @ items.T, some, strict=True):
                rank = (scores[None, :] > scores[target, None]).sum(axis=1)
                for length, share in ((10, 1.0), (100, 0.5)):
                    ideal = np.sort(gain)[::-1][:length] / np.log2(np.arange(min(len(gain), length)) + 2.0)
                    reached = (gain / np.log2(rank + 2.0))[rank < length].sum()
                    total += share * float(reached) / max(float(ideal.sum()), 1e-9)
        return total / max(len(self.asked), 1)


def go_on(
    sequences: Sequences,
    aim: Aim,
    features: Sequence[ItemAttribute],
    training: Training,
    settled: Mapping[str, Any],
    start: Encoder | None,
) -> Encoder:
    """Fit on all of `sequences`: on from `start`, or without one from nothing, with the passes that were
    settled, or a part of them where `start` has met nearly all of it."""
    events = sequences.events
    width, span = (int(settled[name]) if name in settled else None for name in ("d", "longest"))
    plan = plan_for(events, aim == "horizon", width=width, span=span)
    plan = replace(plan, passes=float(settled["passes"]))
    if start is not None and start.trained is not None:
        plan = replace(plan, shape=start.shape)
        if _unseen_share(events, start) < MOVED_ON:
            plan = plan.again(plan.passes)
    else:
        start = None
    return _fit(events, features, plan, training, 1 - WEIGHING, start, None).encoder


def _unseen_share(events: Events, start: Encoder) -> float:
    """The share of the events that are about items of which `start` met none."""
    assert start.trained is not None
    ids = start.trained["ids"]
    blocks = range(0, len(ids), _BLOCK)
    met = np.concatenate([ids[begin : begin + _BLOCK].any(axis=1) for begin in blocks])
    return 1 - float(item_counts(events.item, events.n)[met].sum()) / max(len(events.item), 1)


def take_in(
    sequences: Sequences,
    fresh: Bools,
    aim: Aim,
    features: Sequence[ItemAttribute],
    training: Training,
    start: Encoder,
) -> Encoder:
    """Go on from `start` with the events marked in bool[N] `fresh`: one pass over the windows that hold them
    and as many others. Items that none of the other events is about move further than the rest."""
    events = sequences.events
    rng = np.random.default_rng(training.seed)
    windows = windows_of_news(cut_windows(events.ptr, start.shape.longest), fresh, rng)
    plan = replace(plan_for(events, aim == "horizon"), shape=start.shape).onward(int(windows.length.sum()))
    unseen = item_counts(events.item, events.n) == item_counts(events.item[fresh], events.n)
    return _fit(events, features, plan, training, 1.0, start, None, windows, unseen).encoder


def _fit(
    events: Events,
    features: Sequence[ItemAttribute],
    plan: Plan,
    training: Training,
    share: float,
    start: Encoder | None,
    validate: Any,
    windows: Windows | None = None,
    unseen: Bools | None = None,
) -> TrainedEncoder:
    check_memory(plan, events.n, features, training)
    # Torch is loaded where something is trained, and nowhere else.
    from ..algorithms.encoder_training import fit_encoder

    budget = math.inf if training.budget_seconds is None else share * training.budget_seconds
    return fit_encoder(
        events,
        features,
        plan,
        seed=training.seed,
        threads=training.threads,
        start=start,
        windows=windows,
        unseen=unseen,
        validate=validate,
        budget_seconds=budget,
        progress=lambda done, total: training.progress("encoder", done, total, "steps"),
        line=training.line,
        check=training.check,
    )


def check_weighing(
    sequences: Sequences,
    aim: Aim,
    features: Sequence[ItemAttribute],
    training: Training,
    form: Form,
    questions: int,
) -> None:
    """Refuse at once to weigh rankers on what does not fit into memory.

    Raises:
        JobFailed: it needs more memory than there is.
    """
    plan = None
    if len(sequences.item) >= LEAST_EVENTS:
        plan = plan_for(sequences.events, aim == "horizon", width=form.width, span=form.span)
    needed = training_memory(sequences, plan, features, questions, training.threads)
    _refuse(needed, len(sequences.items), training)


def check_memory(plan: Plan, n: int, features: Sequence[ItemAttribute], training: Training) -> None:
    """Refuse at once to fit an encoder that does not fit into memory.

    Raises:
        JobFailed: it needs more memory than there is.
    """
    needed = memory_needed(plan, n, sum(one.size for one in features), sum(map(codes_of, features)))
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
