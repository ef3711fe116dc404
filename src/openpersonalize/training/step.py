"""The heavy step of a training job: reads the inputs, fits, measures, fits again on everything, publishes.

Runs in a process of its own. Memory: that of `data`, and what the recipe states. One seed and one data set
give one artifact, bit for bit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..clock import SystemClock
from ..datasets.schemas import parse_schema
from ..engine.task import Task
from ..errors import JobFailed, StartError
from ..events.stores import open_live_log
from ..recipes.facts import Task as Answers
from ..recipes.registry import recipe as find_recipe
from ..recipes.registry import registry
from ..recipes.training import Training
from ..storage.objects import open_objects
from .action_data import read_actions
from .data import read
from .exposures import exposure_of
from .fit import train
from .inputs import TrainingInputs
from .publish import publish
from .stages import update_stages
from .update import bring_up_to_date


def run(
    task: Task,
    *,
    recipe: str,
    solution: Mapping[str, Any],
    schemas: Mapping[str, str],
    snapshots: Mapping[str, str | None],
    group: str,
    position: int,
    moment: int,
    seed: int,
    base_artifact: str | None = None,
    tuned: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train one solution version.

    Args:
        task: the job.
        recipe: name or ARN.
        solution: ``eventType``, ``performHPO`` and ``solutionConfig`` of the version.
        schemas: schema texts by dataset type.
        snapshots: keys of the snapshots by dataset type; None before the first import.
        group: ARN of the dataset group.
        position: place in the live log up to which streamed data counts.
        moment: seconds, when the training began.
        seed: the source of every random choice.
        base_artifact: key of the artifact that is brought up to date (trainingMode UPDATE); None: FULL.
        tuned: what a search on the same data settled: none is made again. None: ``performHPO`` rules.

    Returns:
        ``artifact`` (its key), ``metrics`` (four decimals; an update has those of the version that it
        updates), ``training_hours``, ``tuned`` (texts; empty without a search).

    Raises:
        JobFailed: too little data, or a recipe that cannot be trained; the sentence is the failureReason.
        JobStopped: somebody asked to stop.
    """
    began = time.monotonic()
    try:
        registry()
    except StartError as error:
        raise JobFailed(error.message) from error
    chosen = find_recipe(recipe)
    if chosen is None:
        raise JobFailed(f"Recipe {recipe} is not installed here, or this version cannot train it.")
    objects = open_objects(task.settings)
    log = open_live_log(task.settings, SystemClock())
    try:
        known = {kind: parse_schema(text) for kind, text in schemas.items()}
        inputs = TrainingInputs(objects, log, known, snapshots, group, position)
        read_it = read_actions if chosen.facts.task is Answers.ACTIONS else read
        data, selection = read_it(task, inputs, solution, chosen)
        exposure = exposure_of(task, inputs, data, chosen)
        encoder = task.settings.sentence_encoder
        training = Training(
            seed,
            task.settings.threads or os.cpu_count() or 1,
            task.progress,
            task.check,
            moment=moment,
            line=task.line,
            budget_seconds=task.settings.training_seconds or None,
            sentence_encoder=Path(encoder).expanduser() if encoder else None,
        )
        if base_artifact is None:
            outcome = train(task, chosen, data, selection, solution, training, tuned)
        else:
            task.plan(update_stages(data))
            outcome = bring_up_to_date(
                task, objects, base_artifact, chosen, data, selection, solution, training
            )
        hours = (time.monotonic() - began) / 3600
        task.check()
        key = publish(
            task, inputs, chosen, data, selection, outcome, exposure, seed=seed, base_artifact=base_artifact
        )
    finally:
        log.close()
    return {
        "artifact": key,
        "metrics": outcome.metrics,
        "training_hours": round(hours, 3),
        "tuned": outcome.tuned,
    }
