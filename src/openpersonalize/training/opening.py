"""What every step of a training begins with, `open_training`: the recipe, its data, and how to train."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..clock import SystemClock
from ..datasets.schemas import parse_schema
from ..datasets.selection import EventSelection
from ..engine.cores import calculate_alone
from ..engine.task import Task
from ..errors import JobFailed, StartError
from ..events.stores import open_live_log
from ..recipes.facts import Task as Answers
from ..recipes.recipe import Recipe
from ..recipes.registry import recipe as find_recipe
from ..recipes.registry import registry
from ..recipes.training import Training, TrainingData
from ..storage.objects import ObjectStore, open_objects
from .action_data import read_actions
from .data import read
from .inputs import TrainingInputs


@dataclass(frozen=True)
class OpenTraining:
    """A recipe with the data of one solution version, read and checked."""

    recipe: Recipe
    objects: ObjectStore
    inputs: TrainingInputs
    data: TrainingData
    selection: EventSelection
    training: Training


@contextmanager
def open_training(
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
) -> Iterator[OpenTraining]:
    """Read what a version trains on; the live log is open until the end of the block.

    Args:
        task: the job.
        recipe: name or ARN.
        solution: ``eventType`` and ``solutionConfig`` of the version.
        schemas: schema texts by dataset type.
        snapshots: keys of the snapshots by dataset type; None before the first import.
        group: ARN of the dataset group.
        position: place in the live log up to which streamed data counts.
        moment: seconds, when the training began.
        seed: the source of every random choice.

    Raises:
        JobFailed: too little data, or a recipe that cannot be trained; the sentence is the failureReason.
        JobStopped: somebody asked to stop.
    """
    try:
        registry()
    except StartError as error:
        raise JobFailed(error.message) from error
    chosen = find_recipe(recipe)
    if chosen is None:
        raise JobFailed(f"Recipe {recipe} is not installed here, or this version cannot train it.")
    calculate_alone()
    objects = open_objects(task.settings)
    log = open_live_log(task.settings, SystemClock())
    try:
        known = {kind: parse_schema(text) for kind, text in schemas.items()}
        inputs = TrainingInputs(objects, log, known, snapshots, group, position)
        read_it = read_actions if chosen.facts.task is Answers.ACTIONS else read
        data, selection = read_it(task, inputs, solution, chosen)
        encoder = task.settings.sentence_encoder
        training = Training(
            seed,
            task.settings.threads or os.cpu_count() or 1,
            task.progress,
            task.check,
            moment=moment,
            line=task.line,
            omit=task.omit,
            budget_seconds=task.settings.training_seconds or None,
            sentence_encoder=Path(encoder).expanduser() if encoder else None,
        )
        yield OpenTraining(chosen, objects, inputs, data, selection, training)
    finally:
        log.close()
