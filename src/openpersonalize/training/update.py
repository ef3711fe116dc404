"""Incremental training (trainingMode UPDATE): an earlier model learns what came since, `bring_up_to_date`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..datasets.selection import EventSelection
from ..engine.task import Task
from ..errors import CannotUpdate, JobFailed
from ..recipes.artifact import Artifact
from ..recipes.hyperparameters import read_configuration
from ..recipes.recipe import Recipe, Updates
from ..recipes.training import Training, TrainingData
from ..storage.objects import ObjectStore
from .fit import Outcome


def bring_up_to_date(
    task: Task,
    objects: ObjectStore,
    base_artifact: str,
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    solution: Mapping[str, Any],
    training: Training,
) -> Outcome:
    """Learn what came after an earlier training in addition to it. Nothing is measured: an update has the
    metrics of the version that it updates. Where that model does not fit any more everything is learned
    anew."""
    config = solution.get("solutionConfig") or {}
    metrics: dict[str, float] = {}
    tuned: dict[str, str] = {}
    questions = None
    try:
        artifact = earlier_artifact(objects, base_artifact, recipe, selection)
        metrics, tuned = artifact.manifest["metrics"], artifact.manifest["tuned"]
        questions = artifact.questions
        configuration = read_configuration(recipe.facts, config, tuned)
        if not isinstance(recipe, Updates):
            raise CannotUpdate(f"{recipe.name} always learns everything anew")
        model = recipe.update(data, configuration, training, artifact.earlier)
    except CannotUpdate as error:
        task.line(f"The earlier version cannot be brought up to date: {error.message}. All is learned anew.")
        model = recipe.fit(data, read_configuration(recipe.facts, config, tuned), training)
    return Outcome(model, metrics, tuned, questions)


def earlier_artifact(objects: ObjectStore, key: str, recipe: Recipe, selection: EventSelection) -> Artifact:
    """The artifact that an update goes on from.

    Raises:
        CannotUpdate: it is gone, or of another recipe, release or selection of events.
    """
    try:
        artifact = Artifact.open(objects.fetch(key))
    except FileNotFoundError:
        raise CannotUpdate("its model is gone") from None
    except JobFailed as error:
        raise CannotUpdate(error.message.rstrip(".")) from None
    if artifact.manifest["recipe"] != recipe.name:
        raise CannotUpdate(f"it was trained with {artifact.manifest['recipe']}")
    if artifact.selection != selection:
        raise CannotUpdate("the solution now selects events otherwise")
    return artifact
