"""The recommendation log: what was shown under which recommendationId, a bounded memory of some days. The
contract of whatever keeps it, `RecommendationLog`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

ISSUED: dict[str, pl.DataType] = {"RECOMMENDATION_ID": pl.String(), "SHOWN": pl.List(pl.String())}
"""Columns of a frame of answers: the id and the items shown."""


class Issued(NamedTuple):
    """One answer.

    Attributes:
        id: its recommendationId.
        arn: the campaign or recommender that gave it.
        items: the ids shown, in order.
        user: for whom, or None.
        time: when, epoch seconds.
    """

    id: str
    arn: str
    items: tuple[str, ...]
    user: str | None
    time: float


class RecommendationLog(ABC):
    """Remembers issued recommendationIds for some days or up to some size, whichever ends first.

    Promises of every implementation:

    - **Beside the answers.** `add` costs the caller a table entry and never waits; answers are written
      together a moment later. A crash may lose the last second of them: then an event that names a lost id
      has no implicit impression and no source, and is stored all the same.
    - **Read everywhere.** Every process finds what every process wrote, its own answers at once.
    - **Bounded.** In memory, and on the disk: the oldest go first, by ranges, never by a search. When writing
      does not keep up, further answers are not remembered, and the log says how many.
    - **It goes on.** An answer that cannot be stored harms no other; whatever error is met is logged, and
      writing goes on with the next answers.
    - **Erasure.** `forget` and `forget_users` leave nothing behind, in no process's memory either once it has
      written what waits.

    Safe in any thread.
    """

    @abstractmethod
    def add(self, id: str, arn: str, items: Sequence[str], user: str | None) -> None:
        """Remember an answer."""

    @abstractmethod
    def find(self, id: str) -> Issued | None:
        """The answer with this id, or None when it is unknown or forgotten."""

    @abstractmethod
    def shown(self, ids: pl.Series) -> pl.DataFrame:
        """What was shown under many `ids`: RECOMMENDATION_ID and SHOWN (a list), without unknown ones."""

    @abstractmethod
    def issuers(self, ids: pl.Series) -> pl.DataFrame:
        """Which campaign or recommender gave answers: RECOMMENDATION_ID and ARN, without unknown ones."""

    @abstractmethod
    def forget(self, arn: str) -> None:
        """Forget all that a campaign or recommender showed, a little at a time: answers of others are written
        meanwhile."""

    @abstractmethod
    def forget_users(self, users: Iterable[str], arns: Iterable[str]) -> int:
        """Forget what these campaigns and recommenders showed to users; how many answers that were. Found by
        an index."""

    @abstractmethod
    def flush(self) -> None:
        """Write what waits now, and forget what is too old or too much."""

    @abstractmethod
    def close(self) -> None:
        """Write what waits and let go of the store."""
