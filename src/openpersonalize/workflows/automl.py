"""AutoML: measures the recipes of a list, each with the hyperparameters that its search finds, and tells the
best. One artifact is made, of the best; one seed and one data set give one model, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import JobFailed
from ..recipes.automl import read_automl
from ..recipes.facts import Facts, Offer
from ..training.search import Settings
from .trials import HyperparameterSearch, Solution, Trials


def best_recipe(trials: Trials, config: Mapping[str, Any], solution: Solution) -> tuple[Facts, Settings]:
    """The recipe of ``autoMLConfig`` with the highest value of its metric, and its hyperparameters; of equals
    the first.

    Args:
        trials: of the job.
        config: the solutionConfig; nothing but its ``autoMLConfig`` is read.
        solution: what is trained: ``eventType``.

    Raises:
        JobFailed: the metric is one that the recipes do not have.
    """
    candidates, metric = read_automl(config)
    best: tuple[float, Facts, Settings] | None = None
    for recipe in candidates:
        tuned = HyperparameterSearch(trials, recipe, solution).run() if Offer.HPO in recipe.offers else {}
        metrics = trials.metrics(recipe, solution, tuned)
        if metric not in metrics:
            raise JobFailed(f"metricName {metric} is unknown; use one of {', '.join(sorted(metrics))}.")
        trials.job.line(f"{recipe.name}: {metric} is {metrics[metric]}.")
        if best is None or metrics[metric] > best[0]:
            best = (metrics[metric], recipe, tuned)
    assert best is not None
    return best[1], best[2]
