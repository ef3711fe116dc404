"""Fitting and offline evaluation of a solution version, with its hyperparameter search: `train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..datasets.holdout import HoldOut
from ..datasets.selection import EventSelection
from ..datasets.sequences import Bools
from ..datasets.splits import split_newest, split_users
from ..engine.task import Task
from ..errors import JobFailed
from ..evaluation.action_metrics import PERIOD_DAYS, measure_actions
from ..evaluation.measure import Measurement, measure
from ..evaluation.metrics import rounded
from ..evaluation.segments import measure_segments
from ..recipes.complete import CompleteModel, tuned_state
from ..recipes.facts import Task as Answers
from ..recipes.hyperparameters import read_configuration
from ..recipes.model import Model, Segments
from ..recipes.objective import measured_rewards
from ..recipes.question_values import QuestionValues
from ..recipes.recipe import IgnoresHyperparameters, Measures, Recipe
from ..recipes.training import Behaviour, Configuration, Training, TrainingData
from .search import best_third, parts_tried, settings_to_try
from .stages import training_stages

OBJECTIVE = ("normalized_discounted_cumulative_gain_at_25", "NDCG at 25")
"""What a hyperparameter search maximises on the held-out part, and how the job's log calls it."""

OBJECTIVES = {Answers.SEGMENT: ("recall_at_1_percent", "recall at 1 percent")}
"""That of tasks that are measured otherwise."""


@dataclass(frozen=True)
class Outcome:
    """A finished training: the model, its metrics, what a search settled, and the metrics of each held-out
    question (None: nothing was held out)."""

    model: Model
    metrics: dict[str, float]
    tuned: dict[str, str]
    questions: QuestionValues | None = None


def train(
    task: Task,
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    solution: Mapping[str, Any],
    training: Training,
    tuned: Mapping[str, str] | None = None,
) -> Outcome:
    """Fit on nine tenths of the users, measure on the others, fit again on all with what was settled.

    With ``performHPO`` the first two steps are done for each setting to try, many of them on a part of the
    users only (see `search`), and the best one is fitted again; with `tuned`, those settings alone. Without
    interactions, or where the recipe has metrics of its own (`Measures`), nothing is held out: one fit on
    everything.
    """
    config = solution.get("solutionConfig") or {}
    if data.interactions is None or isinstance(recipe, Measures):  # nothing is held out
        settings = dict(tuned or {})
        task.plan(training_stages(recipe, data, 1))
        configuration = read_configuration(recipe.facts, config, settings)
        fitted, metrics = recipe.fit(data, configuration, training), {}
        if isinstance(recipe, Measures):
            metrics = rounded(recipe.measured(fitted, data, configuration, training))
        return Outcome(fitted, metrics, settings)
    tries = [dict(tuned or {})]
    if solution.get("performHPO") and tuned is None:
        ignored = recipe.ignored(data) if isinstance(recipe, IgnoresHyperparameters) else frozenset()
        tries = settings_to_try(recipe.facts, config, training.seed, ignored)
    objective, called = OBJECTIVES.get(recipe.facts.task, OBJECTIVE)
    task.plan(training_stages(recipe, data, len(tries)))
    best: Outcome | None = None
    for part in parts_tried(len(tries), len(data.sequences.item)):
        found = []
        for number, settings in enumerate(tries, start=1):
            configuration = read_configuration(recipe.facts, config, settings)
            model, made = measured(recipe, data, selection, configuration, training, part)
            metrics = rounded(made.metrics)
            value = metrics[objective]
            shown = ", ".join(f"{name} {text}" for name, text in settings.items()) or recipe.name
            of = "" if part == 1 else f" of one user in {part}"
            task.line(f"Model {number} of {len(tries)}{of} ({shown}): {called} is {value}.")
            found.append((value, settings))
            if part == 1 and (best is None or value > best.metrics[objective]):
                best = Outcome(model, metrics, settings, made.questions)
        tries = best_third(found)
    assert best is not None
    final = replace(training, warm_state=tuned_state(best.model), warm_model=best.model)
    return replace(best, model=recipe.fit(data, read_configuration(recipe.facts, config, best.tuned), final))


def measured(
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    configuration: Configuration,
    training: Training,
    part: int = 1,
) -> tuple[Model, Measurement]:
    """A model of nine tenths of the users, or of one in `part` of these, and how well it does for the
    others; where users are ranked, one of the older four fifths of everybody's events, and how well it finds
    who had the others."""
    segments = recipe.facts.task is Answers.SEGMENT
    parts = (split_newest if segments else split_users)(data.sequences)
    learnt = data.sequences.where(parts.training & sample(data, part, training.seed))
    shown = replace(data, interactions=learnt, behaviour=_behaviour_before(data, parts))
    model = recipe.fit(shown, configuration, training)
    if segments:
        if not isinstance(model, Segments):
            raise JobFailed(f"Recipe {recipe.name} ranks users, so its model has to be Segments.")
        found = measure_segments(
            model,
            data.sequences,
            parts,
            data.attributes,
            progress=training.progress,
            check=training.check,
        )
        return model, found
    complete = CompleteModel(model, recipe.facts.task, shown.counts)
    if recipe.facts.task is Answers.ACTIONS:
        days = int(configuration.parameters.get("action_optimization_period", PERIOD_DAYS))
        found = measure_actions(complete, data, parts, days, progress=training.progress, check=training.check)
        return model, found
    found = measure(
        complete,
        data.sequences,
        parts,
        shown.counts,
        weighted=selection.weighted,
        reward=measured_rewards(
            data.ranked.records, configuration.objective.attribute if configuration.objective else None
        ),
        progress=training.progress,
        check=training.check,
    )
    return model, found


def _behaviour_before(data: TrainingData, held_out: HoldOut) -> Behaviour | None:
    """What users did with items, of those who are asked only what came before their questions."""
    if data.behaviour is None:
        return None
    done = data.behaviour.interactions
    asked = data.sequences.users.series().gather(held_out.user)
    until = np.full(len(done.users) + 1, np.iinfo(np.int64).max)
    until[done.users.find_all(asked)] = held_out.now  # -1 is nobody's place
    return replace(data.behaviour, interactions=done.where(done.time < until[:-1][done.user]))


def sample(data: TrainingData, part: int, seed: int) -> Bools:
    """bool[N], the events of about one user in `part`; a user in nine is a user in three, too."""
    sequences = data.sequences
    drawn = np.random.default_rng(seed).random(len(sequences.users)) < 1 / part
    return np.repeat(drawn, sequences.counts)
