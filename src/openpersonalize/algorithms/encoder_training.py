"""Training of the causal sequence encoder, in torch: `fit_encoder`. What comes out scores without torch
(`encoder`).

Every event of a window predicts the one that follows it, or one further on; a step holds a number of events,
not of windows. Loss: softmax over all items, or over a sample that all events of a step share. Adam, one
cosine cycle with a short warm-up (Smith 2018). Memory: `encoder_plan.memory_needed`.

One seed, one number of threads, one kind of processor and one data set give the same weights, bit for bit.
"""

from __future__ import annotations

import ctypes
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from .arrays import Bools, Int64
from .encoder import Encoder, gap_bucket
from .encoder_network import Network, kept
from .encoder_plan import DENSE_UPDATE_ITEMS, Plan
from .events import Events
from .item_attribute import ItemAttribute
from .item_counts import item_counts
from .optimisers import Adam, RowWise
from .sessions import shuffled_ties
from .softmax import softmax_loss
from .windows import Windows, batches, cut_windows

WARM_UP = 0.05
PATIENCE = 2
TRIED_AT = 2
"""The validation at which a training may be given up: after a fifth of its passes an encoder of a shop seemed
to add nothing that added 2 per cent in the end, after two fifths no more."""
BETAS = (0.9, 0.98)


@dataclass(frozen=True)
class TrainedEncoder:
    """The encoder, the passes it took to get there, its value on validation (0 without), and whether its
    training was given up (see `fit_encoder`)."""

    encoder: Encoder
    passes: float
    value: float
    given_up: bool = False


def fit_encoder(
    events: Events,
    features: Sequence[ItemAttribute],
    plan: Plan,
    *,
    seed: int = 0,
    threads: int = 1,
    start: Encoder | None = None,
    windows: Windows | None = None,
    unseen: Bools | None = None,
    unordered: bool = False,
    validate: Callable[[Encoder], float] | None = None,
    promising: Callable[[Encoder], bool] | None = None,
    budget_seconds: float = math.inf,
    progress: Callable[[float, float], None] = lambda done, total: None,
    line: Callable[[str], None] = lambda text: None,
    check: Callable[[], None] = lambda: None,
) -> TrainedEncoder:
    """Fit.

    Args:
        events: all of them; some user has two.
        features: of the items, one per column.
        plan: how.
        seed, threads: see the module. Sets the threads of the process.
        start: go on from the weights of this encoder, of the same shape and features.
        windows: what a pass goes over, `plan.shape.longest` inputs at most each; None: all there are.
        unseen: bool[n], the items that `start` has not seen, for `plan.unseen_rate`; None: none.
        unordered: events of one second have no order; every pass shuffles them anew.
        validate: higher is better; asked a few times. The best weights are returned, and training ends when
            two answers in a row bring nothing.
        promising: asked once, at validation `TRIED_AT` unless it is the last, whether to go on; its time does
            not count. None: yes.
        budget_seconds: the cycle is shortened so that it ends about then. Where that happens, the weights
            depend on the pace of the machine.
        progress: steps done and to do. line: told the loss, the validation and the passes. check: may raise
            to stop.
    """
    torch.set_num_threads(threads)
    strict = torch.get_deterministic_debug_mode()
    # `use_deterministic_algorithms` does the same, and loads torch's compiler for it: 75 MB and a second.
    torch.set_deterministic_debug_mode("error")
    # Nothing here reads memory that was never written; filling it would cost a twentieth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            run = _Run(events, features, plan, np.random.default_rng(seed), start, windows, unseen, unordered)
            return run.train(validate, promising, budget_seconds, progress, line, check)
    finally:
        torch.set_deterministic_debug_mode(strict)
        _give_back()


class _Run:
    """One training: data as the steps need it, network, optimisers. Of all events only int32[N] is made."""

    def __init__(
        self,
        events: Events,
        features: Sequence[ItemAttribute],
        plan: Plan,
        rng: np.random.Generator,
        start: Encoder | None,
        windows: Windows | None,
        unseen: Bools | None,
        unordered: bool,
    ) -> None:
        self.unordered = unordered
        self.plan, self.rng, self.events = plan, rng, events
        count = item_counts(events.item, events.n)
        self.known = np.flatnonzero(count)
        number = np.zeros(events.n, dtype=np.int32)
        number[self.known] = np.arange(len(self.known), dtype=np.int32)
        self.item = number[events.item] if len(self.known) < events.n else events.item
        self.kind = events.event
        self.windows = cut_windows(events.ptr, plan.shape.longest) if windows is None else windows
        self.sampler = _Sampler(count[self.known], plan.candidates) if plan.candidates else None
        kinds = int(events.event.max(initial=-1)) + 2
        if start is not None:
            kinds = max(kinds, len(start.weights["event"]))
        self.network = Network(plan, events.n, self.known, kinds, features)
        if start is not None:
            self.network.go_on_from(start)
        stride: Tensor | None = None
        if unseen is not None and plan.unseen_rate != 1.0:
            stride = torch.from_numpy(np.where(unseen[self.known], plan.unseen_rate, 1.0).astype(np.float32))[
                :, None
            ]
        self.rows: RowWise | None = None
        self.dense = list(self.network.parameters())
        if self.sampler is not None and len(self.known) > DENSE_UPDATE_ITEMS:
            self.rows = RowWise(self.network.ids, BETAS[1], stride)
            self.dense = [value for value in self.dense if value is not self.network.ids]
        strides = [stride if value is self.network.ids else None for value in self.dense]
        self.adam = Adam(self.dense, BETAS, strides)

    def train(
        self,
        validate: Callable[[Encoder], float] | None,
        promising: Callable[[Encoder], bool] | None,
        budget_seconds: float,
        progress: Callable[[float, float], None],
        line: Callable[[str], None],
        check: Callable[[], None],
    ) -> TrainedEncoder:
        per_pass = len(batches(self.windows, self.plan.tokens, np.random.default_rng(0)))
        if not per_pass:
            return TrainedEncoder(self.network.export(), 0.0, 0.0)
        total = planned = max(1, math.ceil(per_pass * self.plan.passes))
        every = math.ceil(total / self.plan.checks)
        step, checked, misses, told_at, losses, began = 0, 0, 0, 0, 0.0, time.monotonic()
        best: TrainedEncoder | None = None
        while step < total:
            self._shuffle()
            for batch in batches(self.windows, self.plan.tokens, self.rng):
                check()
                losses += self.step(batch, _rate(step, total, self.plan))
                step += 1
                if step % 20 == 0:
                    affordable = step * budget_seconds / _seconds_since(began)
                    total = max(step, int(min(total, affordable)))
                progress(step, total)
                if step % every and step < total:
                    continue
                passes = step / per_pass
                mean = losses / (step - told_at)
                told = f"Encoder, pass {passes:.1f} of {total / per_pass:.1f}: loss {mean:.3f}"
                losses, told_at = 0.0, step
                if validate is None:
                    line(told)
                else:
                    found = self.network.export()
                    value = validate(found)
                    line(f"{told}, NDCG at 10 and half of that at 100 of held-out questions {value:.4f}")
                    checked += 1
                    if promising is not None and checked == TRIED_AT and step < total:
                        paused = time.monotonic()
                        if not promising(found):
                            return TrainedEncoder(found, passes, value, given_up=True)
                        began += time.monotonic() - paused
                    misses = misses + 1 if best is not None and value <= best.value else 0
                    if best is None or value > best.value:
                        best = TrainedEncoder(kept(found, best.encoder if best else None), passes, value)
                if step >= total or misses >= PATIENCE:
                    progress(step, step)
                    if step < planned and misses < PATIENCE:
                        line(
                            f"Encoder: cut short at {budget_seconds:,.0f} s, its part of training_seconds, "
                            f"after pass {passes:.1f} of {planned / per_pass:.1f}."
                        )
                    return best or TrainedEncoder(self.network.export(), passes, 0.0)
        raise AssertionError("a training ends inside its loop")

    def _shuffle(self) -> None:
        """Put events that have no order among themselves into another one."""
        if self.unordered:
            order = shuffled_ties(self.events.ptr, self.events.time, self.rng)
            self.item, self.kind = self.item[order], self.kind[order]

    def step(self, batch: Int64, rate: float) -> float:
        """One step of the optimisers; the loss."""
        events, network = self.events, self.network
        start, length = self.windows.start[batch], self.windows.length[batch]
        place = np.arange(int(length.max()))
        valid = place < length[:, None]
        index = np.where(valid, start[:, None] + place, start[:, None])
        inputs = self.item[index].ravel().astype(np.int64)
        before = np.where(place == 0, index, index - 1)
        gap = gap_bucket((events.time[index] - events.time[before]).ravel())
        kind = self.kind[index].ravel().astype(np.int64) + 1
        target = self.item[self._ahead(index, batch, valid)].astype(np.int64)
        rows, correction = None, None
        if self.sampler is not None:
            chosen, correction, target = self.sampler.draw(target, self.rng)
            rows = np.union1d(chosen, inputs)
            inputs = np.searchsorted(rows, inputs)
        ids: Tensor = network.ids
        if rows is not None:
            places = torch.from_numpy(rows)
            ids = self.rows.taken(places) if self.rows else ids.index_select(0, places)
        table = candidates = network.vectors(ids, rows)
        if rows is not None:
            candidates = table.index_select(0, torch.from_numpy(np.searchsorted(rows, chosen)))
        hidden = network(
            table.index_select(0, torch.from_numpy(inputs)).view(*index.shape, -1),
            torch.from_numpy(kind),
            torch.from_numpy(gap),
        )
        states = hidden.view(-1, hidden.shape[-1]).index_select(0, torch.from_numpy(np.flatnonzero(valid)))
        loss = softmax_loss(states, candidates, torch.from_numpy(target), correction, fast_type())
        self.network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        moved = [*self.dense, ids] if self.rows else self.dense
        nn.utils.clip_grad_norm_(moved, 1.0)
        self.adam.step(rate)
        if self.rows:
            self.rows.step(rate)
        return float(loss.detach())

    def _ahead(self, index: Int64, batch: Int64, valid: Bools) -> Int64:
        """The places of the targets of the events at ``index[valid]``, in one row."""
        here = index[valid]
        if not self.plan.horizon:
            return here + 1
        far = here + 1 + self.rng.exponential(self.plan.horizon, len(here)).astype(np.int64)
        last = np.repeat(self.windows.end[batch] - 1, self.windows.length[batch])
        return np.minimum(far, last)


class _Sampler:
    """One set of candidates per step: drawn by the root of the counts, united with the step's targets."""

    def __init__(self, count: Int64, candidates: int) -> None:
        """`count`: int64[m], events of each item, none 0."""
        weight = np.sqrt(count) if len(count) <= 200_000 else np.ones(len(count))
        self.share = count / count.sum()
        self.weight = weight / weight.sum()
        self.reach = np.cumsum(self.weight)
        self.candidates = candidates

    def draw(self, target: Int64, rng: np.random.Generator) -> tuple[Int64, Tensor, Int64]:
        """The candidates in order, the logarithm of the chance of each to be one, and the places of the
        targets."""
        drawn = np.searchsorted(self.reach, rng.random(self.candidates) * self.reach[-1])
        chosen = np.union1d(drawn, target)
        missed = self.candidates * np.log1p(-self.weight[chosen]) - len(target) * self.share[chosen]
        chance = np.log(np.maximum(-np.expm1(missed), 1e-12)).astype(np.float32)
        return chosen, torch.from_numpy(chance), np.searchsorted(chosen, target)


def _rate(step: int, total: int, plan: Plan) -> float:
    warm, peak = max(1, int(WARM_UP * total)), plan.rate
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm))) + 1e-6


def _give_back() -> None:
    """Hand the room of the steps back to the system where the C library (glibc) would keep it."""
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _seconds_since(began: float) -> float:
    return max(time.monotonic() - began, 1e-9)


@cache
def fast_type() -> torch.dtype:
    """bfloat16 where this processor multiplies it natively (AVX512-BF16), else float32.

    Without that it is up to ten times slower. What is faster is not tried: on a busy machine the choice could
    fall differently from one training to the next, and with it the weights.
    """
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32
