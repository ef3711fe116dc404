"""What a user's items have in common, by column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from algorithms.worlds import events_of, past
from openpersonalize.algorithms.content_model import HALF_LIFE, PRIOR
from openpersonalize.algorithms.item_attribute import ItemAttribute
from openpersonalize.algorithms.taste import Taste, telling


def attribute(values: list[list[int]], size: int) -> ItemAttribute:
    ptr = np.concatenate(([0], np.cumsum([len(one) for one in values])))
    return ItemAttribute(np.array([v for one in values for v in one], dtype=np.int32), ptr, size)


VALUES = [[0], [0], [1], [1], [0, 1], [], [2], [2]]
USERS = np.array([8, 4, 6, 2, 3, 5, 4, 0], dtype=np.float32)
"""Nobody met the last item."""


@pytest.fixture
def taste() -> Taste:
    return Taste.fit(attribute(VALUES, 3), "GENRE", USERS)


def test_it_is_the_share_of_the_user_over_that_of_everybody(taste: Taste) -> None:
    found = taste.feature(past([0, 1, 4], step=60))
    base = np.array([8 + 4 + 1.5, 6 + 2 + 1.5, 4.0]) + 0.5
    base /= base.sum()
    own = np.array([2.5, 0.5, 0.0])
    ratio = np.log((own + PRIOR * base) / (3 + PRIOR) / base)
    expected = [ratio[0], ratio[0], ratio[1], ratio[1], (ratio[0] + ratio[1]) / 2, 0.0, ratio[2], 0.0]
    assert np.allclose(found, expected, atol=1e-4)
    assert not taste.feature(past([])).any()
    assert not taste.feature(past([5, 7])).any()


def test_old_events_fade(taste: Taste) -> None:
    now, then = past([0], step=60), past([0], step=10 * HALF_LIFE)
    assert taste.feature(now)[0] > 3 * taste.feature(then)[0] > 0
    ahead = replace(now, time=now.time + 10**6)
    assert taste.feature(ahead)[0] == pytest.approx(taste.feature(now)[0], rel=1e-3)


def test_opened_it_says_the_same_and_in_parts(taste: Taste, tmp_path: Path) -> None:
    taste.save(tmp_path)
    assert taste.name == "taste-GENRE"
    opened, query = Taste.load(tmp_path, taste.name), past([2, 4, 0])
    assert np.array_equal(opened.feature(query), taste.feature(query))
    assert np.allclose(opened.lazy(query).at(np.arange(8)), taste.feature(query))
    likes_ones = opened.lazy(past([2, 3, 3]))
    assert set(likes_ones.top(2).tolist()) == {2, 4}
    assert 7 not in likes_ones.top(8)
    assert not len(opened.lazy(past([])).top(4))


def test_the_columns_that_tell_most_stay() -> None:
    # Users keep to even or to odd items; only parity tells.
    rng = np.random.default_rng(0)
    events = events_of([(2 * rng.integers(0, 10, 12) + user % 2).tolist() for user in range(40)], 20)
    users = np.bincount(events.item, minlength=20).astype(np.float32)
    columns = {f"noise-{k}": attribute([[int(v)] for v in rng.integers(0, 2, 20)], 2) for k in range(5)} | {
        "parity": attribute([[k % 2] for k in range(20)], 2)
    }
    assert telling(columns, events, users, np.random.default_rng(0), most=1) == ["parity"]
    assert telling(columns, events, users, np.random.default_rng(0)) == list(columns)
    assert "parity" in telling(columns, events_of([[]], 20), users, np.random.default_rng(0), most=6)
