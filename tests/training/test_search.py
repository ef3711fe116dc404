"""A search tries different settings, spread over the ranges that were sent, and no more than it may."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openpersonalize.recipes.facts import Facts
from openpersonalize.recipes.registry import facts_of
from openpersonalize.training.search import best_third, parts_tried, settings_to_try


def v1() -> Facts:
    found = facts_of("aws-user-personalization")
    assert found is not None
    return found


def config(jobs: int, **ranges: list[dict[str, Any]]) -> dict[str, Any]:
    resources = {"maxNumberOfTrainingJobs": str(jobs)}
    return {"hpoConfig": {"hpoResourceConfig": resources, "algorithmHyperParameterRanges": ranges}}


def test_numbers_are_spread_over_the_whole_range() -> None:
    tries = settings_to_try(v1(), config(20), seed=0)
    assert len(tries) == 20
    assert tries[0] == {"hidden_dimension": "149", "bptt": "32", "recency_mask": "true"}
    assert len({tuple(one.values()) for one in tries}) == 20
    widths = np.array([int(one["hidden_dimension"]) for one in tries])
    spans = np.array([int(one["bptt"]) for one in tries])
    assert widths.min() >= 32
    assert widths.max() <= 256
    assert all(((widths >= low) & (widths < low + 57)).any() for low in range(32, 256, 57))
    assert all(((spans >= low) & (spans < low + 8)).any() for low in range(2, 32, 8))
    assert {one["recency_mask"] for one in tries} == {"true", "false"}


def test_ranges_and_the_number_of_jobs_are_kept() -> None:
    sent = config(
        4,
        integerHyperParameterRanges=[{"name": "training.bptt", "minValue": 4, "maxValue": 5}],
        categoricalHyperParameterRanges=[{"name": "recency_mask", "values": ["false"]}],
    )
    tries = settings_to_try(v1(), sent, seed=3)
    assert tries[0] == {"bptt": "5", "recency_mask": "false"}
    assert [one["bptt"] for one in tries] == ["5", "4"]
    assert len(settings_to_try(v1(), config(1), seed=3)) == 1


def test_what_the_solution_sets_is_not_searched() -> None:
    tries = settings_to_try(v1(), {"algorithmHyperParameters": {"bptt": "8"}}, seed=3)
    assert len(tries) == 20
    assert {name for one in tries for name in one} == {"hidden_dimension", "recency_mask"}
    everything = {"hidden_dimension": "64", "training.bptt": "8", "recency_mask": "true"}
    assert settings_to_try(v1(), {"algorithmHyperParameters": everything}, seed=3) == [{}]
    both = {"algorithmHyperParameters": {"bptt": "8"}, **config(
        2, integerHyperParameterRanges=[{"name": "bptt", "minValue": 4, "maxValue": 5}]
    )}  # fmt: skip
    assert [one["bptt"] for one in settings_to_try(v1(), both, seed=3)] == ["5", "4"]


def test_what_changes_nothing_keeps_its_default() -> None:
    ignored = frozenset(("hidden_dimension", "bptt"))
    tries = settings_to_try(v1(), config(20), 3, ignored)
    assert tries == [
        {"hidden_dimension": "149", "bptt": "32", "recency_mask": one} for one in ("true", "false")
    ]
    narrow = config(20, integerHyperParameterRanges=[{"name": "bptt", "minValue": 4, "maxValue": 8}])
    assert settings_to_try(v1(), narrow, 3, ignored) == [{"bptt": "8"}]


def test_categories_alone_are_all_tried() -> None:
    sent = config(9, categoricalHyperParameterRanges=[{"name": "recency_mask", "values": ["true", "false"]}])
    tries = settings_to_try(v1(), sent, seed=0)
    assert tries == [{"recency_mask": "true"}, {"recency_mask": "false"}]


@pytest.mark.parametrize(
    ("tries", "events", "parts"),
    [
        (20, 10**6, [9, 3, 1]),  # 20, 7 and 3 settings
        (20, 270_000, [9, 3, 1]),
        (20, 269_999, [3, 1]),
        (20, 89_999, [1]),
        (40, 10**6, [9, 3, 1]),  # 40, 14 and 5
        (40, 10**9, [9, 3, 1]),
        (7, 10**9, [3, 1]),
        (6, 10**9, [1]),
        (1, 10**9, [1]),
    ],
)
def test_most_settings_are_tried_on_few_users(tries: int, events: int, parts: list[int]) -> None:
    assert parts_tried(tries, events) == parts


def test_the_best_third_stays() -> None:
    found = [(0.1, {"a": "1"}), (0.3, {"a": "2"}), (0.3, {"a": "3"}), (0.2, {"a": "4"})]
    assert best_third(found) == [{"a": "2"}, {"a": "3"}]
    assert best_third(found[:1]) == [{"a": "1"}]


def test_one_seed_tries_the_same_and_another_others() -> None:
    assert settings_to_try(v1(), config(9), seed=1) == settings_to_try(v1(), config(9), seed=1)
    assert settings_to_try(v1(), config(9), seed=1) != settings_to_try(v1(), config(9), seed=2)
