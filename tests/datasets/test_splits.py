"""Nine tenths of the users train; of the others the newest tenth is the truth."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.datasets.splits import (
    folds,
    sampled,
    split_last,
    split_session,
    split_time,
    split_users,
)
from openpersonalize.storage.idtable import IdTable
from openpersonalize.testing.worlds import sequences_of


def table(ids: list[str]) -> IdTable:
    return IdTable.from_series(pl.Series(ids))


def test_folds_are_what_they_always_were() -> None:
    # These numbers must never change: metrics of versions trained years apart are compared.
    assert folds(table(["", "a", "u1", "user-42", "żółw"])).tolist() == [5, 4, 0, 6, 3]


@given(st.lists(st.text(max_size=12), min_size=1, max_size=30), st.text(max_size=12))
def test_a_fold_depends_on_the_id_alone(others: list[str], one: str) -> None:
    alone = folds(table([one]))[0]
    together = table([*others, one])
    assert folds(together)[together.find(one)] == alone


def test_a_tenth_of_many_users_tests() -> None:
    counts = np.bincount(folds(table([f"user-{k}" for k in range(20_000)])), minlength=10)
    assert counts.min() > 1800
    assert counts.max() < 2200


def test_the_newest_tenth_at_least_one_is_held_out() -> None:
    rows = [(f"u{user}", f"i{place % 7}", place) for user in range(200) for place in range(1 + user % 45)]
    world = sequences_of(rows)
    found = split_users(world)
    for user, start in zip(found.user.tolist(), found.start.tolist(), strict=True):
        n = int(world.counts[user])
        assert n >= 2
        assert world.ptr[user + 1] - start == max(1, n // 10)
    tests = np.isin(np.repeat(np.arange(len(world.users)), world.counts), found.user)
    assert np.array_equal(found.training, ~tests)


def test_users_with_one_interaction_train() -> None:
    world = sequences_of([(f"u{user}", "i", 1) for user in range(100)])
    found = split_users(world)
    assert not len(found.user)
    assert found.training.all()


def test_the_last_event_of_everybody() -> None:
    world = sequences_of(
        [("a", "x", 1), ("a", "y", 2), ("a", "z", 3), ("b", "x", 5), ("c", "y", 1), ("c", "x", 9)]
    )
    found = split_last(world)
    assert found.user.tolist() == [0, 2]
    assert world.time[found.start].tolist() == [3, 9]
    assert world.time[found.training].tolist() == [1, 2, 5, 1]


def test_the_newest_tenth_of_all_events() -> None:
    rows = [("old", "x", 1), ("new", "x", 95), ("both", "x", 2), ("both", "y", 99)]
    world = sequences_of(rows + [("many", f"i{k}", 10 + k) for k in range(16)])
    found = split_time(world)
    assert set(found.now.tolist()) == {95}
    assert np.array_equal(found.training, world.time < 95)
    assert [world.users[user] for user in found.user.tolist()] == ["both"]
    assert world.time[found.start].tolist() == [99]


def test_no_events_at_all() -> None:
    world = sequences_of([("a", "x", 1), ("a", "y", 2)]).where(np.zeros(2, dtype=np.bool_))
    for found in (split_users(world), split_last(world), split_time(world)):
        assert not len(found.user)


def test_a_sample_is_stable() -> None:
    ids = [f"u{user}" for user in range(3000)]
    world = sequences_of([(user, item, place) for user in ids for place, item in enumerate("xy")])
    small, large = (sampled(world, split_last(world), most) for most in (100, 500))
    assert len(small.user) == 100
    assert set(small.user.tolist()) < set(large.user.tolist())
    assert world.time[small.start].tolist() == [1] * 100
    assert np.array_equal(small.training, split_last(world).training)
    # Without one of the sample, one other takes its place.
    gone = world.users[int(small.user[0])]
    rest = sequences_of([(user, item, p) for user in ids if user != gone for p, item in enumerate("xy")])
    names = {world.users[user] for user in small.user.tolist()}
    left = sampled(rest, split_last(rest), 100)
    assert len(names - {rest.users[user] for user in left.user.tolist()}) == 1


def test_a_sample_of_few_is_all_of_them() -> None:
    world = sequences_of([(f"u{user}", item, place) for user in range(50) for place, item in enumerate("xy")])
    found = split_last(world)
    assert sampled(world, found, 50) is found


def test_the_rest_of_an_order_is_asked_for() -> None:
    rows = [
        (f"u{u}", f"i{line}", 86_400 * day + 60 * u)
        for u in range(50)
        for day in range(20)
        for line in range(6)
    ]
    world = sequences_of(rows).without_order_in_baskets(np.random.default_rng(0))
    found = split_session(world)
    assert len(found) == 50
    assert np.array_equal(found.training, split_time(world).training)
    assert set((found.end - found.start).tolist()) == {3}
    assert (world.time[found.start - 3] == found.now).all()
    assert not found.training[found.start - 3].any()


def test_what_comes_next_in_a_session_is_asked_for() -> None:
    rows = [
        (f"u{u}", f"i{(u + k) % 9}", 86_400 * day + 60 * u + 30 * k)
        for u in range(50)
        for day in range(20)
        for k in range(3)
    ]
    world = sequences_of(rows)
    found = split_session(world)
    assert len(np.unique(found.user)) == len(found) == 50
    assert (found.end - found.start == 1).all()
    assert (found.now - world.time[found.start - 1] == 30).all()
    assert not found.training[found.start].any()
    assert len(split_session(sequences_of([]))) == 0
