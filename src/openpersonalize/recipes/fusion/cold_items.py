"""The items of a fused model's catalogue that nobody met, `ColdItems`: the rankers know them as items without
interactions, and what their metadata say to a user (`ContentModel`) is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...algorithms.arrays import Float32, Int64
from ...algorithms.content_model import ContentModel, known
from ...algorithms.encoder import Encoder
from ...algorithms.lazy_scores import LazyScores
from ...datasets.sequences import Sequences
from ..item_vocabulary import ItemVocabulary
from ..query import Query
from ..training import Training, TrainingData

_ITEMS_TOGETHER = 65_536
"""Items looked at together."""


def fit_content(
    data: TrainingData, sequences: Sequences, vocabulary: ItemVocabulary | None, training: Training
) -> ContentModel | None:
    """What items that nobody met are known by; None where their metadata say nothing."""
    if vocabulary is None or data.ranked.records is None or not vocabulary.columns:
        return None
    attributes = vocabulary.attributes_of(data.ranked.records)
    named = [one for one in zip(attributes, vocabulary.ordered, strict=True) if one[0].dense is None]
    return ContentModel.fit(
        [attribute for attribute, _ in named],
        [ordered for _, ordered in named],
        sequences.events,
        training.seed,
        training.check,
    )


class ColdItems:
    """The items of a catalogue that nobody met, of which metadata are known. Immutable."""

    def __init__(self, content: ContentModel, unseen: Int64) -> None:
        """`unseen`: int64, ascending, the items without interactions."""
        self.content = content
        attributes = content.of(unseen)
        some = known(attributes) if len(unseen) else np.zeros(0, dtype=np.bool_)
        self.rows = unseen[some]
        self._attributes = tuple(one.of(np.flatnonzero(some)) for one in attributes)

    def add(self, query: Query, total: Float32) -> None:
        """Add what their metadata say to float32[n] `total`."""
        if len(self.rows):
            total[self.rows] += self.content.scores(self.content.profile(query), self._attributes)

    def lazy(self, query: Query) -> ColdScores:
        """The same where it is asked for."""
        return ColdScores(self.content, self.content.profile(query), self.rows)


def behind_others(unseen: Int64, cold_items: ColdItems | None, encoder: Encoder | None) -> dict[bool, Int64]:
    """Those of the `unseen` items of which nothing is known, without the encoder and with it."""
    rows = unseen if cold_items is None else np.setdiff1d(unseen, cold_items.rows, assume_unique=True)
    if encoder is None or not len(rows):
        return {False: rows, True: rows}
    blocks = np.split(rows, range(_ITEMS_TOGETHER, len(rows), _ITEMS_TOGETHER))
    known_to_it = np.concatenate([encoder.items[some].any(axis=1) for some in blocks])
    return {False: rows, True: rows[~known_to_it]}


@dataclass(frozen=True)
class ColdScores(LazyScores):
    """What metadata add to the scores of items that nobody met; nothing to the others. It names no
    candidates: who is hardly known is no candidate for that alone."""

    content: ContentModel
    profile: Sequence[Float32]
    rows: Int64

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        found = np.zeros(len(rows), dtype=np.float32)
        if len(self.rows):
            place = np.minimum(self.rows.searchsorted(rows), len(self.rows) - 1)
            cold = np.flatnonzero(self.rows[place] == rows)
            found[cold] = self.content.scores(self.profile, self.content.of(rows[cold]))
        return found

    def top(self, k: int) -> Int64:
        """See the class."""
        return np.empty(0, dtype=np.int64)
