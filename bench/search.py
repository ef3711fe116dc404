"""What a hyperparameter search is worth: NDCG@25 of held-out users, of defaults, of settings spread at random
and of the search.

    python -m bench.search DATA_FOLDER [--data NAME ...] [--recipes NAME ...] [--folds 5] [--jobs 20]

A recipe that no installed package announces is named as ``module:class``. Each fold takes another tenth of
the users, by whom nothing is searched; both searches make as many trials of the same users. Trials of the
search are pruned, those of the random one are not. 95 % intervals are of the mean difference to the defaults,
by bootstrap of the users of all folds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.evaluation.bootstrap import interval, resampled_means
from openpersonalize.recipes.hyperparameters import read_configuration, read_search
from openpersonalize.recipes.recipe import Canonical, Recipe
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData
from openpersonalize.storage.idtable import IdTable
from openpersonalize.training.fit import OBJECTIVE, measured, searched
from openpersonalize.training.search import Settings, Tried, Try, search

from .accuracy.problem import open_problem

METRIC = OBJECTIVE[0]


class Trials:
    """Trials in this process, none twice; how much they cost, in trainings on all users."""

    def __init__(self, chosen: Recipe, data: TrainingData, threads: int) -> None:
        self.chosen, self.data, self.threads = chosen, data, threads
        self.known: dict[tuple[object, ...], float] = {}
        self.cost = 0.0

    def value(self, settings: Settings, part: int = 1, again: bool = False) -> float:
        parameters = read_configuration(self.chosen.facts, {}, settings).parameters
        if isinstance(self.chosen, Canonical):
            parameters = dict(self.chosen.canonical(parameters, len(self.data.sequences.item) // part))
        key = (part, again, *sorted(parameters.items()))
        if key not in self.known:
            training = Training(seed=1, threads=self.threads)
            everything = EventSelection()
            found = searched(self.chosen, self.data, everything, {}, training, settings, part, again)
            assert found is not None
            self.known[key] = found
            self.cost += 1 / part
        return self.known[key]

    def __call__(self, tries: Sequence[Try]) -> list[Tried]:
        events = len(self.data.sequences.item)
        return [Tried(self.value(one.settings, one.part, one.again), events) for one in tries]


def at_random(trials: Trials, jobs: int, seed: int) -> Settings:
    """The best of the defaults and settings drawn evenly from the ranges."""
    ranges = read_search(trials.chosen.facts, {}).ranges
    rng = np.random.default_rng(seed)
    drawn: list[Settings] = [{one.row.name: one.row.default_text for one in ranges}]
    for _ in range(jobs - 1):
        settings = {}
        for one in ranges:
            if one.values:
                settings[one.row.name] = str(rng.choice(one.values))
            elif one.row.type == "integer":
                settings[one.row.name] = str(rng.integers(int(one.low or 0), int(one.high or 0) + 1))
            else:
                settings[one.row.name] = str(round(rng.uniform(one.low or 0.0, one.high or 0.0), 6))
        drawn.append(settings)
    return max(drawn, key=trials.value)


def named(name: str) -> Recipe:
    """A recipe by its name, or by ``module:class``."""
    module, _, made = name.partition(":")
    found = getattr(import_module(module), made)() if made else recipe(name)
    assert isinstance(found, Recipe)
    return found


def of_fold(sequences: Sequences, fold: int) -> Sequences:
    """The same events of users with other names, so that others are held out."""
    renamed = (
        sequences.users.series().to_frame("id").select(pl.format("{}-{}", pl.lit(fold), "id")).to_series()
    )
    return replace(sequences, users=IdTable.from_series(renamed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="+", default=["movielens-latest-small", "deskdrop", "online-retail"])
    parser.add_argument("--recipes", nargs="+", default=["aws-sims", "aws-user-personalization"])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    sent = {"hpoConfig": {"hpoResourceConfig": {"maxNumberOfTrainingJobs": str(options.jobs)}}}
    for data in options.data:
        problem = open_problem(options.folder, data, "loo")
        for name in options.recipes:
            chosen = named(name)
            rows, costs, seconds = [], [], time.process_time()
            for fold in range(options.folds):
                events = of_fold(problem.sequences, fold)
                given = TrainingData(Kind(events.items, problem.items, problem.textual), events)
                told: list[Settings] = [{}]
                for way in ("random", "search"):
                    trials = Trials(chosen, given, options.threads)
                    if way == "random":
                        told.append(at_random(trials, options.jobs, fold))
                    else:
                        told.append(search(chosen.facts, sent, fold, trials))
                    costs.append(trials.cost)
                values = []
                for settings in told:
                    configuration = read_configuration(chosen.facts, {}, settings)
                    training = Training(seed=1, threads=options.threads)
                    made = measured(chosen, given, EventSelection(), configuration, training)[1].questions
                    values.append(made.values[:, made.names.index(METRIC)])
                rows.append(np.stack(values, axis=1).astype(np.float64))
                shown = " | ".join(str(one) for one in told[1:])
                print(f"  fold {fold}: {np.round(rows[-1].mean(axis=0), 4)} {shown}", flush=True)
            users = np.concatenate(rows)
            means = resampled_means(users, 0)
            line = [f"defaults {users[:, 0].mean():.4f}"]
            for k, way in ((1, "random"), (2, "search")):
                low, high = interval(means[:, k] - means[:, 0])
                line.append(f"{way} {users[:, k].mean():.4f} (difference {low:+.4f} to {high:+.4f}, "
                            f"{np.mean(costs[k - 1 :: 2]):.1f} trainings)")  # fmt: skip
            low, high = interval(means[:, 2] - means[:, 1])
            line.append(f"search to random {low:+.4f} to {high:+.4f}")
            took = time.process_time() - seconds
            print(f"{data} {name}: {'; '.join(line)}; {len(users)} users, {took:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
