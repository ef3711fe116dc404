"""What aws-next-best-action has learned: `NextBestActionModel`, the propensity of a user for every action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ...algorithms.arrays import Bools, Float32
from ...algorithms.mapped import mapped
from ...algorithms.response_model import MOST_LOGIT, ResponseModel
from ...datasets.action_events import Int8
from ..query import Query
from .coding import MetadataCoding
from .features import Events, Features, Moments

FAR = 5.0
"""Deviations from the mean beyond which no feature counts."""

BEHIND = np.float32(-2 * MOST_LOGIT)
"""The log-score of an action of which nothing is known: behind everything."""


class Scale(NamedTuple):
    """How users' features are standardised: float32[F] each.

    A feature is kept between the least and the most that training saw of it, `low` and `high`: a weight says
    nothing about what lies beyond. Everybody's newest event is longer ago when answers are asked for than it
    was at the moments that were learned from.
    """

    mean: Float32
    deviation: Float32
    low: Float32
    high: Float32

    @classmethod
    def of(cls, users: Float32, mean: Float32, deviation: Float32) -> Scale:
        """For features float32[N, F] with these means and deviations."""
        open_ended = cls(mean, deviation, np.full_like(mean, -FAR), np.full_like(mean, FAR))
        if not len(users):
            return open_ended
        ends = open_ended.standardised(np.stack((users.min(axis=0), users.max(axis=0))))
        return open_ended._replace(low=ends[0], high=ends[1])

    def standardised(self, users: Float32) -> Float32:
        """float32[B, F] with mean 0 and deviation 1 each."""
        found: Float32 = np.clip((users - self.mean) / self.deviation, self.low, self.high)
        return found

    @classmethod
    def load(cls, folder: Path) -> Scale:
        """Read what a model saved; one of an earlier release knows no bounds but those of `FAR`."""
        mean, deviation = (np.load(folder / f"{name}.npy") for name in ("mean", "deviation"))
        if not (folder / "low.npy").exists():
            return cls(mean, deviation, np.full_like(mean, -FAR), np.full_like(mean, FAR))
        return cls(mean, deviation, *(np.load(folder / f"{name}.npy") for name in ("low", "high")))


@dataclass(frozen=True)
class NextBestActionModel:
    """Propensities, see `ResponseModel`; their logarithms are the scores.

    Attributes:
        features: of users and pairs. scale: of users' features.
        profiles: how users' records are read; actions: how actions' records are.
        outcome: int8[k + 1], what event types say, by their numbers in the interactions.
        response: the weights. has_propensity: bool[n], the actions with enough outcomes for a score.
        tuned: what validation settled.
    """

    features: Features
    scale: Scale
    profiles: MetadataCoding
    actions: MetadataCoding
    outcome: Int8
    response: ResponseModel
    has_propensity: Bools
    tuned: Mapping[str, Any]

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`: log-probabilities, each of its own."""
        users, pairs = self.features.of(self._moment(query))
        return _log_sigmoid(self.response.logits(self.scale.standardised(users), pairs)[0])

    def cold_scores(self, query: Query) -> Float32:
        """See `ColdStarts`: of somebody who met no action, or did nothing at all."""
        return self.scores(query)

    def embed(self, records: pl.DataFrame) -> Float32:
        """See `Inductive.embed`."""
        columns = {name: records[name] for name in self.actions.names if name in records.columns}
        return self.response.vectors(self.actions.encode(columns, len(records)))

    def scores_of(self, query: Query, vectors: Float32) -> Float32:
        """See `Inductive.scores_of`."""
        known = vectors.any(axis=1)
        found = np.full(len(vectors), BEHIND)
        if known.any():
            users, _ = self.features.of(self._moment(query))
            logits = self.response.logits_of(self.scale.standardised(users), vectors[known])
            found[known] = _log_sigmoid(logits[0])
        return found

    def used_features(
        self, profile: Mapping[str, str | float], context: Mapping[str, str | float]
    ) -> tuple[dict[str, str | float], dict[str, str | float]]:
        """See `UsesFeatures`: context has no say."""
        return {name: profile[name] for name in self.profiles.names if name in profile}, {}

    def tuned_state(self) -> Mapping[str, Any]:
        """See `Tunes.tuned_state`."""
        return self.tuned

    def propensities(self) -> Bools:
        """See `Propensities.propensities`."""
        return self.has_propensity

    def save(self, folder: Path) -> None:
        """See `Model.save`."""
        self.response.save(folder)
        np.save(folder / "vectors.npy", self.features.vectors)
        arrays = {"axes": self.features.axes, "outcome": self.outcome, "has_propensity": self.has_propensity}
        for name, array in {**arrays, **self.scale._asdict()}.items():
            np.save(folder / f"{name}.npy", array)
        described = {
            "period": self.features.period,
            "profiles": self.profiles.json(),
            "actions": self.actions.json(),
            "tuned": dict(self.tuned),
        }
        (folder / "model.json").write_text(json.dumps(described, indent=1, sort_keys=True), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> NextBestActionModel:
        """Open what `save` wrote; the items' vectors are mapped."""
        described = json.loads((folder / "model.json").read_text("utf-8"))
        axes, outcome, has_propensity = (
            np.load(folder / f"{name}.npy") for name in ("axes", "outcome", "has_propensity")
        )
        vectors = mapped(folder / "vectors.npy")
        return cls(
            Features(vectors, axes, described["period"]),
            Scale.load(folder),
            MetadataCoding.from_json(described["profiles"]),
            MetadataCoding.from_json(described["actions"]),
            outcome,
            ResponseModel.load(folder),
            has_propensity,
            described["tuned"],
        )

    def _moment(self, query: Query) -> Moments:
        history = query.item_history
        nothing = np.empty(0, np.int32), np.empty(0, np.int64)
        items = Events(*(nothing if history is None else (history.item, history.time)))
        size, count = np.array([len(items.thing)]), np.array([len(query.item)])
        none = np.zeros(1, dtype=np.int64)
        return Moments(
            np.array([query.now]),
            items,
            none,
            size,
            Events(query.item, query.time),
            none,
            count,
            self.outcome[query.event],
            self.profiles.row(query.profile)[None],
        )


def _log_sigmoid(logits: Float32) -> Float32:
    found: Float32 = -np.logaddexp(np.float32(0.0), -logits)
    return found
