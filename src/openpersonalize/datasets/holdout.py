"""A hold-out of interactions, `HoldOut`: which events train, who is asked, and which events are the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .sequences import Bools, Float32, Int32, Int64, Sequences


@dataclass(frozen=True)
class HoldOut:
    """Q questions about events that do not train; question k is about ``start[k]:end[k]``.

    Attributes:
        training: bool[N], the events that train.
        user: int32[Q], the user of each question. start: int64[Q], the first relevant event; the user's
            history ends before it. end: int64[Q], one past the last relevant event.
        now: int64[Q] seconds, the moment of the question.
    """

    training: Bools
    user: Int32
    start: Int64
    end: Int64
    now: Int64

    def __len__(self) -> int:
        return len(self.user)

    def take(self, questions: npt.NDArray[np.integer]) -> HoldOut:
        """Some of the questions, by number."""
        return replace(
            self,
            user=self.user[questions],
            start=self.start[questions],
            end=self.end[questions],
            now=self.now[questions],
        )

    def relevant(self, sequences: Sequences, k: int) -> tuple[Int32, Float32]:
        """The distinct relevant items of the k-th question, ascending, and the gain of each: the largest
        weight of its events."""
        start, end = int(self.start[k]), int(self.end[k])
        items, place = np.unique(sequences.item[start:end], return_inverse=True)
        gain = np.zeros(len(items), dtype=np.float32)
        np.maximum.at(gain, place, sequences.weight[start:end])
        return items, gain
