"""AutoML: trains the recipes of a list one after the other and keeps the model of the best.

A job has one artifact, so the models that lose are dropped as they lose, and a winner that was not the last
is trained again, with what its search settled: one seed and one data set give one model, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engine.workflow import Job
from ..errors import JobFailed
from ..recipes.automl import read_automl
from ..recipes.facts import Facts

Trained = dict[str, Any]


def train_best(
    job: Job, config: Mapping[str, Any], train: Callable[[Facts, Mapping[str, str] | None], Trained]
) -> tuple[Facts, Trained]:
    """The recipe of ``autoMLConfig`` with the highest value of its metric, and what its training returned.

    Args:
        job: the job of the version.
        config: the solutionConfig; nothing but its ``autoMLConfig`` is read.
        train: trains one recipe, with settings that were found before or else with a search, and returns what
            the training step returns.

    Raises:
        JobFailed: the metric is one that the recipes do not have.
    """
    candidates, metric = read_automl(config)
    best: tuple[float, Facts, Mapping[str, str]] | None = None
    for recipe in candidates:
        made = train(recipe, None)
        if metric not in made["metrics"]:
            raise JobFailed(
                f"metricName {metric} is unknown; use one of {', '.join(sorted(made['metrics']))}."
            )
        value = made["metrics"][metric]
        job.line(f"{recipe.name}: {metric} is {value}")
        if best is None or value > best[0]:
            best = (value, recipe, made.get("tuned") or {})
        if recipe is candidates[-1] and best[1] is recipe:
            return recipe, made
        job.installation.objects.remove(made["artifact"])
    assert best is not None
    return best[1], train(best[1], best[2])
