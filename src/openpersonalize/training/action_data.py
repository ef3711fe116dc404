"""Training data of a recipe that ranks actions, `read_actions`: action interactions, beside what users did
with items.

Actions are those of the Actions dataset. Memory: that of `data`, and the same for the action interactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..datasets.action_events import NAMES, folded_column
from ..datasets.considered import considered_items
from ..datasets.profiles import Profiles
from ..datasets.selection import EventRule, EventSelection
from ..datasets.sequences import Sequences, build_sequences
from ..engine.task import Task
from ..errors import JobFailed
from ..recipes.recipe import Recipe
from ..recipes.training import Behaviour, Kind, TrainingData
from ..storage.idtable import IdTable
from .data import aligned, considered_rows, read, trained_columns
from .exposures import CREATED
from .inputs import TrainingInputs

TYPE = "TYPE"
"""A reserved column of actions that trains, though its schema cannot call it a category."""

OF_ACTIONS = EventSelection(tuple(EventRule(name, None, 1.0 + outcome) for name, outcome in NAMES.items()))
"""Of what one user did with one action in one second, that it was taken counts, else that it was not."""

EVERYTHING = EventSelection()


def read_actions(
    task: Task, inputs: TrainingInputs, solution: Mapping[str, Any], recipe: Recipe
) -> tuple[TrainingData, EventSelection]:
    """The training data of a version, checked against the minimums, and which live action interactions count.
    ``eventType`` and ``eventValueThreshold`` of the solution choose item interactions.

    Raises:
        JobFailed: there is too little of it.
    """
    items, selection = read(task, inputs, solution, None)
    behaviour = Behaviour(items.ranked, items.sequences, selection)
    records = inputs.records("ACTIONS")
    if records is None or records.is_empty():
        raise JobFailed("Dataset has no actions: import them, or write them with PutActions.")
    profiles = items.sequences.profiles
    sequences = _considered(task, _interactions(task, inputs, records, profiles, recipe), records, recipe)
    task.line(
        f"{len(sequences.item):,} action interactions of {len(sequences.users):,} users with"
        f" {len(sequences.items):,} actions"
    )
    schema = inputs.schemas["ACTIONS"]
    columns = trained_columns(schema, "ACTIONS", solution.get("solutionConfig") or {})
    columns += [TYPE] if schema.field(TYPE) is not None and TYPE not in columns else []
    known = aligned(records, columns, sequences.items.series(), "ACTION_ID")
    interactions = sequences if len(sequences.item) else None
    ranked = Kind(sequences.items, known, name="actions")
    return TrainingData(ranked, interactions, behaviour=behaviour), EVERYTHING


def _interactions(
    task: Task, inputs: TrainingInputs, records: pl.DataFrame, profiles: Profiles | None, recipe: Recipe
) -> Sequences:
    """The action interactions with actions that have a record."""
    actions = records["ACTION_ID"]
    if "ACTION_INTERACTIONS" not in inputs.schemas:
        return Sequences.without_events(IdTable.from_series(actions))
    rows = considered_rows(task, inputs.interactions("ACTION_INTERACTIONS"), recipe)
    task.check()
    known = rows.join(actions.to_frame().lazy(), on="ACTION_ID", how="semi", maintain_order="left").select(
        "USER_ID",
        "TIMESTAMP",
        ITEM_ID="ACTION_ID",
        EVENT_TYPE=folded_column(pl.col("EVENT_TYPE")),
    )
    return build_sequences(known, actions, OF_ACTIONS, (), profiles)


def _considered(task: Task, sequences: Sequences, records: pl.DataFrame, recipe: Recipe) -> Sequences:
    """Of more actions than the recipe considers, those that were met and created last."""
    most = recipe.facts.most_items
    if most is None or len(sequences.items) <= most:
        return sequences
    created = None
    if CREATED in records.columns:
        stated = aligned(records, [CREATED], sequences.items.series(), "ACTION_ID")[CREATED]
        created = stated.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    task.line(
        f"{len(sequences.items) - most:,} of {len(sequences.items):,} actions are left out, those that were"
        f" met and created longest ago: {recipe.name} considers {most:,}."
    )
    kept = considered_items(sequences, created, most)
    if len(sequences.item):
        return sequences.of_items(kept)
    return Sequences.without_events(
        IdTable.from_series(sequences.items.series().filter(pl.Series(np.asarray(kept))))
    )
