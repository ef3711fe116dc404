"""Training data: what a solution version is trained on, read from its inputs, `read`.

Memory: the selected interactions (about 120 bytes each while they are sorted, 30 afterwards), and the records
of the items; bulk tables are scanned, never held whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from ..datasets.considered import considered_items, newest_interactions
from ..datasets.profiles import Profiles
from ..datasets.schema_rules import metadata_fields
from ..datasets.schemas import Schema
from ..datasets.selection import EventSelection
from ..datasets.sequences import Sequences, build_sequences
from ..engine.task import Task
from ..errors import JobFailed
from ..recipes.configuration import attribute_columns, training_columns
from ..recipes.facts import Task as Answers
from ..recipes.item_attributes import ItemAttributes
from ..recipes.recipe import Recipe
from ..recipes.training import Kind, TrainingData
from ..storage.idtable import IdTable
from .checks import check_amount, check_kinds, check_times
from .exposures import CREATED
from .inputs import TrainingInputs


def read(
    task: Task, inputs: TrainingInputs, solution: Mapping[str, Any], recipe: Recipe | None = None
) -> tuple[TrainingData, EventSelection]:
    """The training data of a version, checked against the minimums of what the recipe needs. Of more than
    `recipe` considers the oldest is left out, which the job's log tells; None: all is considered.

    Raises:
        JobFailed: there is too little of it, or too many kinds of it.
    """
    config = solution.get("solutionConfig") or {}
    preset = None if recipe is None else recipe.facts.preset
    selection = EventSelection.from_solution(solution.get("eventType"), config)
    if preset is not None and preset.learns_from:
        selection = EventSelection.of_types(_as_written(inputs, preset.learns_from))
    task.progress("read", 0, 3, "datasets")
    items, users = (inputs.records(kind) for kind in ("ITEMS", "USERS"))
    task.progress("read", 1, 3, "datasets")
    read = inputs.schemas if recipe is None or not recipe.facts.needs_text else _named(inputs.schemas)
    named = {kind: trained_columns(schema, kind, config) for kind, schema in read.items()}
    profiles = None if users is None else Profiles.of(users, "USER_ID", named["USERS"])
    sequences = _interactions(task, inputs, selection, named.get("INTERACTIONS", []), items, profiles, recipe)
    if sequences is not None and recipe is not None:
        sequences = considered(task, sequences, items, recipe)
    if recipe is None or "INTERACTIONS" in recipe.facts.needs:
        check_amount(sequences, selection, task.settings.minimum_data, lambda: _event_types(inputs))
    elif "INTERACTIONS" in inputs.schemas and task.settings.minimum_data:
        # What is there shall be enough to tell popularity by.
        check_amount(sequences, selection, True, lambda: _event_types(inputs))
    ids = _catalogue(task, items, recipe) if sequences is None else sequences.items
    users_known = 0 if sequences is None else len(sequences.users)
    size = (0 if sequences is None else len(sequences.item), users_known, len(ids))
    task.line("{:,} interactions of {:,} users with {:,} items".format(*size))
    task.progress("read", 3, 3, "datasets")
    textual = frozenset(one.name for kind in read.values() for one in kind.fields if one.textual)
    records = None if items is None else aligned(items, named["ITEMS"], ids.series())
    counted = "users" if preset is None else preset.counts
    of_items = Kind(ids, records, textual)
    if recipe is not None and recipe.facts.task is Answers.SEGMENT and sequences is not None:
        check_times(sequences)
        attributes = None
        if recipe.facts.needs_attribute and items is not None:
            schema = inputs.schemas["ITEMS"]
            attributes = ItemAttributes.of(items, schema, attribute_columns(config, schema), ids)
        everybody = sequences.users
        records = None if users is None else aligned(users, named["USERS"], everybody.series(), "USER_ID")
        ranked = Kind(everybody, records, textual, "users")
        return TrainingData(ranked, sequences, counted, of_items, attributes), selection
    return TrainingData(of_items, sequences, counted), selection


def _named(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Schemas in which the names of items are prose."""
    return {
        kind: Schema(tuple(replace(one, textual=one.textual or one.item_name) for one in schema.fields))
        for kind, schema in schemas.items()
    }


def _as_written(inputs: TrainingInputs, event_types: Sequence[str]) -> list[str]:
    """Event types as the interactions have them, in whatever case; those that none has as they are."""
    present = _event_types(inputs)
    wanted = {one.casefold() for one in event_types}
    found = [one for one in present if one.casefold() in wanted]
    missing = wanted - {one.casefold() for one in found}
    return [*found, *(one for one in event_types if one.casefold() in missing)]


def _event_types(inputs: TrainingInputs) -> list[str]:
    """The event types of the interactions, sorted."""
    schema = inputs.schemas.get("INTERACTIONS")
    if schema is None or schema.field("EVENT_TYPE") is None:
        return []
    column = pl.col("EVENT_TYPE").drop_nulls().unique().sort()
    found: list[str] = (
        inputs.interactions().select(column).collect(engine="streaming")["EVENT_TYPE"].to_list()
    )
    return found


def _interactions(
    task: Task,
    inputs: TrainingInputs,
    selection: EventSelection,
    context: list[str],
    items: pl.DataFrame | None,
    profiles: Profiles | None,
    recipe: Recipe | None,
) -> Sequences | None:
    """The selected interactions; None for a recipe that needs none, where there are none."""
    if "INTERACTIONS" not in inputs.schemas:
        return None
    rows = inputs.interactions()
    check_kinds(rows, inputs.schemas["INTERACTIONS"])
    if recipe is not None:
        rows = considered_rows(task, rows, recipe)
    task.check()
    known = None if items is None else items["ITEM_ID"]
    sequences = build_sequences(rows, known, selection, context, profiles)
    needed = recipe is None or "INTERACTIONS" in recipe.facts.needs
    return sequences if needed or len(sequences.item) else None


def _catalogue(task: Task, items: pl.DataFrame | None, recipe: Recipe | None) -> IdTable:
    """The items of a training without interactions: those that were created last, of too many.

    Raises:
        JobFailed: there are none.
    """
    if items is None or items.is_empty():
        raise JobFailed("Dataset has no items: import them, or write them with PutItems.")
    most = task.settings.quota_training_items or (None if recipe is None else recipe.facts.most_items)
    if recipe is not None and most is not None and len(items) > most:
        task.line(
            f"{len(items) - most:,} of {len(items):,} items are left out: {recipe.name} considers {most:,}."
        )
        order = [CREATED] if CREATED in items.columns else []
        newest_first = [True] * len(order)
        ordered = items.sort(*order, "ITEM_ID", descending=[*newest_first, False], nulls_last=True)
        items = ordered.head(most)
    return IdTable.from_series(items["ITEM_ID"])


def considered_rows(task: Task, rows: pl.LazyFrame, recipe: Recipe) -> pl.LazyFrame:
    """The interactions that a training of `recipe` considers; Amazon counts them before events are chosen."""
    most = task.settings.quota_training_interactions or recipe.facts.most_interactions
    if most is None:
        return rows
    rows, left_out = newest_interactions(rows, most)
    if left_out:
        task.line(f"{left_out:,} interactions are left out, the oldest: {recipe.name} considers {most:,}.")
    return rows


def considered(task: Task, sequences: Sequences, items: pl.DataFrame | None, recipe: Recipe) -> Sequences:
    """The events of the items that a training of `recipe` considers."""
    most = task.settings.quota_training_items or recipe.facts.most_items
    if most is None or len(sequences.items) <= most:
        return sequences
    created = None
    if items is not None and CREATED in items.columns:
        stated = aligned(items, [CREATED], sequences.items.series())[CREATED]
        created = stated.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    found = sequences.of_items(considered_items(sequences, created, most))
    task.line(
        f"{len(sequences.items) - most:,} of {len(sequences.items):,} items are left out with"
        f" {len(sequences.item) - len(found.item):,} interactions, those that were met and"
        f" created longest ago: {recipe.name} considers {most:,}."
    )
    return found


def trained_columns(schema: Schema, kind: str, config: Mapping[str, Any]) -> list[str]:
    """The metadata columns of a dataset that train: by the schema's flags, and by ``trainingDataConfig``.

    Of interactions the context; event types, values and impressions have uses of their own.
    """
    fields = metadata_fields(schema, kind, None) if kind == "INTERACTIONS" else schema.fields
    useful = [field.name for field in fields if field.trains]
    return training_columns(config, kind, useful)


def aligned(
    records: pl.DataFrame, columns: Sequence[str], ids: pl.Series, key: str = "ITEM_ID"
) -> pl.DataFrame:
    """The rows of `ids` in order, nulls where there is none, reduced to `columns` behind the `key`."""
    chosen = records.select(key, *columns)
    return ids.alias(key).to_frame().join(chosen, on=key, how="left", maintain_order="left")
