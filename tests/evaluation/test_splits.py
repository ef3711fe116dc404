"""Nine tenths of the users train; of the others the newest tenth is the truth."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.evaluation.splits import folds, split
from openpersonalize.storage.idtable import IdTable
from recipes.worlds import sequences_of


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
    found = split(world)
    for user, start in zip(found.user.tolist(), found.start.tolist(), strict=True):
        n = int(world.counts[user])
        assert n >= 2
        assert world.ptr[user + 1] - start == max(1, n // 10)
    tests = np.isin(np.repeat(np.arange(len(world.users)), world.counts), found.user)
    assert np.array_equal(found.training, ~tests)


def test_users_with_one_interaction_train() -> None:
    world = sequences_of([(f"u{user}", "i", 1) for user in range(100)])
    found = split(world)
    assert not len(found.user)
    assert found.training.all()
