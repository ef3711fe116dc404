"""Features of users and pairs, as of a moment."""

from __future__ import annotations

import numpy as np

from openpersonalize.datasets.action_events import Outcome
from openpersonalize.recipes.actions.features import NEWEST, PAIRS, Events, Features, Moments

DAY = 86_400
VECTORS = np.array([[1, 0], [0, 1], [4, 4]], dtype=np.float32)
FEATURES = Features(VECTORS, np.eye(2, dtype=np.float32), 14.0 * DAY)


def moments(spans: list[tuple[int, int, int, int]], now: int = 100 * DAY) -> Moments:
    """Spans of items and of actions of each: items 0, 0, 1, 2; actions 0 taken and not, 1 seen and other."""
    item_start, item_end, action_start, action_end = np.array(spans, dtype=np.int64).reshape(-1, 4).T
    days = np.arange(1, 5) * DAY
    kinds = [Outcome.TAKEN, Outcome.NOT_TAKEN, Outcome.VIEWED, Outcome.OTHER]
    return Moments(
        np.full(len(item_start), now),
        Events(np.array([0, 0, 1, 2], dtype=np.int32), days),
        item_start,
        item_end,
        Events(np.array([0, 0, 1, 1], dtype=np.int32), days),
        action_start,
        action_end,
        np.array(kinds, dtype=np.int8),
        np.zeros((len(item_start), 1), dtype=np.float32),
    )


def test_a_history_is_the_mean_of_its_items() -> None:
    users, _ = FEATURES.of(moments([(0, 3, 0, 0), (3, 4, 0, 0), (2, 2, 0, 0)]))
    assert np.allclose(users[:, :2], [[2 / 3, 1 / 3], [4, 4], [0, 0]])
    assert np.allclose(users[:, 2:4], users[:, :2]), "no history is longer than the newest part"
    assert np.allclose(users[:, 6], np.log1p([3, 1, 0]))
    assert users[:, 8].tolist() == [1, 1, 0]


def test_the_newest_items_stand_apart() -> None:
    count = 2 * NEWEST[0]
    thing = np.repeat([0, 1], NEWEST[0]).astype(np.int32)
    one = moments([(0, count, 0, 0)])
    long = Moments(
        one.now,
        Events(thing, np.arange(count)),
        one.item_start,
        one.item_end,
        one.actions,
        one.action_start,
        one.action_end,
        one.outcome,
        one.profiles,
    )
    users, _ = FEATURES.of(long)
    assert np.allclose(users[0, :6], [0.5, 0.5, 0, 1, 0, 1])


def test_responses_are_told_by_action_and_pair() -> None:
    users, pairs = FEATURES.of(moments([(0, 0, 0, 4), (0, 0, 0, 1)]))
    assert np.allclose(users[:, -2:], [[0, 0], [0.5, 0]])
    assert pairs.shape == (2, 2, PAIRS)
    assert np.allclose(pairs[0, :, :3], np.log1p([[1, 1, 0], [0, 0, 1]]))
    assert pairs[0, 0, 4] == -pairs[0, 0, 3] < 0, "not taken was the last"
    assert pairs[1, 0, 4] == pairs[1, 0, 3] > 0
    assert not pairs[1, 1].any()


def test_one_action_each_as_all() -> None:
    asked = moments([(0, 3, 0, 4), (0, 1, 0, 2), (0, 0, 0, 0)])
    users, pairs = FEATURES.of(asked)
    own_users, own_pairs = FEATURES.at(asked, np.array([1, 0, 1], dtype=np.int32))
    assert np.array_equal(users, own_users)
    assert np.array_equal(own_pairs, pairs[[0, 1, 2], [1, 0, 1]])


def test_without_items_there_are_no_vectors() -> None:
    bare = Features(np.zeros((0, 0), np.float32), np.eye(2, dtype=np.float32), 14.0 * DAY)
    users, _ = bare.of(moments([(0, 0, 0, 2)]))
    assert np.isfinite(users).all()
