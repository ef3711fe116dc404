"""The heavy step of a training job: reads the inputs, fits, measures, fits again on everything, publishes.

Runs in a process of its own. Memory: that of `data`, and what the recipe states. One seed and one data set
give one artifact, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..engine.task import Task
from .exposures import exposure_of
from .fit import train
from .opening import open_training
from .publish import publish
from .stages import update_stages
from .update import bring_up_to_date


def run(
    task: Task,
    *,
    solution: Mapping[str, Any],
    seed: int,
    base_artifact: str | None = None,
    tuned: Mapping[str, str] | None = None,
    **pinned: Any,
) -> dict[str, Any]:
    """Train one solution version.

    Args:
        task: the job.
        solution, seed, pinned: see `open_training`.
        base_artifact: key of the artifact that is brought up to date (trainingMode UPDATE); None: FULL.
        tuned: hyperparameters that a search on the same data settled.

    Returns:
        ``artifact`` (its key), ``metrics`` (four decimals; an update has those of the version that it
        updates), ``training_hours``, ``tuned`` (texts; empty without a search).

    Raises:
        JobFailed, JobStopped: see `open_training`.
    """
    began = time.monotonic()
    with open_training(task, solution=solution, seed=seed, **pinned) as opened:
        recipe, data, selection = opened.recipe, opened.data, opened.selection
        exposure = exposure_of(task, opened.inputs, data, recipe)
        if base_artifact is None:
            outcome = train(task, recipe, data, selection, solution, opened.training, tuned)
        else:
            task.plan(update_stages(data))
            outcome = bring_up_to_date(
                task, opened.objects, base_artifact, recipe, data, selection, solution, opened.training
            )
        hours = (time.monotonic() - began) / 3600
        task.check()
        key = publish(
            task,
            opened.inputs,
            recipe,
            data,
            selection,
            outcome,
            exposure,
            seed=seed,
            base_artifact=base_artifact,
        )
    return {
        "artifact": key,
        "metrics": outcome.metrics,
        "training_hours": round(hours, 3),
        "tuned": outcome.tuned,
    }
