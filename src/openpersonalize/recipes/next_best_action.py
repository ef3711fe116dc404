"""aws-next-best-action, `NextBestAction`: the actions that a user is most likely to take, with probabilities.

Learned from occasions (`actions/outcomes.py`): features of the user at the moment of each (histories of items
and actions, records), whether the action was taken within the period. Ridge and hidden layer are chosen, and
the probabilities calibrated, on users held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from ..algorithms.arrays import Bools, Float32, Int64
from ..algorithms.response_model import Examples, ResponseModel, log_loss, platt_scaling
from ..algorithms.sparse import SparseRows
from ..algorithms.truncated_svd import leading_axes
from ..datasets.action_events import Int8, Outcome, outcomes_of
from ..datasets.sequences import Sequences
from ..storage.idtable import IdTable
from .actions.coding import MetadataCoding
from .actions.features import NEWEST, PAIRS, Events, Features, Moments
from .actions.item_vectors import item_vectors
from .actions.model import NextBestActionModel, Scale
from .actions.outcomes import DAY, Occasions, judged, occasions
from .item_counts import ItemCounts
from .model import Model
from .recipe import Recipe
from .training import Behaviour, Configuration, Kind, Training, TrainingData

MOST_EXAMPLES = 200_000
"""Occasions that are learned from: of more, the newest. Their features take about 1 KB each, twice."""

MOST_TRIED = 60_000
"""Of these, drawn at random, that the choices are tried on."""

LEAST_TRIED = 400
"""Occasions below which nothing is held out: `DEFAULT` then."""

FOLDS = 4
"""Parts of the users: what the others taught is tried on one, and calibrated on all where they are few."""

CHOICES = ((0, 20.0), (0, 100.0), (0, 400.0), (0, 1600.0), (16, 100.0))
"""Widths of the hidden layer and ridges that are tried."""

DEFAULT: Mapping[str, Any] = {"width": 0, "ridge": 60.0, "calibration": [1.0, 0.0]}

AXES = 32
"""Axes by which responses to actions are told; of so few actions each is an axis."""

MOST_CATEGORIES = 48
"""Categories of users' records, and of actions' records, that have a feature."""

LEAST_USERS = 5
"""Users who must share a category for it to count, so that a model holds nothing of one person."""

NOT_FEATURES = frozenset(
    {
        "CREATION_TIMESTAMP",
        "VALUE",
        "EXPIRATION_TIMESTAMP",
        "ACTION_EXPIRATION_TIMESTAMP",
        "REPEAT_FREQUENCY",
    }
)
"""Columns of actions that say when and for what they are shown, not who takes them."""


@dataclass(frozen=True)
class _Prepared:
    """Everything of a model but its weights, and the examples, whose users are not standardised yet."""

    features: Features
    profiles: MetadataCoding
    actions: MetadataCoding
    metadata: Float32
    examples: Examples
    owner: Int64


class NextBestAction(Recipe):
    """Learns propensities."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """See `Recipe.fit`. Memory: 2 KB for each of `MOST_EXAMPLES`, and the histories' vectors."""
        sequences = data.interactions or Sequences.without_events(data.ranked.ids)
        training.check()
        training.progress("count", 0, 1, "passes")
        outcome = outcomes_of(sequences.event_types)
        said = outcome[sequences.event]
        days = int(configuration.parameters["action_optimization_period"])
        found = _newest(sequences, occasions(sequences, said, days))
        training.progress("count", 1, 1, "passes")
        ready = _prepared(data, sequences, said, found, days, training)
        users = ready.examples.users
        scale = Scale.of(users, *_moments_of(users, 1 + len(NEWEST), ready.features.vectors.shape[1]))
        examples = ready.examples._replace(users=scale.standardised(users))
        response, tuned = _learned(examples, ready, training)
        return NextBestActionModel(
            ready.features,
            scale,
            ready.profiles,
            ready.actions,
            outcome,
            response,
            judged(sequences, said),
            tuned,
        )

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """See `Recipe.load`."""
        return NextBestActionModel.load(folder)


def moments(
    sequences: Sequences,
    outcome: Int8,
    behaviour: Behaviour | None,
    profiles: MetadataCoding,
    user: Int64,
    now: Int64,
) -> Moments:
    """Users of the training data at moments: what they had done before.

    Args:
        sequences: the action interactions. outcome: int8[N], what each says. behaviour: what users did with
            items. profiles: how records are read.
        user: int64[B] numbers. now: int64[B] seconds.
    """
    coded = np.zeros((len(user), profiles.size), dtype=np.float32)
    if sequences.profiles is not None:
        coded = profiles.encode_coded(sequences.profiles.columns, sequences.profile_rows[user])
    action_start, action_end = _before(sequences, user, now)
    items = Events(np.empty(0, np.int32), np.empty(0, np.int64))
    item_start = item_end = np.zeros(len(user), dtype=np.int64)
    if behaviour is not None:
        done = behaviour.interactions
        row = done.users.find_all(sequences.users.series()).astype(np.int64)[user]
        known = row >= 0
        items = Events(done.item, done.time)
        item_start, item_end = np.zeros((2, len(user)), dtype=np.int64)
        item_start[known], item_end[known] = _before(done, row[known], now[known])
    return Moments(
        now,
        items,
        item_start,
        item_end,
        Events(sequences.item, sequences.time),
        action_start,
        action_end,
        outcome,
        coded,
    )


def _before(sequences: Sequences, user: Int64, now: Int64) -> tuple[Int64, Int64]:
    """Where the events of users before moments begin and end: bisection, of all users at once."""
    start = sequences.ptr[user]
    low, high = start.copy(), sequences.ptr[user + 1].copy()
    while (searching := low < high).any():
        middle = (low + high) // 2
        earlier = searching & (sequences.time[np.minimum(middle, len(sequences.time) - 1)] < now)
        low = np.where(earlier, middle + 1, low)
        high = np.where(searching & ~earlier, middle, high)
    return start, low


def _newest(sequences: Sequences, found: Occasions) -> Occasions:
    """The `MOST_EXAMPLES` that began last."""
    if len(found.event) <= MOST_EXAMPLES:
        return found
    latest = np.sort(np.argsort(sequences.time[found.event], kind="stable")[-MOST_EXAMPLES:])
    return Occasions(found.event[latest], found.taken[latest])


def _prepared(
    data: TrainingData, sequences: Sequences, said: Int8, found: Occasions, days: int, training: Training
) -> _Prepared:
    training.progress("features", 0, 2, "passes")
    vectors = np.zeros((0, 0), dtype=np.float32)
    if data.behaviour is not None:
        items = data.behaviour.items
        known = (
            None
            if items.records is None
            else items.records.drop(*(items.textual & set(items.records.columns)))
        )
        rng = np.random.default_rng((training.seed, 1))
        vectors = item_vectors(data.behaviour.interactions, known, rng, training.check)
    features = Features(vectors, _axes(sequences, said, training), float(days * DAY))
    records = {} if sequences.profiles is None else sequences.profiles.columns
    read = {
        name: column.values.gather(pl.Series(column.code[column.code >= 0]))
        for name, column in records.items()
    }
    profiles = MetadataCoding.fit(read, MOST_CATEGORIES, LEAST_USERS)
    actions, metadata = _of_actions(data.ranked)
    training.check()
    training.progress("features", 1, 2, "passes")
    user, now = sequences.user[found.event].astype(np.int64), sequences.time[found.event]
    action = sequences.item[found.event]
    asked = moments(sequences, said, data.behaviour, profiles, user, now)
    if len(now):
        users, pairs = features.at(asked, action)
    else:
        some, _ = features.of(asked)
        users, pairs = some, np.zeros((0, PAIRS), dtype=np.float32)
    training.progress("features", 2, 2, "passes")
    return _Prepared(features, profiles, actions, metadata, Examples(users, pairs, action, found.taken), user)


def _of_actions(ranked: Kind) -> tuple[MetadataCoding, Float32]:
    """How records of actions are read, and float32[n, M] of those that are ranked."""
    columns = {}
    if ranked.records is not None:
        names = [name for name in ranked.records.columns[1:] if name not in NOT_FEATURES]
        columns = {name: ranked.records[name] for name in names}
    coding = MetadataCoding.fit(columns, MOST_CATEGORIES)
    return coding, coding.encode(columns, len(ranked.ids))


def _axes(sequences: Sequences, said: Int8, training: Training) -> Float32:
    """float32[n, k] by which responses are told."""
    n = len(sequences.items)
    if n <= AXES:
        return np.eye(n, dtype=np.float32)
    decided = sequences.where((said == Outcome.TAKEN) | (said == Outcome.NOT_TAKEN))
    taken = np.where(said[(said == Outcome.TAKEN) | (said == Outcome.NOT_TAKEN)] == Outcome.TAKEN, 1.0, -0.5)
    size = min(AXES, len(decided.users))
    if not len(decided.item) or not size:
        return np.zeros((n, 1), dtype=np.float32)
    rows = SparseRows(decided.ptr, decided.item, taken.astype(np.float32))
    rng = np.random.default_rng((training.seed, 2))
    return leading_axes(rows, n, size, rng, training.check)


def _moments_of(users: Float32, parts: int, size: int) -> tuple[Float32, Float32]:
    """float32[F] means and deviations, 1 where nothing differs; the first columns are `parts` of `size` axes,
    which have one deviation each."""
    if not len(users):
        return np.zeros(users.shape[1], np.float32), np.ones(users.shape[1], np.float32)
    mean, deviation = users.mean(axis=0, dtype=np.float64), users.std(axis=0, dtype=np.float64)
    # The axes of one part of the histories keep their proportions: the last ones are mostly noise.
    for start in range(0, parts * size, size or 1):
        deviation[start : start + size] = deviation[start : start + size].max(initial=0.0)
    return mean.astype(np.float32), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)


def _learned(
    examples: Examples, ready: _Prepared, training: Training
) -> tuple[ResponseModel, Mapping[str, Any]]:
    """The weights, and what validation settled."""
    tuned = dict(training.warm_state) or _chosen(examples, ready, training)
    model = _fitted(examples, ready.metadata, tuned["width"], tuned["ridge"], training, "fit")
    scale, shift = tuned["calibration"]
    return replace(model, calibration=(scale, shift)), tuned


def _chosen(examples: Examples, ready: _Prepared, training: Training) -> Mapping[str, Any]:
    """The best of `CHOICES` on the first users held out, and the calibration of its probabilities, on all
    that are held out in turn."""
    folds = _folds(examples, ready.owner, training.seed)
    taken = [examples.taken[test] for _, test in folds]
    few = min(min(len(train), len(test)) for train, test in folds) < LEAST_TRIED / FOLDS
    if few or not 0 < taken[0].mean() < 1:
        return DEFAULT

    def logits_of(width: int, ridge: float, turn: int) -> Float32:
        train, test = folds[turn]
        model = _fitted(examples.take(train), ready.metadata, width, ridge, training, "choose")
        return model.logits_at(examples.take(test))

    found = []
    for width, ridge in CHOICES:
        logits = logits_of(width, ridge, 0)
        scale, shift = platt_scaling(logits, taken[0])
        loss = log_loss(logits * np.float32(scale) + np.float32(shift), taken[0])
        training.line(f"hidden layer {width}, ridge {ridge:g}: log-loss {loss:.4f} on users held out")
        found.append((loss, width, ridge, logits))
    _, width, ridge, first = min(found, key=lambda one: one[0])
    others = [logits_of(width, ridge, turn) for turn in range(1, len(folds))]
    calibration = platt_scaling(np.concatenate([first, *others]), np.concatenate(taken))
    return {"width": width, "ridge": ridge, "calibration": list(calibration)}


def _folds(examples: Examples, owner: Int64, seed: int) -> list[tuple[Int64, Int64]]:
    """Examples that train, and those of users held out: of many some, and the fewer the more often, until
    every user was held out once."""
    rng = np.random.default_rng((seed, 3))
    fold: Int64 = rng.integers(0, FOLDS, int(owner.max(initial=0)) + 1)[owner]
    drawn: Bools = rng.random(len(owner)) < MOST_TRIED / max(len(owner), 1)
    rounds = min(max(MOST_TRIED // max(len(owner), 1), 1), FOLDS)
    return [
        (np.flatnonzero((fold != held) & drawn), np.flatnonzero((fold == held) & drawn))
        for held in range(rounds)
    ]


def _fitted(
    examples: Examples, metadata: Float32, width: int, ridge: float, training: Training, step: str
) -> ResponseModel:
    def each(iteration: int) -> None:
        training.check()
        training.progress(step, min(iteration, _ITERATIONS), _ITERATIONS, "iterations")

    rng = np.random.default_rng((training.seed, 4))
    return ResponseModel.fit(
        examples, metadata, ridge=ridge, width=width, rng=rng, iterations=_ITERATIONS, each=each
    )


_ITERATIONS = 150
