"""Recipes compared: pairing, seeds, failures, and the tables that tell it. Recipes whose worth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.arrays import Float32
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.errors import JobFailed, JobStopped
from openpersonalize.evaluation.comparison import OVERALL, PER_USER, Comparison, ConfiguredRecipe, compare
from openpersonalize.evaluation.peak import forget_peak, peak_bytes
from openpersonalize.evaluation.report import LEADING, as_csv, as_json, as_text
from openpersonalize.recipes.facts import Facts, Task
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.model import Model
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.recipe import Recipe
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.storage.idtable import IdTable
from openpersonalize.testing.worlds import loyal, sequences_of, two_clusters


class Chance(Model):
    """Scores drawn from a seed; items of the cluster of the newest event come first with `lead`."""

    def __init__(self, world: Sequences, seed: int, lead: float) -> None:
        self.items = world.items
        self.rng = np.random.default_rng(seed)
        self.lead = lead
        self.cluster = np.array([name[0] for name in world.items])

    def scores(self, query: Query) -> Float32:
        same = self.cluster == self.cluster[query.item[-1]]
        return (self.rng.random(len(self.items)) + self.lead * same).astype(np.float32)

    def save(self, folder: Path) -> None:
        raise AssertionError


class Guess(Recipe):
    api = 1
    lead = 0.0

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        raise AssertionError

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        return Chance(data.sequences, training.seed, self.lead)


class Informed(Guess):
    lead = 2.0


class Impossible(Guess):
    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        raise JobFailed("It needs prices.")


class Broken(Guess):
    """Its second seed fails, in a way nobody foresaw."""

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        if training.seed == 2:
            raise ZeroDivisionError("division by zero")
        return super().fit(data, configuration, training)


def configured(kind: type[Recipe], name: str) -> ConfiguredRecipe:
    return ConfiguredRecipe(kind(Facts(name, Task.PERSONALISE, "for tests")), Configuration({"width": 3}))


def compared(*recipes: ConfiguredRecipe, split: str = "last", seeds: tuple[int, ...] = (1, 2)) -> Comparison:
    data = TrainingData.of(two_clusters(users=200))
    return compare(data, recipes, split=split, seeds=seeds, training=Training())


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compared(
        configured(Guess, "guess"), configured(Informed, "informed"), configured(Guess, "another-guess")
    )


def test_who_knows_more_is_better_and_who_knows_as_much_is_not(found: Comparison) -> None:
    guess, informed, another = (one.figures["excluded"][LEADING] for one in found.results)
    assert informed.difference_low is not None
    assert informed.difference_low > 0.2
    assert guess.difference is None
    # The same seeds make the same guesses: paired differences are exactly nothing.
    assert (another.difference, another.difference_low, another.difference_high) == (0.0, 0.0, 0.0)
    # Of its cluster three items are new to a user; a guess puts the right one in any of three places.
    assert informed.mean == pytest.approx((1 + 1 / np.log2(3) + 1 / 2) / 3, abs=0.05)


def test_figures_are_means_over_seeds(found: Comparison) -> None:
    assert found.seeds == (1, 2)
    for mode in ("kept", "excluded"):
        figures = found.results[0].figures[mode]
        assert set(figures) == {*PER_USER, *OVERALL}
        for figure in figures.values():
            assert figure.mean == pytest.approx(np.mean(figure.by_seed))
        one, other = figures[LEADING].by_seed
        assert one != other
        assert figures["coverage"].low is None
    again = compared(configured(Guess, "guess"), seeds=(2,)).results[0].figures["kept"][LEADING]
    assert again.mean == pytest.approx(found.results[0].figures["kept"][LEADING].by_seed[1])


def test_met_items_are_neither_listed_nor_counted(found: Comparison) -> None:
    # 20 items, 7 met before the last event: 13 can be listed, and each user's truth is among them.
    assert found.questions == {"kept": 200, "excluded": 200}
    for result in found.results:
        assert result.figures["excluded"]["recall_at_25"].mean == 1.0
        assert result.figures["excluded"]["precision_at_25"].mean == pytest.approx(1 / 25)


def test_where_every_recipe_fails_all_are_named() -> None:
    with pytest.raises(JobFailed) as caught:
        compared(configured(Impossible, "impossible"), configured(Broken, "broken"))
    assert "impossible cannot be compared: It needs prices." in str(caught.value)
    assert "broken cannot be compared: ZeroDivisionError: division by zero" in str(caught.value)


def test_one_that_fails_keeps_no_other_from_being_compared() -> None:
    told: list[str] = []
    found = compare(
        TrainingData.of(two_clusters(users=200)),
        [configured(Impossible, "impossible"), configured(Guess, "guess"), configured(Broken, "broken"),
         configured(Informed, "informed")],
        split="last", seeds=(1, 2), training=Training(line=told.append),
    )  # fmt: skip
    assert found.baseline == "guess"
    assert [one.name for one in found.results] == ["guess", "informed"]
    alone = compared(configured(Guess, "guess"), configured(Informed, "informed"))
    assert found.results[1].figures == alone.results[1].figures
    assert [one.name for one in found.failures] == ["impossible", "broken"]
    assert as_text(found).endswith(
        "Could not be compared\nimpossible: It needs prices.\nbroken: ZeroDivisionError: division by zero"
    )
    assert json.loads(as_json(found))["failures"][0]["reason"] == "It needs prices."
    # Of a failure that nobody foresaw the place is told.
    assert any("Traceback" in line and "in fit" in line for line in told)


def test_a_stop_is_no_failure() -> None:
    def stop() -> None:
        raise JobStopped

    with pytest.raises(JobStopped):
        compare(
            TrainingData.of(two_clusters(users=200)),
            [configured(Guess, "guess"), configured(Informed, "informed")],
            split="last", seeds=(1,), training=Training(check=stop),
        )  # fmt: skip


def test_nobody_on_both_sides_of_the_moment() -> None:
    data = TrainingData.of(
        sequences_of([(f"u{k}", f"i{place}", 10 * k + place) for k in range(30) for place in (0, 1)])
    )
    with pytest.raises(JobFailed, match="both before and in the newest tenth"):
        compare(data, [configured(Guess, "guess")], split="time", seeds=(0,), training=Training())


@pytest.mark.parametrize("split", ["user", "last", "time"])
def test_every_split(split: str) -> None:
    data = TrainingData.of(loyal(users=200))
    told = compare(data, [configured(Guess, "guess")], split=split, seeds=(0,), training=Training())
    assert told.split == split
    assert 0 < told.training_interactions < told.interactions
    assert told.questions["kept"] > 0


def test_users_who_only_repeat_themselves_are_asked_as_served_alone() -> None:
    rows = [(f"u{user}", f"i{user % 7}", 10 * user + place) for user in range(30) for place in range(3)]
    data = TrainingData.of(sequences_of(rows))
    told = compare(data, [configured(Guess, "guess")], split="last", seeds=(0,), training=Training())
    assert told.questions == {"kept": 30, "excluded": 0}
    assert {figure.mean for figure in told.results[0].figures["excluded"].values()} == {0.0}
    assert "(0 users asked)" in as_text(told)


def test_the_tables(found: Comparison) -> None:
    text = as_text(found)
    assert max(map(len, text.splitlines())) <= 120
    lines = [line for line in text.splitlines() if line.startswith(("informed", "another-guess"))]
    assert "unclear" not in lines[0]
    assert lines[1].split()[-4] == "unclear"
    told = json.loads(as_json(found))
    assert told["results"][1]["hyperparameters"] == {"width": 3}
    rows = as_csv(found).splitlines()
    assert len(rows) == 1 + 3 * 2 * (len(PER_USER) + len(OVERALL))
    assert rows[0].startswith("recipe,mode,measure,mean,low,high,difference")
    unknown = replace(found.results[0], peak_memory_bytes=(None,))
    assert "unknown" in as_text(replace(found, results=(unknown,)))


def test_the_peak_of_memory_sees_what_is_gone() -> None:
    forget_peak()
    before = peak_bytes()
    if before is None:
        pytest.skip("this system does not tell")
    held = np.ones(64 * 1024 * 1024 // 8)
    del held
    after = peak_bytes()
    assert after is not None
    assert after - before > 32 * 1024 * 1024
