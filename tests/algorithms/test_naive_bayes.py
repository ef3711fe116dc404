"""Groups with tastes of their own, and groups without any."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from algorithms.worlds import events_of, past
from openpersonalize.algorithms.dict_column import DictColumn, known_at
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.naive_bayes import Column, NaiveBayes, _log_gamma

USERS = 200


def events(seed: int = 0) -> Events:
    """Users of even number meet items 0..4 mostly, the others 5..9."""
    rng = np.random.default_rng(seed)
    histories = []
    for user in range(USERS):
        own, other = (0, 5) if user % 2 == 0 else (5, 0)
        histories.append([int(rng.integers(5)) + (own if rng.random() < 0.8 else other) for _ in range(8)])
    return events_of(histories, 10)


TOWN = ["Oslo" if user % 2 == 0 else "Lyon" for user in range(USERS)]
AGE = [20.0 + user % 2 * 30 + user % 7 for user in range(USERS)]
NOISE = [f"n{user // 2 % 4}" for user in range(USERS)]


def profiles(**columns: list[str] | list[float]) -> dict[str, DictColumn]:
    return {name: DictColumn.of(pl.Series(name, values)) for name, values in columns.items()}


def fitted(**columns: list[str] | list[float]) -> NaiveBayes | None:
    all_events = events()
    return NaiveBayes.fit(all_events, "profile", profiles(**columns), all_events.user)


def order(groups: NaiveBayes, **profile: str | float) -> list[int]:
    asked = replace(past([]), profile=profile)
    return np.argsort(-groups.feature(asked), kind="stable").tolist()


def test_a_group_gets_what_it_likes() -> None:
    groups = fitted(TOWN=TOWN, AGE=AGE)
    assert groups is not None
    assert set(order(groups, TOWN="Oslo")[:5]) == set(range(5))
    assert set(order(groups, TOWN="Lyon")[:5]) == set(range(5, 10))
    assert set(order(groups, AGE=22)[:5]) == set(range(5))
    assert set(order(groups, AGE=99.0)[:5]) == set(range(5, 10))


def test_nothing_known_says_nothing() -> None:
    groups = fitted(TOWN=TOWN)
    assert groups is not None
    for profile in ({}, {"TOWN": "Rome"}, {"AGE": 3}):
        assert not groups.feature(replace(past([]), profile=profile)).any()
    assert not groups.feature(replace(past([]), context={"TOWN": "Oslo"})).any()


def test_a_column_of_noise_is_left_out() -> None:
    assert fitted(NOISE=NOISE) is None
    both = fitted(NOISE=NOISE, TOWN=TOWN)
    assert both is not None
    assert [column.name for column in both.columns] == ["TOWN"]


def test_the_logarithm_is_that_of_the_counts() -> None:
    all_events = events_of([[0, 0, 1], [0], [1], [1]] * 50, 3)
    groups = NaiveBayes.fit(all_events, "profile", profiles(G=["a", "a", "b", "b"] * 50), all_events.user)
    assert groups is not None
    feature = groups.feature(replace(past([]), profile={"G": "a"}))
    # Pairs: item 0 with a 100 times; item 1 with a 50, with b 100 times.
    share, k = 150 / 250, 100 * math.exp(feature_base(groups, 0)) / (1 - math.exp(feature_base(groups, 0)))
    assert feature[0] == pytest.approx(math.log((100 + k * share) / ((100 + k) * share)), abs=1e-5)
    assert feature[1] == pytest.approx(math.log((50 + k * share) / ((150 + k) * share)), abs=1e-5)
    assert feature[2] == 0.0


def feature_base(groups: NaiveBayes, item: int) -> float:
    return float(groups.base[0][item])


def test_several_values_in_one_field() -> None:
    several = [f"x|{town}" if user % 3 else f"{town}|y" for user, town in enumerate(TOWN)]
    groups = fitted(TOWN=several)
    assert groups is not None
    assert set(order(groups, TOWN="new|Oslo")[:5]) == set(range(5))


def test_context_is_counted_by_event() -> None:
    all_events = events()
    context = DictColumn.of(pl.Series(["day" if item < 5 else "night" for item in all_events.item.tolist()]))
    groups = NaiveBayes.fit(all_events, "context", {"WHEN": context})
    assert groups is not None
    night = groups.feature(replace(past([]), context={"WHEN": "night"}))
    assert night[5:].min() > night[:5].max()


def test_what_is_recognised() -> None:
    groups = fitted(TOWN=TOWN, AGE=AGE)
    assert groups is not None
    assert groups.recognised({"town": "Oslo", "AGE": "31", "X": "y"}) == {"TOWN": "Oslo", "AGE": "31"}
    assert groups.recognised({"town": "Oslo", "TOWN": "Lyon"}) == {"TOWN": "Lyon"}
    assert groups.recognised({"TOWN": "Rome", "AGE": "old"}) == {}


def test_numbers_between_edges() -> None:
    column = Column("A", edges=(1.0, 2.0))
    assert [column.numbers(value) for value in (0.5, 1, "1.5", 2.0, "nan", "x")] == [
        [0],
        [1],
        [1],
        [2],
        [],
        [],
    ]


def test_saved_and_opened_it_says_the_same(tmp_path: Path) -> None:
    groups = fitted(TOWN=TOWN, AGE=AGE)
    assert groups is not None
    groups.save(tmp_path)
    opened = NaiveBayes.load(tmp_path, "profile")
    asked = replace(past([]), profile={"TOWN": "Oslo", "AGE": 55})
    assert np.array_equal(opened.feature(asked), groups.feature(asked))


def test_log_gamma() -> None:
    for x in (0.01, 0.5, 1.0, 2.5, 30.0, 1e6):
        assert _log_gamma(np.array([x]))[0] == pytest.approx(math.lgamma(x), rel=1e-7, abs=1e-7)


def test_coded_columns() -> None:
    columns = {
        "A": DictColumn.of(pl.Series(["x", None, "", "w"])),
        "B": DictColumn.of(pl.Series([1, None, 3, 1])),
    }
    assert [known_at(columns, row) for row in range(4)] == [
        {"A": "x", "B": 1.0},
        {},
        {"B": 3.0},
        {"A": "w", "B": 1.0},
    ]
    assert columns["A"].take(np.array([3, 0])).code.tolist() == [0, 1]
