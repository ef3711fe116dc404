"""Items that came after the training of a fused model, by their records: `ItemRecords`, `newcomer_scores`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from ...algorithms.arrays import Bools, Float32, Int64
from ...algorithms.content_model import ContentModel, known
from ...algorithms.encoder import Encoder
from ...algorithms.item_attribute import ItemAttribute, ItemVectors
from ...algorithms.ranker import BaseRanker
from ..item_vocabulary import ItemVocabulary
from ..objective import ItemRewards
from ..query import Query


class Fusion(Protocol):
    """What is asked of a fused model: see `FusedModel`."""

    interacted: Bools
    rewards: ItemRewards | None

    @property
    def encoder(self) -> Encoder | None: ...
    @property
    def content(self) -> ContentModel | None: ...
    @property
    def rewarded(self) -> bool: ...
    def plan(self, query: Query) -> tuple[tuple[BaseRanker, np.float32], ...]: ...
    def relevance(self, query: Query) -> Float32: ...


@dataclass(frozen=True)
class ItemRecords:
    """m records as a model reads them: what `FusedModel.embed` makes and `FusedModel.scores_of` takes.

    Attributes:
        vectors: float32[m, d], the encoder's; None where none counts. attributes: the content model's.
    """

    vectors: Float32 | None
    attributes: tuple[ItemAttribute, ...]

    def __len__(self) -> int:
        return len(self.attributes[0].ptr) - 1

    def __getitem__(self, rows: Int64) -> ItemRecords:
        """Some of them, by number or by mask."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        vectors = None if self.vectors is None else self.vectors[places]
        return ItemRecords(vectors, tuple(one.of(places) for one in self.attributes))

    @classmethod
    def of(
        cls, records: pl.DataFrame, vocabulary: ItemVocabulary, encoder: Encoder | None, content: bool
    ) -> ItemVectors | None:
        """Of these records, for an encoder, a content model or both; None: neither reads attributes."""
        reads = encoder is not None and bool(encoder.values)
        if not (reads or content):
            return None
        attributes = vocabulary.of(records)
        vectors = encoder.vectors_of(attributes) if encoder is not None and reads else None
        return cls(vectors, tuple(one for one in attributes if one.dense is None)) if content else vectors

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        own = sum(one.code.nbytes + one.ptr.nbytes for one in self.attributes)
        return own + (0 if self.vectors is None else self.vectors.nbytes)

    def any(self, axis: int) -> Bools:
        """bool[m], of which anything is known; `axis` is 1, as of an array."""
        found = known(self.attributes)
        return found if self.vectors is None else found | self.vectors.any(axis=axis)


def newcomer_scores(model: Fusion, query: Query, vectors: ItemVectors) -> Float32:
    """float32[m], see `Inductive.scores_of`: the encoder by the vectors, the other rankers as of items with
    which nobody interacted, and what the attributes say to the user."""
    plan, encoder, content = model.plan(query), model.encoder, model.content
    weight = next((weight for one, weight in plan if one is encoder), None)
    own = vectors.vectors if isinstance(vectors, ItemRecords) else np.asarray(vectors)
    total = np.zeros(len(vectors), dtype=np.float32)
    known: Bools = np.zeros(len(vectors), dtype=np.bool_)
    if len(query.item):
        level = sum(float(weight) * one.unseen_value(query) for one, weight in plan if one is not encoder)
        total += np.float32(level)
        if encoder is not None and weight is not None and own is not None:
            known = np.asarray(own.any(axis=1))
            total[known] += weight * encoder.feature_of(query, own[known])
        if content is not None and isinstance(vectors, ItemRecords):
            known = np.asarray(vectors.any(axis=1))
            total += content.scores(content.profile(query), vectors.attributes)
    rewarded = model.rewarded and bool(model.interacted.any())
    if rewarded or not known.all():
        relevance = model.relevance(query)
        total[~known] = relevance.min() - 1
        if rewarded and model.rewards is not None:
            total = model.rewards.without_reward(total, relevance, model.interacted)
    return total
