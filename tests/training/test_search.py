"""A search finds what is good, tries no more than it may, and prunes what is bad on few users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from openpersonalize.recipes.facts import Facts
from openpersonalize.recipes.registry import facts_of
from openpersonalize.training.search import Settings, Tried, Try, parts_tried, search


def v1() -> Facts:
    found = facts_of("aws-user-personalization")
    assert found is not None
    return found


def config(jobs: int, parallel: int = 1, **ranges: list[dict[str, Any]]) -> dict[str, Any]:
    resources = {"maxNumberOfTrainingJobs": str(jobs), "maxParallelTrainingJobs": str(parallel)}
    return {"hpoConfig": {"hpoResourceConfig": resources, "algorithmHyperParameterRanges": ranges}}


class Bench:
    """Trainings whose values are those of a function, by default best at a width of 200 and a span of 7."""

    def __init__(self, value: Callable[[Settings], float] | None = None, events: int = 20_000) -> None:
        self.value = value or self._peak
        self.events = events
        self.batches: list[list[Try]] = []

    @staticmethod
    def _peak(settings: Settings) -> float:
        width, span = int(settings["hidden_dimension"]), int(settings["bptt"])
        return 1 - abs(width - 200) / 224 - abs(span - 7) / 30 + 0.1 * (settings["recency_mask"] == "false")

    def __call__(self, tries: Sequence[Try]) -> list[Tried]:
        self.batches.append(list(tries))
        return [Tried(self.value(one.settings), self.events) for one in tries]

    @property
    def tries(self) -> list[Try]:
        """All but the first, the defaults on all users, which come again with the others; and but those that
        are judged again."""
        return [one for batch in self.batches[1:] for one in batch if not one.again]

    @property
    def again(self) -> list[Settings]:
        return [one.settings for batch in self.batches for one in batch if one.again]

    def settings(self, part: int = 1) -> list[Settings]:
        return [one.settings for one in self.tries if one.part == part]


def test_the_defaults_come_first_and_what_is_found_is_far_better() -> None:
    bench = Bench()
    found = search(v1(), config(40), 0, bench)
    default = {"hidden_dimension": "149", "bptt": "32", "recency_mask": "true"}
    assert bench.batches[:2] == [[Try(default, 1)]] * 2
    assert len(bench.again) == 4
    assert default in bench.again
    tried = [tuple(one.items()) for one in bench.settings()]
    assert len(tried) == len(set(tried)) == 40
    assert found == max(bench.settings(), key=bench.value)
    assert bench.value(found) > bench.value(default) + 0.8
    widths = [int(one["hidden_dimension"]) for one in bench.settings()]
    assert all(32 <= width <= 256 for width in widths)
    near = [sum(abs(width - 200) <= 30 for width in part) for part in (widths[1:21], widths[20:])]
    assert near[1] > near[0], "the estimator goes where it was good"


@pytest.mark.parametrize(("jobs", "parallel", "sizes"), [(7, 3, [3, 3, 1]), (4, 10, [4]), (2, 1, [1, 1])])
def test_so_many_at_once_and_so_many_in_all(jobs: int, parallel: int, sizes: list[int]) -> None:
    bench = Bench()
    search(v1(), config(jobs, parallel), 3, bench)
    assert [len(batch) for batch in bench.batches[1:] if not batch[0].again] == sizes
    assert max(map(len, bench.batches)) <= parallel


def test_ranges_and_their_ends_are_kept() -> None:
    sent = config(
        4,
        integerHyperParameterRanges=[{"name": "training.bptt", "minValue": 4, "maxValue": 5}],
        categoricalHyperParameterRanges=[{"name": "recency_mask", "values": ["false"]}],
    )
    bench = Bench(lambda settings: int(settings["bptt"]))
    assert search(v1(), sent, 3, bench) == {"bptt": "5", "recency_mask": "false"}
    assert sorted(one["bptt"] for one in bench.settings()) == ["4", "5"], "there are no more"


def test_numbers_of_sims_are_searched_too() -> None:
    sims = facts_of("aws-sims")
    assert sims is not None
    bench = Bench(lambda one: -abs(float(one["popularity_discount_factor"]) - 0.11))
    found = search(sims, config(20, 5), 1, bench)
    assert abs(float(found["popularity_discount_factor"]) - 0.11) < 0.1
    assert {int(one["min_cointeraction_count"]) for one in bench.settings()} <= set(range(11))


def test_what_the_solution_sets_is_not_searched() -> None:
    bench = Bench(lambda settings: 0.0)
    search(v1(), {"algorithmHyperParameters": {"bptt": "8"}}, 3, bench)
    assert {name for one in bench.settings() for name in one} == {"hidden_dimension", "recency_mask"}
    everything = {"hidden_dimension": "64", "training.bptt": "8", "recency_mask": "true"}
    nothing = Bench()
    assert search(v1(), {"algorithmHyperParameters": everything}, 3, nothing) == {}
    assert nothing.batches == []


def test_categories_alone_are_all_tried_and_of_equals_the_first_wins() -> None:
    sent = config(9, categoricalHyperParameterRanges=[{"name": "recency_mask", "values": ["false", "true"]}])
    bench = Bench(lambda settings: 0.5)
    assert search(v1(), sent, 0, bench) == {"recency_mask": "true"}, "the default"
    assert bench.settings() == [{"recency_mask": "true"}, {"recency_mask": "false"}]


def test_most_settings_are_pruned_on_few_users_and_the_defaults_never() -> None:
    bench = Bench(events=10**6)
    planned: list[float] = []
    found = search(v1(), config(20, 5), 0, bench, planned.append)
    counts = Counter(one.part for one in bench.tries)
    assert counts[9] == 20
    assert 3 <= counts[1] <= counts[3] <= 10
    default = {"hidden_dimension": "149", "bptt": "32", "recency_mask": "true"}
    assert all(default in bench.settings(part) for part in (9, 3, 1))
    assert bench.value(found) >= sorted(map(bench.value, bench.settings(9)))[-2]
    assert sum(1 / one.part for one in bench.tries) + 4 < 1.5 * planned[0] < 20


def test_what_is_bad_is_pruned_though_nothing_better_runs_beside_it() -> None:
    """The defaults are best: of what comes later hardly anything is worth all users."""
    bench = Bench(lambda one: float(one["hidden_dimension"] == "149"), events=10**6)
    assert search(v1(), config(20, 1), 5, bench)["hidden_dimension"] == "149"
    assert len(bench.settings(9)) == 20
    assert len(bench.settings(1)) <= 7


def test_what_was_good_by_chance_is_judged_by_others_too() -> None:
    default = {"hidden_dimension": "149", "bptt": "32", "recency_mask": "true"}

    class Lucky(Bench):
        """All but the defaults are good by chance, for the users who are asked first."""

        def __call__(self, tries: Sequence[Try]) -> list[Tried]:
            self.batches.append(list(tries))
            worth = [0.5 if one.settings == default else 0.1 if one.again else 0.8 for one in tries]
            return [Tried(value, self.events) for value in worth]

    lucky = Lucky()
    assert search(v1(), config(20, 5), 0, lucky) == default
    assert len(lucky.again) == 4
    assert search(v1(), config(20, 5), 0, Bench(lambda one: 0.5)) == default, "of equals the defaults"


def test_nothing_is_searched_where_nothing_is_held_out() -> None:
    assert search(v1(), config(20), 0, lambda tries: [Tried(None, 0) for _ in tries]) == {}


@pytest.mark.parametrize(
    ("tries", "events", "parts"),
    [
        (20, 10**6, [9, 3, 1]),  # 20, 7 and 3 settings
        (20, 900_000, [9, 3, 1]),
        (20, 899_999, [3, 1]),
        (20, 299_999, [1]),
        (40, 10**6, [9, 3, 1]),  # 40, 14 and 5
        (40, 10**9, [9, 3, 1]),
        (7, 10**9, [3, 1]),
        (6, 10**9, [1]),
        (1, 10**9, [1]),
    ],
)
def test_most_settings_are_tried_on_few_users(tries: int, events: int, parts: list[int]) -> None:
    assert parts_tried(tries, events) == parts


def test_one_seed_tries_the_same_and_another_others() -> None:
    made = []
    for seed in (1, 1, 2):
        bench = Bench(events=10**6)
        made.append((search(v1(), config(20, 5), seed, bench), bench.batches))
    assert made[0] == made[1]
    assert made[0][1] != made[2][1]
