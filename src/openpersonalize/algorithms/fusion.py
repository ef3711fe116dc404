"""Linear score fusion (a weighted sum of base rankers), weighted by rank quality on held-out questions over
the whole catalogue: `Questions` and `Fitted`.

The objective is NDCG@10 + NDCG@100 / 2. Coordinate ascent (Metzler and Croft, "Linear feature-based models
for information retrieval", 2007) from two starts (the lead ranker alone; nothing, ties parted by popularity),
of which the one goes on that stands higher after its large steps. A weight of 0 leaves a ranker out.

The weights are the mean of ascents on `BAGS` random halves of the questions: what holds for one half by
chance fades (bagging; Caruana et al., "Ensemble Selection from Libraries of Models", 2004). A half is made
of runs of questions that follow one another in time: those have much in common.

In catalogues above `EXACT_ITEMS` items a question keeps the items that lead by any ranker, and a random
sample of the others that stands for all of them: an unbiased estimate of each rank. (Leading candidates alone
would over-represent popular items, and the weights would learn a false penalty on popularity.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Float32, Float64, Int32, Int64
from .contribution import contribution
from .coordinate_ascent import BAGS, LEADING, STEP_SIZES, CoordinateAscent
from .lazy_scores import DenseScores, LazyScores
from .quantised_rows import QuantisedRows
from .rank_quality import Judged

EXACT_ITEMS = 2048
"""Most items that a question keeps the scores of."""
SHUFFLED_ITEMS = 65_536
"""Most items that are shuffled for a sample; of more, the sample alone is drawn."""
MOST_TARGETS = 8
"""Most relevant items of a question."""
_TIE = 1e-3


@dataclass(frozen=True)
class Fitted:
    """Weights of the rankers in order, the NDCG@10 they reach on the questions, and that of each ranker
    alone; where the ascents ended whose mean the weights are."""

    weights: tuple[float, ...]
    ndcg: float
    alone: tuple[float, ...]
    ends: tuple[tuple[float, ...], ...] = ()


def questions_memory(rankers: int, count: int, n: int, threads: int = 1) -> int:
    """Bytes of so many questions about n items, `Questions.fit` included: two for each ranker, two for the
    tie, three for what is no candidate, four for scores (four for each bag: two ascents of half of the
    questions); and what an ascent keeps of the leading items."""
    ascents = 2 * min(threads, BAGS)
    leading = ascents * (2 * rankers + 10) * min(n, LEADING + LEADING // 3)
    return ((2 * rankers + 5 + max(4, 2 * ascents)) * min(n, EXACT_ITEMS) + leading) * count


class Questions:
    """Held-out questions, packed as they are asked. Memory: `questions_memory`."""

    def __init__(
        self,
        signed_weight: Sequence[bool],
        capacity: int,
        popularity: Float32,
        rng: np.random.Generator,
        exact_items: int = EXACT_ITEMS,
        shuffled_items: int = SHUFFLED_ITEMS,
        leading: int = LEADING,
    ) -> None:
        """Room for `capacity` questions.

        Args:
            signed_weight: of each ranker, whether its weight may be negative; the first ranker leads.
            capacity: most questions that will be added.
            popularity: float32[n], parts items that no ranker tells apart.
            rng: draws samples.
            exact_items: see `EXACT_ITEMS`. shuffled_items: see `SHUFFLED_ITEMS`. leading: see `LEADING`.
        """
        n = len(popularity)
        self.n, self.signed_weight, self._rng = n, tuple(signed_weight), rng
        self._shuffled_items, self._steps_beside = shuffled_items, leading
        self.size = min(n, exact_items)
        self._leaders = n if n <= exact_items else exact_items // 2 // 8 * 8
        self._share = (n - self._leaders) / max(self.size - self._leaders, 1)
        self._count = 0
        self._features = QuantisedRows(len(signed_weight), capacity, self.size)
        self._base = QuantisedRows(1, capacity, self.size)
        self._interacted = np.zeros((capacity, self.size), dtype=np.bool_)
        self._place = np.full((capacity, MOST_TARGETS), -1, dtype=np.int32)
        self._gain = np.zeros((capacity, MOST_TARGETS), dtype=np.float32)
        self._tie = np.empty(n, dtype=np.float32)
        self._tie[np.argsort(popularity, kind="stable")] = np.linspace(0.0, _TIE, n, dtype=np.float32)
        self._leading_items: list[tuple[Float32, int, Int64] | None] = [None] * len(signed_weight)
        self._known = popularity > 0
        self._unknown = np.zeros((capacity, self.size), dtype=np.bool_)

    def __len__(self) -> int:
        return self._count

    @property
    def large(self) -> bool:
        """Whether rankers had better give a part of their features, where that costs less."""
        return self.n > self._shuffled_items

    def add(
        self,
        features: Sequence[Float32 | LazyScores],
        target: Int32,
        gain: Float32,
        interacted: Int32,
        known: Bools | None = None,
    ) -> None:
        """One question.

        Args:
            features: each ranker's float32[n] or a part of it.
            target: the relevant items. gain: of each.
            interacted: the user's own items by then.
            known: bool[n], the items with which anybody has interacted by then: others are neither candidates
                nor relevant. None: those with popularity.
        """
        known = self._known if known is None else known
        asked = known[target]
        target, gain = target[asked], gain[asked]
        if not len(target):
            return
        if len(target) > MOST_TARGETS:
            some = np.sort(self._rng.choice(len(target), MOST_TARGETS, replace=False))
            target, gain = target[some], gain[some]
        row = self._count
        parts = [DenseScores(one) if isinstance(one, np.ndarray) else one for one in features]
        items = self._items(parts, target)
        place = np.full(self.n, -1, dtype=np.int32)
        place[items] = np.arange(self.size, dtype=np.int32)
        for ranker, part in enumerate(parts):
            self._features.put(ranker, row, part.at(items))
        self._base.put(0, row, self._tie[items])
        self._unknown[row] = ~known[items]
        self._interacted[row, place[interacted][place[interacted] >= 0]] = True
        self._place[row, : len(target)] = place[target]
        self._gain[row, : len(target)] = gain
        self._count += 1

    def _items(self, parts: Sequence[LazyScores], target: Int32) -> Int64:
        """int64[size] item numbers: those that count for themselves, then those that stand for all the
        others."""
        if self.n <= self.size:
            return np.arange(self.n)
        leads = np.zeros(self.n, dtype=np.bool_)
        leads[target] = True
        most = (self._leaders - len(target)) // len(parts)
        for ranker, part in enumerate(parts):
            leads[self._leading(ranker, part, most)] = True
        if self.large:
            drawn = self._rng.choice(self.n, self.size, replace=False)
        else:
            drawn = self._rng.permutation(self.n)
        return np.concatenate((np.flatnonzero(leads), drawn[~leads[drawn]]))[: self.size]

    def _leading(self, ranker: int, part: LazyScores, most: int) -> Int64:
        """Items that lead by a feature; found once where a ranker gives one array to many questions."""
        if not isinstance(part, DenseScores):
            return part.top(most)
        last = self._leading_items[ranker]
        if last is None or last[0] is not part.values or last[1] != most:
            last = self._leading_items[ranker] = part.values, most, part.top(most).copy()
        return last[2]

    def fit(
        self,
        seen_excluded: bool,
        check: Callable[[], None] = lambda: None,
        threads: int = 1,
        begin: Sequence[Sequence[float]] = (),
        prior: Float64 | None = None,
        trust: float = 1.0,
    ) -> Fitted:
        """Weights that rank well. With `seen_excluded`, the user's own items are neither candidates nor
        relevant. `trust`: how much of what they weigh the rankers keep that float64[R] `prior` gives nothing.

        Without a single question to judge by, the lead ranker alone. The ascents do not depend on each other:
        so many at once as there are `threads`, which changes nothing about the result. `begin`: the
        `Fitted.ends` of the same questions under the other rule, to go on from; empty: from nothing.
        """
        ascent = CoordinateAscent(self._judged(seen_excluded), check, self._steps_beside)
        rankers = len(self.signed_weight)
        lead = np.eye(rankers)[0]
        if not ascent.rows:
            return Fitted(tuple(lead.tolist()), 0.0, (0.0,) * rankers)
        alone = [ascent.judge(np.eye(rankers)[k])[1] for k in range(rankers)]
        weights = np.zeros(rankers)
        bags = list(ascent.bags(np.random.default_rng(rankers)))
        ends: list[Float64 | None] = [np.array(one) for one in begin]
        ends += [None] * (len(bags) - len(ends))
        with ThreadPoolExecutor(max(1, min(threads, len(bags)))) as pool:
            climbed = list(pool.map(_climbed, bags, ends))
        for best in climbed:
            weights += best / max(float(np.abs(best).sum()), 1e-9)  # ranks have no scale
        if prior is not None and prior.any():
            weights = _leaning(weights, prior, trust)
        if all(
            signed_weight or not weight
            for signed_weight, weight in zip(self.signed_weight, weights, strict=True)
        ):
            # Few questions can make it look best to answer everybody alike; an event must still change its
            # user's next answer, so the lead ranker parts what popularity leaves close together.
            weights[0] = STEP_SIZES[-1] * max(float(np.abs(weights).sum()), 1.0)
        scaled = weights * ascent.temper(weights)
        found = tuple(tuple(one.tolist()) for one in climbed)
        return Fitted(tuple(np.round(scaled, 4).tolist()), ascent.judge(scaled)[1], tuple(alone), found)

    def contribution(
        self, ranker: int, seen_excluded: bool, check: Callable[[], None] = lambda: None
    ) -> float:
        """What a ranker adds to the others, as a share of the objective: see `contribution`."""
        return contribution(CoordinateAscent(self._judged(seen_excluded), check, self._steps_beside), ranker)

    def _judged(self, seen_excluded: bool) -> Judged:
        """The questions as one seen-rule sees them."""
        count = self._count
        place, gain = self._place[:count], self._gain[:count].copy()
        gain[place < 0] = 0.0
        left_out = self._unknown[:count]
        if seen_excluded:
            interacted = self._interacted[:count]
            left_out = left_out | interacted
            gain[np.take_along_axis(interacted, np.maximum(place, 0), axis=1)] = 0.0
        return Judged(
            self._features,
            self._base,
            left_out,
            np.maximum(place, 0),
            gain,
            self._leaders,
            self._share,
            self.signed_weight,
        )


def _leaning(weights: Float64, prior: Float64, trust: float) -> Float64:
    """float64[R], `weights`, of which those unknown to the prior count by `trust`; what they lose goes to the
    others, as it weighs them."""
    unknown = np.where(prior == 0, weights, 0.0)
    lost = (1 - trust) * float(np.abs(unknown).sum())
    return weights - (1 - trust) * unknown + lost * prior / float(np.abs(prior).sum())


def _climbed(ascent: CoordinateAscent, begin: Float64 | None) -> Float64:
    """float64[R], where an ascent ends: on from `begin` without what brings nothing; from nothing the one of
    both starts that stands higher after its large steps."""
    large, *smaller = STEP_SIZES
    rankers = ascent.rankers
    starts = (np.eye(rankers)[0], np.zeros(rankers)) if begin is None else (begin,)
    tried = [ascent.ascent(start) for start in starts]
    for one in tried:
        if begin is not None:
            one.drop()
        one.climb(large)
    best = max(tried, key=lambda one: one.best)
    for step in smaller:
        best.climb(step)
    return best.weights
