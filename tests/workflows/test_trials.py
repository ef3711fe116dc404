"""Trials are made once, whatever dies in between, and those that come to the same model only one of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from openpersonalize.installation import Installation
from openpersonalize.resources.store import Resource, Scope
from openpersonalize.workflows.trainings import Train, start_training
from openpersonalize.workflows.trials import STEP
from workflows.rehearsal import Died, Rehearsal

RECIPE = "arn:aws:personalize:::recipe/"
_numbers = itertools.count(1)


class Bench:
    """A version to be trained; its trials are worth what `value` says of their arguments."""

    def __init__(
        self,
        installation: Installation,
        scope: Scope,
        value: Callable[[dict[str, Any]], float],
        *,
        events: int = 50_000,
        **attributes: Any,
    ) -> None:
        self.installation, self.scope, self.value, self.events = installation, scope, value, events
        self.trials: list[dict[str, Any]] = []
        self.trained: list[dict[str, Any]] = []
        name = f"t{next(_numbers)}"
        group = scope.arn(f"dataset-group/{name}")
        with scope.write() as tx:
            tx.add("dataset-group", group, name, status="ACTIVE")
            solution = tx.add(
                "solution",
                scope.arn(f"solution/{name}"),
                name,
                group_arn=group,
                status="ACTIVE",
                attributes={"datasetGroupArn": group, **attributes},
            )
            self.solution = solution.arn
            self.version = start_training(
                tx, solution, "v1", training_mode="FULL", training_type="MANUAL"
            ).arn

    def rehearse(self, die_at: int | None = None) -> Rehearsal:
        return Rehearsal(
            self.installation, self.scope, "train", self.version, heavy=self._step, die_at=die_at
        )

    def read(self, arn: str | None = None) -> Resource:
        with self.scope.read() as tx:
            return tx.require(arn or self.version)

    def _step(self, step: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if step == STEP:
            self.trials.append(arguments)
            value = self.value(arguments)
            if arguments["part"] is None:
                return {"metrics": {"normalized_discounted_cumulative_gain_at_25": value}}
            return {"value": value, "events": self.events}
        self.trained.append(arguments)
        key = f"artifacts/{next(_numbers)}"
        self.installation.objects.publish(self.installation.objects.stage(), key)
        made = {"artifact": key, "metrics": {"coverage": 0.5}, "training_hours": 0.1}
        return {**made, "tuned": arguments["tuned"]}


Benches = Callable[..., Bench]


@pytest.fixture
def benches(installation: Installation, scope: Scope) -> Benches:
    return lambda value, **given: Bench(installation, scope, value, **given)


def searched(jobs: int, parallel: int) -> dict[str, Any]:
    resources = {"maxNumberOfTrainingJobs": str(jobs), "maxParallelTrainingJobs": str(parallel)}
    return {
        "performHPO": True,
        "recipeArn": f"{RECIPE}aws-sims",
        "solutionConfig": {"hpoConfig": {"hpoResourceConfig": resources}},
    }


def near(arguments: dict[str, Any]) -> float:
    """Best at a discount of 0.2."""
    return 1 - abs(float(arguments["tuned"]["popularity_discount_factor"]) - 0.2)


def made(bench: Bench) -> Counter[tuple[str, int, bool]]:
    return Counter((str(sorted(one["tuned"].items())), one["part"], one["again"]) for one in bench.trials)


def test_a_version_has_what_its_search_found(benches: Benches) -> None:
    bench = benches(near, **searched(6, 3))
    rehearsal = bench.rehearse()
    Train().run(rehearsal)
    version = bench.read()
    assert set(made(bench).values()) == {1}, "the defaults too are fitted once"
    assert sum(not one["again"] for one in bench.trials) == 6
    best = max(bench.trials, key=near)["tuned"]
    assert version.attributes["tunedHPOParams"] == {"algorithmHyperParameters": best}
    assert [one["tuned"] for one in bench.trained] == [best]
    assert version.internal.trials == {}, "nobody needs them any more"
    assert sum("Trial (" in line for line in rehearsal.lines) == 6


def test_a_search_that_died_goes_on_where_it_was(benches: Benches) -> None:
    whole = benches(near, events=10**6, **searched(9, 2))
    with whole.scope.write() as tx:
        tx.update(whole.version, internal={"seed": 5})
    Train().run(whole.rehearse())
    for die_at in range(1, 200):
        bench = benches(near, events=10**6, **searched(9, 2))
        with bench.scope.write() as tx:
            tx.update(bench.version, internal={"seed": 5})
        try:
            Train().run(bench.rehearse(die_at=die_at))
        except Died:
            Train().run(bench.rehearse())
        else:
            break
        again = made(bench) - made(whole)
        assert sum(again.values()) <= 1, "at most the one that was under way"
        assert made(bench).keys() == made(whole).keys()
        assert bench.trained[-1]["tuned"] == whole.trained[-1]["tuned"]
    assert die_at > 20


def test_a_search_that_died_begins_with_nothing_when_its_data_is_new(benches: Benches) -> None:
    bench = benches(near, **searched(4, 2))
    Train().run(bench.rehearse())
    first = len(bench.trials)
    with bench.scope.write() as tx:
        solution = tx.require(bench.solution)
        bench.version = start_training(tx, solution, "v2", training_mode="FULL", training_type="MANUAL").arn
    Train().run(bench.rehearse())
    assert len(bench.trials) == 2 * first


def test_without_an_encoder_its_shape_is_not_tried(benches: Benches) -> None:
    settings = {**searched(20, 5), "recipeArn": f"{RECIPE}aws-user-personalization"}
    bench = benches(lambda one: float(one["tuned"]["recency_mask"] == "false"), events=9_999, **settings)
    Train().run(bench.rehearse())
    assert sorted(one["tuned"]["recency_mask"] for one in bench.trials) == ["false", "false", "true", "true"]
    assert sum(one["again"] for one in bench.trials) == 2
    assert bench.read().attributes["tunedHPOParams"]["algorithmHyperParameters"]["recency_mask"] == "false"
    wide = benches(lambda one: 0.0, events=10_000, **settings)
    Train().run(wide.rehearse())
    assert len(wide.trials) > 10


def test_automl_measures_each_recipe_once_and_makes_one_model(benches: Benches) -> None:
    recipes = [f"{RECIPE}aws-user-personalization", f"{RECIPE}aws-popularity-count"]
    config = {"autoMLConfig": {"recipeList": recipes}, "eventValueThreshold": "3"}

    def value(arguments: dict[str, Any]) -> float:
        if arguments["recipe"] == recipes[1]:
            return 0.2
        return 0.3 if arguments["tuned"].get("recency_mask") == "false" else 0.1

    moments = itertools.count(1)
    for die_at in moments:
        bench = benches(value, events=5_000, performAutoML=True, solutionConfig=config, eventType="click")
        try:
            Train().run(bench.rehearse(die_at=die_at))
        except Died:
            Train().run(bench.rehearse())
        assert len(bench.trials) <= 4 + 2 + 1, "one that was under way comes again"
        assert {one["solution"]["eventType"] for one in bench.trials} == {"click"}
        assert all(not one["solution"]["solutionConfig"] for one in bench.trials), "the rest is not read"
        assert bench.trained[-1]["recipe"] == recipes[0]
        assert bench.trained[-1]["tuned"]["recency_mask"] == "false"
        assert bench.read(bench.solution).attributes["autoMLResult"] == {"bestRecipeArn": recipes[0]}
        if len(bench.trained) == 1 and bench.read().status == "ACTIVE" and die_at > 30:
            break
