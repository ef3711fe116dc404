"""Training schedule of a sequence encoder (passes, learning rate, negatives), by the size of the data, and
the memory it takes: `Plan`. No torch.

Small steps under one cosine cycle with a high peak reach in 6 to 12 passes what published settings of
padded batches take 50 to 200 for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .encoder import Block, Shape
from .events import Events
from .item_counts import item_counts

FULL_SOFTMAX_ITEMS = 2_000
"""Most items with events for a softmax over all of them; above, a sample is as good and several times
faster."""
DENSE_UPDATE_ITEMS = 50_000
"""Most items whose vectors are all moved at every step; of more, only those that a step touches."""
HORIZON = 30.0
"""Mean distance of the target for baskets."""
STEP_TOKENS = 2_048
"""Inputs of a step, most. A larger step costs more per input, as all its targets are candidates for each, and
more steps learn more in as many passes."""
LEAST_STEPS = 300
"""Least steps of a training; little data is passed over more often."""
LEAST_STEPS_AHEAD = 150
"""The same for a horizon, of which one pass is enough: more of both learn what counted rankers know as well.
On orders of a shop the encoder alone went on getting better, what it adds to them did not; on amazon-beauty
it added no more after 300 steps, nor after 900."""
WIDTH_MULTIPLE = 8
"""A width is a multiple of it, so that it can be parted among heads and read in whole vectors."""
REFIT = 1 / 3
"""Share of the passes, and of the rate, with which training goes on from weights of nearly the same data."""
REFIT_OF_BASKETS = 1 / 6
"""The same for baskets, where what came last is no more than one of many later events: half as much is as
good."""
LEAST_REFIT, LEAST_REFIT_OF_BASKETS = 1.0, 0.5
"""Passes of it, at least."""
FINE_TUNE_RATE = 1 / 10
"""Share of the rate with which new events are taken in."""
UNSEEN_RATE = 30.0
"""How many times as far the id vectors of items move that only new events are about: they have all the way to
go, in few steps."""
LIBRARY = 170_000_000
"""Bytes of torch once it is loaded."""
NEWS_STEPS, NEWS_PASSES = 100, 10
"""Few new events are passed over more often, until there are so many steps, but not more often than that:
a handful would be learned by heart, and the rest forgotten."""


@dataclass(frozen=True)
class Plan:
    """The settings of one training.

    Attributes:
        passes: over all windows. tokens: inputs per step. rate: peak of the learning rate.
        candidates: items drawn per step for the softmax; 0: all items.
        horizon: the target is 1 + Exponential(horizon) events ahead; 0: the next one.
        dropout: of inputs and branches. id_dropout: share of items known by their features alone, anew at
            every step.
        checks: validations in a training.
        unseen_rate: how many times as far the id vectors of items move that the start has not met.
    """

    shape: Shape
    passes: float
    tokens: int
    rate: float
    candidates: int
    horizon: float = 0.0
    dropout: float = 0.2
    id_dropout: float = 0.25
    checks: int = 5
    unseen_rate: float = 1.0

    def again(self, passes: float) -> Plan:
        """The plan for going on from weights that took `passes` on nearly the same data."""
        share, least = (REFIT_OF_BASKETS, LEAST_REFIT_OF_BASKETS) if self.horizon else (REFIT, LEAST_REFIT)
        return replace(self, passes=max(least, passes * share), rate=self.rate * share)

    def onward(self, inputs: int) -> Plan:
        """The plan for going on with so many inputs, half of them new, from the weights of a finished
        training: one careful pass, some more where that were few steps."""
        passes = min(max(1.0, NEWS_STEPS * self.tokens / max(inputs, 1)), NEWS_PASSES)
        return replace(self, passes=passes, rate=self.rate * FINE_TUNE_RATE, unseen_rate=UNSEEN_RATE)


def plan_for(
    events: Events,
    horizon: bool,
    block: Block = "gated",
    width: int | None = None,
    span: int | None = None,
) -> Plan:
    """The plan for these events.

    Args:
        events: what it will be trained on.
        horizon: for what will be taken later rather than next.
        block: on films, an intranet feed and a shop the recurrent one was within noise of the gated one, at
            1.3 to 1.7 times the CPU time.
        width: d, rounded to a multiple of `WIDTH_MULTIPLE`; None: 64.
        span: the events that a window and a history look back over; None: by the size of the data.
    """
    total = len(events.item)
    items = int((item_counts(events.item, events.n) > 0).sum())
    users = int((np.diff(events.ptr) > 0).sum())
    longest = 50 if total < 20 * max(users, 1) else 200
    passes, rate = 12.0, 3e-3
    if total >= 50_000_000:
        passes, rate, longest = 1.0, 2e-3, min(longest, 100)
    elif total >= 2_000_000:
        passes = 3.0
    elif total >= 200_000:
        passes = 6.0
    shape = Shape(block, longest=longest)
    steps = LEAST_STEPS
    if horizon:
        shape, passes, steps = replace(shape, longest=min(longest, 100)), 1.0, LEAST_STEPS_AHEAD
    if width is not None:
        shape = replace(shape, d=rounded_width(width))
    if span is not None:
        shape = replace(shape, longest=span)
    tokens = min(STEP_TOKENS, max(256, total // 40))
    passes = max(passes, steps * tokens / max(total, 1))
    candidates = 0 if items <= FULL_SOFTMAX_ITEMS else 1_024 if items <= 200_000 else 8_192
    return Plan(shape, passes, tokens, rate, candidates, HORIZON if horizon else 0.0)


def rounded_width(width: int | None) -> int:
    """d for a width that was asked for, a multiple of `WIDTH_MULTIPLE`; None: the usual one."""
    if width is None:
        return Shape().d
    return max(1, round(width / WIDTH_MULTIPLE)) * WIDTH_MULTIPLE


def vectors_kept(plan: Plan, n: int, values: int, features: bool) -> int:
    """Bytes of a trained encoder of n items: their vectors, and where they have features the id vectors and
    those of the `values` beside them."""
    return (n * (2 if features else 1) + values) * plan.shape.d * 4


def memory_needed(plan: Plan, n: int, values: int, codes: int) -> int:
    """Bytes at the peak of a training, beyond the events: n items, `values` different values of features,
    `codes` values of all items.

    torch itself; the table that is trained, its best and its exported vectors, and where all of it moves at
    every step its gradient and three arrays of the optimiser; 40 vectors for each input of a step and block;
    the scores of attention; the candidates of a step and the logits of a chunk.
    """
    d, blocks, longest = plan.shape.d, plan.shape.blocks, plan.shape.longest
    features = values > 0
    kept = vectors_kept(plan, n, values, features)
    table = (n + values) * d * 4
    dense = not plan.candidates or n <= DENSE_UPDATE_ITEMS
    table *= 5 if dense else 1
    shown = plan.candidates + plan.tokens if plan.candidates else n
    step = plan.tokens * d * 4 * 40 * (1 + blocks) + plan.tokens * longest * plan.shape.heads * 4 * 5 * blocks
    softmax = shown * (d * 4 * 4 + 256 * 4 * 2)
    exported = n * d * 4 if features else 0
    return LIBRARY + table + kept + exported + step + softmax + codes * 24
