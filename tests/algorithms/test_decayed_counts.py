"""Fading counts of which a part is asked for: the same as all of them written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.worlds import past
from openpersonalize.algorithms.recent_popularity import HOUR, RecentPopularity
from openpersonalize.algorithms.timeline import Timeline

N = 50


def timeline(seed: int, hours: int) -> Timeline:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 400))
    item = (N * rng.random(size) ** 3).astype(np.int32)
    time = 10**9 + rng.integers(0, hours * HOUR, size)
    return Timeline.of(item, time, rng.choice([0.5, 1.0, 2.0], size).astype(np.float32))


@given(st.integers(0, 10**6), st.lists(st.floats(0, 1.2), min_size=1, max_size=8), st.integers(1, 20))
def test_a_part_is_the_same_as_the_whole(seed: int, moments: list[float], k: int) -> None:
    ranker, whole = (RecentPopularity(4 * HOUR, N, timeline(seed, 60)) for _ in range(2))
    for share in moments:
        history = past([0], 10**9 + int(share * 60 * HOUR))
        part, feature = ranker.lazy(history), whole.feature(history)
        assert np.allclose(part.at(np.arange(N)), feature, atol=1e-5)
        found = part.top(k)
        assert len(set(found.tolist())) == len(found) == min(k, np.count_nonzero(feature))
        best = np.sort(feature)[::-1][: len(found)]
        assert np.allclose(np.sort(feature[found])[::-1], best, atol=1e-5)


@pytest.mark.parametrize("half_life", [HOUR // 4, HOUR])
def test_thousands_of_half_lives_lose_nothing(half_life: int) -> None:
    ranker, whole = (RecentPopularity(half_life, N, timeline(7, 24 * 300)) for _ in range(2))
    for day in (3, 100, 101, 299, 300):
        history = past([0], 10**9 + day * 24 * HOUR)
        assert np.allclose(ranker.lazy(history).at(np.arange(N)), whole.feature(history), atol=1e-5)


def test_settled_there_is_only_the_whole() -> None:
    ranker = RecentPopularity(4 * HOUR, N, timeline(3, 60))
    history = past([0], 10**9 + 30 * HOUR)
    ranker.lazy(history)
    ranker.freeze()
    assert np.array_equal(ranker.lazy(history).at(np.arange(N)), ranker.feature(history))
