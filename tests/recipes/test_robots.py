"""Robots in a shop where fashions change: what one user, and what a hundredth of the users, can move.

docs/robustness.md states the bounds that are asked here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from openpersonalize.algorithms.recent_popularity import RecentPopularity
from openpersonalize.recipes.base_rankers import online_rankers
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.selection import MOST_AGAIN, Usual
from openpersonalize.recipes.training import Training
from openpersonalize.testing.live import LiveCampaign
from openpersonalize.testing.worlds import DAY, sequences_of

V2 = "aws-user-personalization-v2"
Rows = list[tuple[str, str, int]]
USERS, ITEMS, DAYS = 400, 200, 60
SPAM = "i150"
END = int(time.time()) - 3_600


def fashions(seed: int = 0) -> Rows:
    """Every item has its days, and every user fifteen or so events within some days."""
    rng = np.random.default_rng(seed)
    hot, popular = rng.uniform(-5, DAYS + 5, ITEMS), 1.0 / (1.0 + rng.permutation(ITEMS)) ** 0.5
    hot[int(SPAM[1:])] = -20.0
    rows = []
    for user in range(USERS):
        first, count = rng.uniform(0, DAYS - 3), int(rng.poisson(13)) + 2
        for day in np.sort(first + rng.uniform(0, 3, count)).tolist():
            share = popular * np.exp(-np.abs(hot - day) / 3)
            item = int(rng.choice(ITEMS, p=share / share.sum()))
            rows.append((f"u{user:03}", f"i{item:03}", END - int((DAYS - day) * DAY)))
    return rows


def one_robot(events: int) -> Rows:
    """Purchases of one item in the last day."""
    return [("robot", SPAM, END - DAY + k * DAY // events) for k in range(events)]


def some_robots(robots: int, events: int) -> Rows:
    """Everything at random in the last two days."""
    rng = np.random.default_rng(1)
    return [
        (f"robot-{robot}", f"i{item:03}", END - int(second))
        for robot in range(robots)
        for item, second in zip(
            rng.integers(0, ITEMS, events), np.sort(rng.integers(0, 2 * DAY, events))[::-1], strict=True
        )
    ]


def answers(campaign: LiveCampaign, users: list[str]) -> dict[str, list[str]]:
    return {user: campaign.recommend(user) for user in users}


SOME = [f"u{user:03}" for user in range(0, USERS, 4)]
NEW = [f"never-seen-{k}" for k in range(3)]


@pytest.fixture(scope="module")
def honest(live_campaign: Callable[..., LiveCampaign]) -> LiveCampaign:
    return live_campaign(V2, sequences_of(fashions()))


def overlap(one: dict[str, list[str]], other: dict[str, list[str]], users: list[str]) -> float:
    return float(np.mean([len(set(one[user]) & set(other[user])) / len(one[user]) for user in users]))


def test_three_thousand_purchases_put_nothing_first(
    honest: LiveCampaign, live_campaign: Callable[..., LiveCampaign]
) -> None:
    """Before, a hundred put it first for all of them, and for newcomers."""
    before = answers(honest, SOME + NEW)
    after = answers(live_campaign(V2, sequences_of(fashions() + one_robot(3_000))), SOME + NEW)
    assert not any(one[0] == SPAM for one in after.values())
    # Exploration draws any item now and then, and a user counts as one.
    shown = sum(SPAM in one for one in after.values())
    assert shown <= 0.05 * len(after), shown
    assert overlap(before, after, SOME) >= 0.75
    assert overlap(before, after, NEW) >= 0.8


def test_a_hundredth_of_the_users_leaves_the_newcomers_list(
    honest: LiveCampaign, live_campaign: Callable[..., LiveCampaign]
) -> None:
    """Before, two of ten items stayed."""
    before = answers(honest, NEW)
    after = answers(live_campaign(V2, sequences_of(fashions() + some_robots(USERS // 100, 1_000))), NEW)
    assert overlap(before, after, NEW) >= 0.7


COUNTS = (1, 10, 100, 1_000, 3_000)


def test_the_damage_is_monotone_and_bounded() -> None:
    """Popularity at the moment, each half-life, after more and more events of one robot: it never falls, and
    is never more than one user's."""
    honest, moment = fashions(), END + 60
    found: dict[str, list[float]] = {}
    for count in (0, *COUNTS):
        sequences = sequences_of(honest + (one_robot(count) if count else []))
        spam = sequences.items.strings().index(SPAM) if SPAM in sequences.items.strings() else None
        for ranker in online_rankers(sequences, Training(moment=moment), None):
            if isinstance(ranker, RecentPopularity):
                value = 0.0 if spam is None else float(ranker.feature(Query.of_nobody(moment))[spam])
                found.setdefault(ranker.name, []).append(value)
    assert len(found) >= 3
    for values in found.values():
        counted = np.expm1(values)
        assert counted.max() <= counted[0] + 1.01
        assert (np.diff(counted) >= -1e-3).all()


def test_of_one_user_a_bounded_part_trains() -> None:
    walks = [("walker", f"i{k % ITEMS:03}", END - 5_000 + k) for k in range(4_000)]
    sequences = sequences_of(fashions() + one_robot(3_000) + walks)
    usual = Usual.of(sequences)
    names, counts = sequences.users.strings(), usual.sequences.counts
    robot, walker = names.index("robot"), names.index("walker")
    assert counts[robot] == MOST_AGAIN
    assert counts[walker] == 20 * int(np.median(sequences.counts))
    newest = usual.sequences.time[usual.sequences.ptr[robot] : usual.sequences.ptr[robot + 1]]
    assert newest.min() > END - 2 * MOST_AGAIN * DAY // 3_000
    others = np.array([name.startswith("u") for name in names])
    assert (counts == sequences.counts)[others].all()
    assert usual.askable.tolist() == others.tolist()


def test_where_nobody_does_more_nothing_is_left_out() -> None:
    sequences = sequences_of(fashions())
    usual = Usual.of(sequences)
    assert usual.sequences is sequences
    assert usual.askable.all()
