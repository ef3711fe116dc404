"""Publishing a trained model as the artifact of its solution version: `publish`."""

from __future__ import annotations

from ..datasets.selection import EventSelection
from ..engine.task import Task
from ..exploration.exposure import Exposure
from ..recipes.artifact import write_artifact
from ..recipes.recipe import Recipe
from ..recipes.training import TrainingData
from ..storage.keys import artifact_key
from .fit import Outcome
from .inputs import TrainingInputs


def publish(
    task: Task,
    inputs: TrainingInputs,
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    outcome: Outcome,
    exposure: Exposure | None,
    *,
    seed: int,
    base_artifact: str | None,
) -> str:
    """Write the artifact and make it visible, whole; its key. A step that runs again publishes under the same
    key, so nothing is left behind twice.

    Args:
        task: the job.
        inputs, recipe, data, selection: what was trained.
        outcome: what came of it.
        exposure: of the items, for a recipe that explores.
        seed: of every random choice.
        base_artifact: key of the artifact that was brought up to date; None: all was learned.
    """
    task.progress("publish", 0, 1, "artifact")
    staged = inputs.objects.stage()
    write_artifact(
        staged,
        model=outcome.model,
        recipe=recipe,
        data=data,
        selection=selection,
        position=inputs.position,
        manifest={
            "metrics": outcome.metrics,
            "tuned": outcome.tuned,
            "snapshots": dict(inputs.snapshots),
            "seed": seed,
            "base_artifact": base_artifact,
        },
        exposure=exposure,
        linked=inputs.linked(recipe.facts.task.events),
        questions=outcome.questions,
    )
    key = artifact_key(task.job_id)
    inputs.objects.publish(staged, key)
    task.progress("publish", 1, 1, "artifact")
    return key
