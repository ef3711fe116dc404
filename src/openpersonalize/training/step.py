"""The heavy step of a training: reads the pinned data, fits, measures, fits again on everything, publishes.

Runs in a process of its own. Memory: the selected interactions (about 120 bytes each while they are sorted,
30 afterwards), and what the recipe states; tables are scanned, never held whole.

One seed and one data set give one artifact, bit for bit; a step that is run again after a crash publishes
under the same key, so nothing is left behind twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from ..clock import SystemClock
from ..datasets.considered import considered_items, newest_interactions
from ..datasets.profiles import Profiles
from ..datasets.schemas import Schema, metadata_fields, parse_schema
from ..datasets.selection import EventSelection
from ..datasets.sequences import Bools, Sequences, build_sequences
from ..engine.task import Task
from ..errors import CannotUpdate, JobFailed
from ..evaluation.measure import measure
from ..evaluation.metrics import rounded
from ..evaluation.splits import split
from ..events.livelog import open_live_log
from ..events.recommendations import open_recommendation_log
from ..recipes.artifact import Artifact, write_artifact
from ..recipes.base import Configuration, Float32, Model, Recipe, Training, TrainingData
from ..recipes.configuration import training_columns
from ..recipes.exposure import Exposure
from ..recipes.hyperparameters import read_configuration
from ..recipes.registry import recipe as find_recipe
from ..storage.keys import artifact_key
from ..storage.objects import ObjectStore, open_objects
from .exposures import CREATED, creation_times, times_passed_over
from .pinned import Pinned
from .search import best_third, parts_tried, settings_to_try

LEAST_INTERACTIONS = 1000
LEAST_USERS = 25
LEAST_SHARE = 0.01
MOST_KINDS = 10

OBJECTIVE = "normalized_discounted_cumulative_gain_at_25"
"""What a hyperparameter search maximises on the held-out part."""


def run(
    task: Task,
    *,
    recipe: str,
    solution: Mapping[str, Any],
    schemas: Mapping[str, str],
    interactions: str | None,
    items: str | None,
    users: str | None,
    group: str,
    position: int,
    moment: int,
    seed: int,
    upon: str | None = None,
    tuned: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train one solution version.

    Args:
        task: the job.
        recipe: name or ARN.
        solution: ``eventType``, ``performHPO`` and ``solutionConfig`` of the version.
        schemas: schema texts by dataset type.
        interactions, items, users: keys of the pinned snapshots; None before the first import.
        group: ARN of the dataset group.
        position: place in the live log up to which streamed data counts.
        moment: seconds, when the training began.
        seed: the source of every random choice.
        upon: key of the artifact that is brought up to date (trainingMode UPDATE); None: FULL.
        tuned: what a search on the same data settled: none is made again. None: ``performHPO`` rules.

    Returns:
        ``artifact`` (its key), ``metrics`` (four decimals; an update has those of what it is upon),
        ``training_hours``, ``tuned`` (texts; empty
        without a search).

    Raises:
        JobFailed: too little data, or a recipe that cannot be trained; the sentence is the failureReason.
        JobStopped: somebody asked to stop.
    """
    began = time.monotonic()
    chosen = find_recipe(recipe)
    if chosen is None or not chosen.trainable:
        raise JobFailed(f"Recipe {recipe} is not installed here, or this version cannot train it.")
    objects = open_objects(task.settings)
    log = open_live_log(task.settings, SystemClock())
    keys = {"INTERACTIONS": interactions, "ITEMS": items, "USERS": users}
    try:
        known = {kind: parse_schema(text) for kind, text in schemas.items()}
        pinned = Pinned(objects, log, known, group, position)
        data, selection = read(task, pinned, keys, solution, chosen)
        exposure = exposure_of(task, pinned, keys, data, chosen)
        linked = pinned.linked()
    finally:
        log.close()
    training = Training(
        seed,
        task.settings.threads or os.cpu_count() or 1,
        task.progress,
        task.check,
        moment=moment,
        line=task.line,
        budget_seconds=task.settings.training_seconds or None,
    )
    if upon is None:
        outcome = train(task, chosen, data, selection, solution, training, tuned)
    else:
        outcome = bring_up_to_date(task, objects, upon, chosen, data, selection, solution, training)
    hours = (time.monotonic() - began) / 3600
    task.check()
    task.progress("publish", 0, 1, "artifact")
    staged = objects.stage()
    write_artifact(
        staged,
        model=outcome.model,
        recipe=chosen,
        sequences=data.sequences,
        selection=selection,
        position=position,
        manifest={
            "metrics": outcome.metrics,
            "tuned": outcome.tuned,
            "snapshots": keys,
            "seed": seed,
            "upon": upon,
        },
        exposure=exposure,
        linked=linked,
    )
    key = artifact_key(task.job_id)
    objects.publish(staged, key)
    task.progress("publish", 1, 1, "artifact")
    return {
        "artifact": key,
        "metrics": outcome.metrics,
        "training_hours": round(hours, 3),
        "tuned": outcome.tuned,
    }


def read(
    task: Task,
    pinned: Pinned,
    keys: Mapping[str, str | None],
    solution: Mapping[str, Any],
    recipe: Recipe | None = None,
) -> tuple[TrainingData, EventSelection]:
    """The training data of a version, checked against the minimums. Of more than `recipe` considers the
    oldest is left out, which the job's log tells; None: all is considered.

    Raises:
        JobFailed: there is too little of it, or too many kinds of it.
    """
    config = solution.get("solutionConfig") or {}
    selection = EventSelection.from_solution(solution.get("eventType"), config)
    task.progress("read", 0, 3, "datasets")
    rows = pinned.interactions(keys["INTERACTIONS"])
    check_kinds(rows, pinned.schemas["INTERACTIONS"])
    if recipe is not None:
        rows = considered_rows(task, rows, recipe)
    task.check()
    items, users = (pinned.records(kind, keys[kind]) for kind in ("ITEMS", "USERS"))
    task.progress("read", 1, 3, "datasets")
    named = {kind: trained_columns(schema, kind, config) for kind, schema in pinned.schemas.items()}
    sequences = build_sequences(
        rows,
        None if items is None else items["ITEM_ID"],
        selection,
        named["INTERACTIONS"],
        None if users is None else Profiles.of(users, "USER_ID", named["USERS"]),
    )
    if recipe is not None:
        sequences = considered(task, sequences, items, recipe)
    size = (len(sequences.item), len(sequences.users), len(sequences.items))
    task.line("{:,} interactions of {:,} users with {:,} items".format(*size))
    check_amount(sequences, selection, task.settings.minimum_data)
    task.progress("read", 3, 3, "datasets")
    data = TrainingData(
        sequences,
        None if items is None else aligned(items, named["ITEMS"], sequences.items.series()),
        frozenset(field.name for kind in pinned.schemas.values() for field in kind.fields if field.textual),
    )
    return data, selection


def considered_rows(task: Task, rows: pl.LazyFrame, recipe: Recipe) -> pl.LazyFrame:
    """The interactions that a training of `recipe` considers; Amazon counts them before events are chosen."""
    most = task.settings.quota_training_interactions or recipe.most_interactions
    if most is None:
        return rows
    rows, left_out = newest_interactions(rows, most)
    if left_out:
        task.line(f"{left_out:,} interactions are left out, the oldest: {recipe.name} considers {most:,}.")
    return rows


def considered(task: Task, sequences: Sequences, items: pl.DataFrame | None, recipe: Recipe) -> Sequences:
    """The events of the items that a training of `recipe` considers."""
    most = task.settings.quota_training_items or recipe.most_items
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


def exposure_of(
    task: Task, pinned: Pinned, keys: Mapping[str, str | None], data: TrainingData, recipe: Recipe
) -> Exposure | None:
    """How new and how well known the items are, for a recipe that explores; None for others."""
    if not recipe.features.exploration:
        return None
    log, position, items = pinned.log, pinned.position, data.sequences.items
    created = creation_times(
        log,
        pinned.stream("ITEMS"),
        pinned.schemas.get("ITEMS"),
        pinned.snapshot(keys["ITEMS"]),
        position,
        items,
    )
    times = None
    if recipe.features.impressions:
        recommendations = open_recommendation_log(task.settings, SystemClock())
        try:
            bulk = pinned.snapshot(keys["INTERACTIONS"])
            times = times_passed_over(
                log, pinned.stream("INTERACTIONS"), bulk, position, items, recommendations
            )
        finally:
            recommendations.close()
    return Exposure.of(data.sequences, created, times)


@dataclass(frozen=True)
class Outcome:
    """A finished training: the model, its metrics, and what a search settled."""

    model: Model
    metrics: dict[str, float]
    tuned: dict[str, str]


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
    users only (see `search`), and the best one is fitted again; with `tuned`, those settings alone.
    """
    config = solution.get("solutionConfig") or {}
    tries = [dict(tuned or {})]
    if solution.get("performHPO") and tuned is None:
        tries = settings_to_try(recipe, config, training.seed)
    best: Outcome | None = None
    for part in parts_tried(len(tries), len(data.sequences.item)):
        found = []
        for number, settings in enumerate(tries, start=1):
            configuration = read_configuration(recipe, config, settings)
            model, metrics = measured(recipe, data, selection, configuration, training, part)
            value = metrics[OBJECTIVE]
            shown = ", ".join(f"{name} {text}" for name, text in settings.items()) or recipe.name
            of = "" if part == 1 else f" of one user in {part}"
            task.line(f"Model {number} of {len(tries)}{of} ({shown}): NDCG at 25 is {value}.")
            found.append((value, settings))
            if part == 1 and (best is None or value > best.metrics[OBJECTIVE]):
                best = Outcome(model, metrics, settings)
        tries = best_third(found)
    assert best is not None
    final = replace(training, prior=best.model.settled(), earlier=best.model)
    return replace(best, model=recipe.fit(data, read_configuration(recipe, config, best.tuned), final))


def bring_up_to_date(
    task: Task,
    objects: ObjectStore,
    upon: str,
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    solution: Mapping[str, Any],
    training: Training,
) -> Outcome:
    """Learn what came after an earlier training in addition to it. Nothing is measured: an update has the
    metrics of the version it is upon. Where that model does not fit any more everything is learned anew."""
    config = solution.get("solutionConfig") or {}
    metrics: dict[str, float] = {}
    tuned: dict[str, str] = {}
    try:
        artifact = earlier_artifact(objects, upon, recipe, selection)
        metrics, tuned = artifact.manifest["metrics"], artifact.manifest["tuned"]
        configuration = read_configuration(recipe, config, tuned)
        model = recipe.update(data, configuration, training, artifact.earlier)
    except CannotUpdate as error:
        task.line(f"The earlier version cannot be brought up to date: {error.message}. All is learned anew.")
        model = recipe.fit(data, read_configuration(recipe, config, tuned), training)
    return Outcome(model, metrics, tuned)


def earlier_artifact(objects: ObjectStore, key: str, recipe: Recipe, selection: EventSelection) -> Artifact:
    """The artifact that an update is upon.

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


def measured(
    recipe: Recipe,
    data: TrainingData,
    selection: EventSelection,
    configuration: Configuration,
    training: Training,
    part: int = 1,
) -> tuple[Model, dict[str, float]]:
    """A model of nine tenths of the users, or of one in `part` of these, and how well it does for the
    others."""
    parts = split(data.sequences)
    shown = replace(data, sequences=data.sequences.where(parts.training & sample(data, part, training.seed)))
    model = recipe.fit(shown, configuration, training)
    metrics = measure(
        model,
        data.sequences,
        parts,
        weighted=selection.weighted,
        reward=reward_of(data, configuration.objective.attribute if configuration.objective else None),
        progress=training.progress,
        check=training.check,
    )
    return model, rounded(metrics)


def sample(data: TrainingData, part: int, seed: int) -> Bools:
    """bool[N], the events of about one user in `part`; a user in nine is a user in three, too."""
    sequences = data.sequences
    drawn = np.random.default_rng(seed).random(len(sequences.users)) < 1 / part
    return np.repeat(drawn, sequences.counts)


def check_kinds(rows: pl.LazyFrame, schema: Schema) -> None:
    """Event types in the data, EVENT_TYPE, EVENT_VALUE and metadata columns are at most ten together.

    Raises:
        JobFailed: they are more.
    """
    reserved = [name for name in ("EVENT_TYPE", "EVENT_VALUE") if schema.field(name) is not None]
    own = [field for field in metadata_fields(schema, "INTERACTIONS", None) if field.name not in reserved]
    types = 0
    if "EVENT_TYPE" in reserved:
        types = rows.select(pl.col("EVENT_TYPE").drop_nulls().n_unique()).collect().item()
    if types + len(reserved) + len(own) > MOST_KINDS:
        raise JobFailed("Dataset has more than 10 distinct event types and metadata columns.")


def check_amount(sequences: Sequences, selection: EventSelection, minimum_data: bool) -> None:
    """Amazon's minimums: 1000 interactions, 25 users with two or more, 1 percent of the users.

    Without `minimum_data` one interaction is enough.

    Raises:
        JobFailed: there are fewer; in Amazon's words.
    """
    if len(sequences.item) < (LEAST_INTERACTIONS if minimum_data else 1):
        chosen = ", ".join(selection.named)
        tail = f" after filtering by event type: {chosen}" if chosen else ""
        raise JobFailed(f"Dataset has fewer than {LEAST_INTERACTIONS} interactions{tail}")
    if not minimum_data:
        return
    repeated = int((sequences.counts >= 2).sum())
    if repeated < LEAST_USERS:
        raise JobFailed("Create failed. Dataset has fewer than 25 users with at least 2 interactions each.")
    if repeated < LEAST_SHARE * len(sequences.users):
        raise JobFailed("Create failed. Less than 1 percent of users have at least 2 interactions each.")


def trained_columns(schema: Schema, kind: str, config: Mapping[str, Any]) -> list[str]:
    """The metadata columns of a dataset that train: by the schema's flags, and by ``trainingDataConfig``.

    Of interactions the context; event types, values and impressions have uses of their own.
    """
    fields = metadata_fields(schema, kind, None) if kind == "INTERACTIONS" else schema.fields
    useful = [field.name for field in fields if field.trains]
    return training_columns(config, kind, useful)


def aligned(items: pl.DataFrame, columns: Sequence[str], ids: pl.Series) -> pl.DataFrame:
    """The rows of `ids` in order, nulls where there is none, reduced to `columns`."""
    key = "ITEM_ID"
    return (
        ids.alias(key).to_frame().join(items.select(key, *columns), on=key, how="left", maintain_order="left")
    )


def reward_of(data: TrainingData, attribute: str | None) -> Float32 | None:
    """float32[n], the objective's column, shifted to begin at 0, 0 where unknown; None without an
    objective."""
    if attribute is None or data.items is None:
        return None
    values = data.items[attribute].cast(pl.Float64)
    least = values.min()
    shift = least if isinstance(least, float) and least < 0 else 0.0
    return (values - shift).fill_null(0.0).cast(pl.Float32).to_numpy()
