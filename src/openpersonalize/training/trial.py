"""The heavy step of a trial: one fit that is measured and thrown away, for a search of hyperparameters or a
comparison of recipes (`run`).

Runs in a process of its own, several of them side by side. Memory: that of `data`, and what the recipe
states.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..engine.task import Task
from .fit import compared, searched
from .opening import open_training
from .stages import comparison_stages


def run(
    task: Task,
    *,
    solution: Mapping[str, Any],
    tuned: Mapping[str, str],
    part: int | None,
    again: bool = False,
    **pinned: Any,
) -> dict[str, Any]:
    """Fit once and measure.

    Args:
        task: the job.
        solution, pinned: see `open_training`.
        tuned: hyperparameters, as texts.
        part: for a search: one user in so many trains, and none by whom the version will be measured has a
            say, see `fit.searched`. None: as the version would be measured.
        again: by other users than the first time.

    Returns:
        Of a search ``value``, what it maximises (None: the recipe holds nothing out), and ``events``, the
        interactions of all users; of a comparison ``metrics``.

    Raises:
        JobFailed, JobStopped: see `open_training`.
    """
    with open_training(task, solution=solution, **pinned) as opened:
        recipe, data, selection, training = opened.recipe, opened.data, opened.selection, opened.training
        task.plan(comparison_stages(recipe, data))
        if part is None:
            return {"metrics": compared(recipe, data, selection, solution, training, tuned)}
        value = searched(recipe, data, selection, solution, training, tuned, part, again)
    return {"value": value, "events": 0 if data.interactions is None else len(data.interactions.item)}
