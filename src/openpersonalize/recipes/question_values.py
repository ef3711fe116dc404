"""Offline metrics of a version for each held-out question, `QuestionValues`: what intervals and paired
comparisons of versions are made from.

Beside the model's values stand those of a list that everybody gets: the best sellers of the data that it was
measured with (of users the most active ones, of actions those taken most).

On disk and in memory: 16 bytes and 8 bytes a metric for each question. At most `splits.MOST_USERS` questions
are asked, of at most 10 metrics: 480 KB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ..algorithms.arrays import Bools, Float32, Float64, Int64, UInt64
from ..algorithms.mapped import mapped
from ..storage.idhash import hashes

PREFIX = "questions."
"""Of the names of its files."""


@dataclass(frozen=True)
class QuestionValues:
    """Q questions and M metrics, each the mean of a metric of GetSolutionMetrics.

    Attributes:
        names: the M metrics.
        asked: uint64[Q], a hash of whom, or what, each question is about. truth: uint64[Q], a hash of its
            right answers.
        values: float32[Q, M] of the model. peer: float32[Q, M] of the list that everybody gets.
    """

    names: tuple[str, ...]
    asked: UInt64
    truth: UInt64
    values: Float32
    peer: Float32

    @classmethod
    def of(
        cls, asked: UInt64, truth: UInt64, values: Mapping[str, Float64], peer: Mapping[str, Float64]
    ) -> QuestionValues:
        """Of columns by name, float64[Q] each."""
        names = tuple(values)
        columns = [np.zeros((len(asked), 0)), np.zeros((len(asked), 0))]
        if names:
            columns = [np.column_stack([one[name] for name in names]) for one in (values, peer)]
        return cls(names, asked, truth, *(one.astype(np.float32) for one in columns))

    def __len__(self) -> int:
        return len(self.asked)

    def take(self, rows: Int64 | Bools) -> QuestionValues:
        """Some of the questions, by number or by mask."""
        return QuestionValues(
            self.names, self.asked[rows], self.truth[rows], self.values[rows], self.peer[rows]
        )

    def without(self, users: pl.Series) -> QuestionValues:
        """Without the questions about these users, or whose only right answer is one of them."""
        gone = hashes(users)
        return self.take(~(np.isin(self.asked, gone) | np.isin(self.truth, gone)))

    def save(self, folder: Path) -> None:
        """Write ``questions.*`` into `folder`."""
        (folder / f"{PREFIX}json").write_text(json.dumps({"metrics": list(self.names)}), "utf-8")
        np.save(folder / f"{PREFIX}keys.npy", np.stack([self.asked, self.truth]))
        np.save(folder / f"{PREFIX}values.npy", np.stack([self.values, self.peer]))

    @classmethod
    def load(cls, folder: Path) -> QuestionValues | None:
        """What `save` wrote; None where a version has none: of an older release, or measured otherwise."""
        if not (folder / f"{PREFIX}json").exists():
            return None
        names = json.loads((folder / f"{PREFIX}json").read_text("utf-8"))["metrics"]
        asked, truth = mapped(folder / f"{PREFIX}keys.npy")
        values, peer = mapped(folder / f"{PREFIX}values.npy")
        return cls(tuple(names), asked, truth, values, peer)


def hashes_of_sets(hashed: UInt64, ptr: Int64) -> UInt64:
    """uint64[Q], a hash of each set whose members have the hashes ``hashed[ptr[k]:ptr[k + 1]]``, in any
    order; of a set of one, that of its member."""
    ends = np.concatenate((np.zeros(1, np.uint64), np.cumsum(hashed, dtype=np.uint64)))
    found: UInt64 = ends[ptr[1:]] - ends[ptr[:-1]]
    return found
