"""Fitting and offline evaluation of a solution version, `train`; and of settings that are only compared,
`compared` and `searched`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..datasets.holdout import HoldOut
from ..datasets.selection import EventSelection
from ..datasets.sequences import Bools, Sequences
from ..datasets.splits import FOLDS, split_newest, split_users
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
from ..recipes.recipe import Measures, Recipe
from ..recipes.training import Behaviour, Configuration, Training, TrainingData
from .stages import training_stages

OBJECTIVE = ("normalized_discounted_cumulative_gain_at_25", "NDCG at 25")
"""The metric that a hyperparameter search maximises, and how the job's log calls it."""

OBJECTIVES = {Answers.SEGMENT: ("recall_at_1_percent", "recall at 1 percent")}
"""That of tasks that are measured otherwise."""

VALIDATION_USERS = 1_000
"""Users that a search asks, at least, where a third of them are that many."""
VALIDATION_TENTHS = 3


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

    Without interactions, or where the recipe has metrics of its own (`Measures`), nothing is held out: one
    fit on everything.

    Args:
        tuned: hyperparameters that a search settled.
    """
    config = solution.get("solutionConfig") or {}
    settings = dict(tuned or {})
    configuration = read_configuration(recipe.facts, config, settings)
    task.plan(training_stages(recipe, data))
    if data.interactions is None or isinstance(recipe, Measures):  # nothing is held out
        fitted, metrics = recipe.fit(data, configuration, training), {}
        if isinstance(recipe, Measures):
            metrics = rounded(recipe.measured(fitted, data, configuration, training))
        return Outcome(fitted, metrics, settings)
    model, made = measured(recipe, data, selection, configuration, training)
    metrics = rounded(made.metrics)
    objective, called = OBJECTIVES.get(recipe.facts.task, OBJECTIVE)
    task.line(f"{recipe.name}: {called} is {metrics[objective]}.")
    final = replace(training, warm_state=tuned_state(model), warm_model=model)
    return Outcome(recipe.fit(data, configuration, final), metrics, settings, made.questions)


def compared(
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    solution: Mapping[str, Any],
    training: Training,
    tuned: Mapping[str, str],
) -> dict[str, float]:
    """The metrics that `train` would find, without its second fit."""
    configuration = read_configuration(recipe.facts, solution.get("solutionConfig") or {}, tuned)
    if data.interactions is None:
        return {}
    if isinstance(recipe, Measures):
        model = recipe.fit(data, configuration, training)
        return rounded(recipe.measured(model, data, configuration, training))
    return rounded(measured(recipe, data, selection, configuration, training)[1].metrics)


def searched(
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    solution: Mapping[str, Any],
    training: Training,
    tuned: Mapping[str, str],
    part: int,
    again: bool = False,
) -> float | None:
    """How good settings are for a search, which never sees those users by whom the version is measured: of
    the others one to three tenths are asked, `again` others of them, and one user in `part` of the rest
    trains. None: nothing is held out.
    """
    if data.interactions is None or isinstance(recipe, Measures):
        return None
    configuration = read_configuration(recipe.facts, solution.get("solutionConfig") or {}, tuned)
    kept = _split(recipe, data.interactions).training
    visible = replace(data, interactions=data.interactions.where(kept))
    users = int((visible.sequences.counts >= 2).sum())
    tenths = min(VALIDATION_TENTHS, max(1, math.ceil(VALIDATION_USERS * FOLDS / max(users, 1))))
    first = 1 + VALIDATION_TENTHS * again
    found = measured(recipe, visible, selection, configuration, training, part, first, tenths)[1].metrics
    return round(found[OBJECTIVES.get(recipe.facts.task, OBJECTIVE)[0]], 6)


def _split(recipe: Recipe, sequences: Sequences, first: int = 0, tenths: int = 1) -> HoldOut:
    """What is held out: users, or where users are ranked the newest of everybody's events."""
    if recipe.facts.task is Answers.SEGMENT:
        return split_newest(sequences)
    return split_users(sequences, first, tenths)


def measured(
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    configuration: Configuration,
    training: Training,
    part: int = 1,
    first: int = 0,
    tenths: int = 1,
) -> tuple[Model, Measurement]:
    """A model of nine tenths of the users, or of one in `part` of these, and how well it does for the
    others; where users are ranked, one of the older four fifths of everybody's events, and how well it finds
    who had the others.

    Args:
        first, tenths: which tenth of the users is asked, and how many.
    """
    segments = recipe.facts.task is Answers.SEGMENT
    parts = _split(recipe, data.sequences, first, tenths)
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
