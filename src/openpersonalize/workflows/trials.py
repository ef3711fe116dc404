"""Trials: fits of a training job that are only measured, for a search of hyperparameters and for AutoML
(`Trials`, `HyperparameterSearch`).

Several run at once, as heavy steps in processes of their own. What each came to is written down with the
version when it ends, so a job that begins again after a crash makes none of them twice; and as they depend on
nothing but their arguments, it proposes the same ones again. Settings that come to the same model
(`recipe.Canonical`) are fitted once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeAlias

from ..engine.workflow import Job
from ..recipes.facts import Facts
from ..recipes.hyperparameters import read_configuration, read_search
from ..recipes.recipe import Canonical
from ..recipes.registry import recipe as find_recipe
from ..resources.internals import VersionInternal
from ..training.search import Settings, Tried, Try, search

STEP = "openpersonalize.training.trial:run"

FINAL = 2.2
"""What the training after a search takes, in fits on all users."""

Solution: TypeAlias = Mapping[str, Any]
"""``eventType`` and ``solutionConfig`` of a version."""


class Trials:
    """The trials of one training job, each made once.

    Args:
        job: of a solution version.
        pinned: what every trial trains on, arguments of `training.opening.open_training`.
    """

    def __init__(self, job: Job, pinned: Mapping[str, Any]) -> None:
        self.job = job
        self.seed = int(pinned["seed"])
        self._pinned = pinned
        with job.scope.read() as tx:
            version = tx.require(job.resource_arn, "solution-version")
        self._known = dict(VersionInternal.of(version).trials)

    def results(
        self,
        recipe: Facts,
        solution: Solution,
        tries: Mapping[str, dict[str, Any]],
        most: int,
        progress: bool = True,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """What some trials came to, by their keys: those that are known already, then the others as they end.

        Args:
            tries: ``tuned``, ``part`` and ``again`` of each, see `training.trial.run`; equal keys mean equal
                results.
            most: how many may run at once. progress: whether theirs is told.
        """
        yield from ((key, self._known[key]) for key in tries if key in self._known)
        missing = [key for key in tries if key not in self._known]
        common = {**self._pinned, "recipe": recipe.arn, "solution": solution}
        calls = [{**common, **tries[key]} for key in missing]
        with closing(self.job.heavy_each(STEP, calls, most, progress=progress)) as ended:
            for place, result in ended:
                self._known[missing[place]] = result
                with self.job.scope.write() as tx:
                    tx.update(self.job.resource_arn, internal={"trials": self._known})
                yield missing[place], result

    def metrics(self, recipe: Facts, solution: Solution, tuned: Settings) -> dict[str, float]:
        """The metrics that a version of this recipe would have."""
        [(_, result)] = self.results(
            recipe, solution, {f"{recipe.arn} measured": {"tuned": tuned, "part": None}}, 1
        )
        return dict(result["metrics"])


class HyperparameterSearch:
    """One search of the hyperparameters of one recipe, by trials."""

    def __init__(self, trials: Trials, recipe: Facts, solution: Solution) -> None:
        """`trials` runs them; `recipe` and `solution` are whose they are."""
        self._trials, self._recipe, self._solution = trials, recipe, solution
        self._config = solution.get("solutionConfig") or {}
        self._parallel = read_search(recipe, self._config).parallel
        self._seconds = 1.0
        self._events: int | None = None
        self._first: dict[str, str] = {}
        self._told: set[str] = set()
        self._planned = self._done = 0.0

    def run(self) -> Settings:
        """The hyperparameters that it finds, as texts; empty: there is nothing to tune, or to compare."""
        found = search(self._recipe, self._config, self._trials.seed, self._evaluate, self._plan)
        if found:
            self._trials.job.line(f"The search settled on {_shown(found)}.")
        return found

    def _evaluate(self, tries: Sequence[Try]) -> list[Tried]:
        began = time.monotonic()
        keys = [self._key(one) for one in tries]
        distinct: dict[str, Try] = {}
        for key, one in zip(keys, tries, strict=True):
            distinct.setdefault(key, one)
        wanted = {
            key: {"tuned": one.settings, "part": one.part, "again": one.again}
            for key, one in distinct.items()
        }
        found: dict[str, dict[str, Any]] = {}
        results = self._trials.results(
            self._recipe, self._solution, wanted, self._parallel, progress=not self._planned
        )
        for key, result in results:
            found[key] = result
            if key not in self._told:
                self._tell(key, distinct[key], result["value"])
        if self._events is None:
            self._events = found[keys[0]]["events"]
            self._first = {self._key(tries[0]): keys[0]}
            self._seconds = max(time.monotonic() - began, 1.0)
        return [Tried(found[key]["value"], found[key]["events"]) for key in keys]

    def _key(self, one: Try) -> str:
        """The same for tries that come to the same model, on the same users."""
        parameters = read_configuration(self._recipe, self._config, one.settings).parameters
        code = find_recipe(self._recipe.arn)
        if isinstance(code, Canonical) and self._events is not None:
            parameters = dict(code.canonical(parameters, self._events // one.part))
        by = "again" if one.again else f"1/{one.part}"
        key = f"{self._recipe.arn} {by} {json.dumps(parameters, sort_keys=True)}"
        return self._first.get(key, key)

    def _tell(self, key: str, one: Try, value: float | None) -> None:
        self._told.add(key)
        of = " again" if one.again else "" if one.part == 1 else f" of one user in {one.part}"
        self._trials.job.line(f"Trial{of} ({_shown(one.settings)}): {value}.")
        self._done += 1 / one.part
        if self._planned:
            self._report()

    def _plan(self, trainings: float) -> None:
        job = self._trials.job
        at_once = min(self._parallel, job.installation.settings.job_slots)
        job.plan([("search", self._seconds * trainings / at_once), ("*", self._seconds * FINAL)])
        self._planned = trainings
        self._report()

    def _report(self) -> None:
        done = min(self._done, self._planned)
        self._trials.job.progress("search", done, self._planned, "trainings")


def _shown(settings: Settings) -> str:
    return ", ".join(f"{name} {text}" for name, text in settings.items())
