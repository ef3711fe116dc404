"""aws-semantic-similarity, `SemanticSimilarity`: items whose texts mean nearly the same, by content alone.

The similarity of two items is a weighted sum of cosines: of the TF-IDF weights of each column of prose, of
each column of categories, and of short vectors made of all columns together (latent semantic analysis), which
bring together what shares no word (`ItemMetadata`). With a sentence encoder of the operator's
(`sentence_encoder`) its vectors are a part of the sum, the largest. The setting ``rankingInfluence`` of a
campaign adds popularity and freshness, each from 0 to 1 as of training::

    score = similarity + POPULARITY * log(1 + users) / log(1 + most users) + FRESHNESS * newness

Items put after training are compared in the same way, by their records as of serving (`RecordVectors`); in
place of the encoder's vector, which only a training computes, stands what a ridge regression expects of it.

Memory: that of `ItemMetadata`, 4 bytes for each number of an encoder's vector, and about 1 KB for each item
that came after training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..algorithms.arrays import Float32, Float64, Int64
from ..algorithms.topk import top_k
from ..errors import JobFailed
from ..storage.idtable import IdTable
from .item_counts import ItemCounts
from .item_metadata import ItemMetadata, Record
from .model import Model
from .query import Query
from .recipe import Recipe
from .record_vectors import RecordVectors
from .sentence_vectors import SentenceVectors
from .training import Configuration, Kind, Training, TrainingData

if TYPE_CHECKING:
    import polars as pl

WEIGHTS = {"text": 1.0, "category": 0.15, "vectors": 0.05}
"""Of the cosine of a column of prose, of one of categories, and of the vectors of all columns."""
ENCODER_WEIGHT = 2.0
"""Of the cosine of a sentence encoder's vectors."""
SIZE = 128
MEASURED, LIST = 1_000, 25
"""Items that are asked about for the metrics, and the length of their lists."""
CREATED = "CREATION_TIMESTAMP"
_TIE = np.float32(1e-6)
_FILE = "semantic_similarity"


class SemanticModel:
    """A trained model; immutable."""

    def __init__(
        self,
        metadata: ItemMetadata,
        sentences: SentenceVectors | None,
        newness: Float32,
        span: tuple[float, float],
        counts: ItemCounts,
    ) -> None:
        """`newness`: float32[n], 0 to 1; `span`: the creation times that these stand for, seconds."""
        self.metadata, self.sentences, self.newness, self.span = metadata, sentences, newness, span
        self.counts = counts
        most = float(counts.users.max(initial=0.0))
        scale = np.float32(1 / np.log1p(most)) if most else np.float32(0)
        self._popular = np.log1p(counts.users, dtype=np.float32) * scale
        spread = max(float(np.ptp(counts.scores)), 1e-9) if len(counts) else 1.0
        self._ties = counts.scores * np.float32(1 / spread) * _TIE
        weights = [WEIGHTS[column.kind] for column in metadata.columns]
        weights += [WEIGHTS["vectors"]] if metadata.texts else []
        whole = sum(weights) + (ENCODER_WEIGHT if sentences is not None else 0.0)
        self._weights = [np.float32(one / max(whole, 1e-9)) for one in weights]
        self._encoder_weight = np.float32(ENCODER_WEIGHT / max(whole, 1e-9))

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`."""
        return self._scored(query)

    def cold_scores(self, query: Query) -> Float32:
        """See `ColdStarts.cold_scores`: by the record of the anchor."""
        return self._scored(query)

    def similarity(self, record: Record, sentence: Float32 | None) -> Float32:
        """float32[n], at most 1."""
        found = np.zeros(len(self.counts), dtype=np.float32)
        for one, weight in zip(self.metadata.similarities(record), self._weights, strict=True):
            found += weight * one
        if self.sentences is not None and sentence is not None:
            found += self._encoder_weight * self.sentences.cosines(sentence)
        return found

    def _scored(self, query: Query) -> Float32:
        record, sentence = self._asked(query)
        found = None if record is None else self.similarity(record, sentence)
        if found is None or not found.any():
            return self._of_nothing()
        popularity, freshness = _influence(query)
        found += np.float32(popularity) * self._popular
        found += np.float32(freshness) * self.newness
        found += self._ties
        return found

    def _of_nothing(self) -> Float32:
        """Of an anchor of which nothing is known: the popular items; the newest, where nobody used any."""
        if self.counts.interacted.any():
            return self.counts.scores.copy()
        return self.newness + self._ties

    def _expected(self, record: Record) -> Float32 | None:
        return None if self.sentences is None else self.sentences.expected(record.vector[None])[0]

    def embed(self, records: pl.DataFrame) -> RecordVectors | None:
        """See `Inductive.embed`."""
        terms, vectors = self.metadata.rows_of(records)
        sentences = None if self.sentences is None else self.sentences.expected(vectors)
        return RecordVectors(terms, vectors, sentences, _newness(_created(records), self.span))

    def scores_of(self, query: Query, vectors: Any) -> Float32:
        """See `Inductive.scores_of`."""
        behind = np.float32(self.scores(query).min() - 1)
        found = self.new_item_scores(query, vectors, np.full(len(vectors), -1))
        return np.where(found > -np.inf, found, behind)

    def new_item_scores(self, query: Query, vectors: Any, numbers: Int64) -> Float32:
        """See `RanksNewItems.new_item_scores`: by their records; one that has no text is no answer."""
        nothing = np.full(len(numbers), -np.inf, dtype=np.float32)
        record, sentence = self._asked(query)
        if record is None or not isinstance(vectors, RecordVectors):
            return nothing
        found = np.zeros(len(vectors), dtype=np.float32)
        for column, (terms, weight) in enumerate(zip(record.columns, self._weights, strict=False)):
            size = len(self.metadata.texts[self.metadata.columns[column].name].rarity)
            found += weight * vectors.cosines(column, terms, size)
        found += self._weights[-1] * (vectors.vectors @ record.vector)
        if sentence is not None and vectors.sentences is not None:
            found += self._encoder_weight * (vectors.sentences @ sentence)
        found += np.float32(_influence(query)[1]) * vectors.newness
        return np.where(vectors.any(axis=1), found, nothing)

    def _asked(self, query: Query) -> tuple[Record | None, Float32 | None]:
        """What is known of the anchor."""
        if query.anchor is not None:
            sentence = None if self.sentences is None else self.sentences.vectors[query.anchor]
            return self.metadata.record(query.anchor), sentence
        record = None if query.anchor_record is None else self.metadata.record_of(query.anchor_record)
        return record, None if record is None else self._expected(record)

    def save(self, folder: Path) -> None:
        """See `Model.save`."""
        self.metadata.save(folder)
        if self.sentences is not None:
            self.sentences.save(folder)
        np.save(folder / f"{_FILE}.newness.npy", self.newness)
        (folder / f"{_FILE}.json").write_text(json.dumps({"span": self.span}))


class SemanticSimilarity(Recipe):
    """Reads the texts of the Items dataset; interactions are for popularity."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """See `Recipe.fit`.

        Raises:
            JobFailed: no item has a text.
        """
        rng = np.random.default_rng(training.seed)
        training.check()
        training.progress("texts", 0, 2, "passes")
        kind = _of_texts(data.ranked)
        metadata = ItemMetadata.fit(kind, SIZE, rng, training.check)
        if not metadata.columns:
            raise JobFailed(
                "The items' texts share no words, so none is like another: fill the columns that the schema"
                " marks as itemName and textual."
            )
        training.progress("texts", 1, 2, "passes")
        sentences = SentenceVectors.fit(kind, metadata.vectors, training)
        training.progress("texts", 2, 2, "passes")
        # An item that claims to come later is the newest, and makes nothing else old.
        created = np.minimum(_created(data.ranked.records), float(training.moment))
        known = created[np.isfinite(created)]
        span = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        return SemanticModel(metadata, sentences, _newness(created, span), span, data.counts)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """See `Recipe.load`."""
        low, high = json.loads((folder / f"{_FILE}.json").read_text())["span"]
        newness = np.load(folder / f"{_FILE}.newness.npy")
        metadata, sentences = ItemMetadata.load(folder), SentenceVectors.load(folder)
        return SemanticModel(metadata, sentences, newness, (low, high), counts)

    def measured(
        self, model: Model, data: TrainingData, configuration: Configuration, training: Training
    ) -> Mapping[str, float]:
        """See `Measures.measured`: of lists of items drawn from the catalogue."""
        assert isinstance(model, SemanticModel)
        n = len(model.counts)
        asked = np.random.default_rng(training.seed).permutation(n)[:MEASURED]
        shown = np.zeros(n, dtype=np.bool_)
        similar = []
        for place, anchor in enumerate(asked.tolist()):
            training.check()
            training.progress("measure", place, len(asked), "items")
            scores = model.scores(Query.of_nobody(0, anchor=anchor))
            scores[anchor] = -np.inf
            listed = top_k(scores, LIST)
            shown[listed] = True
            sentence = None if model.sentences is None else model.sentences.vectors[anchor]
            similar.append(float(model.similarity(model.metadata.record(anchor), sentence)[listed].mean()))
        found = {"coverage": float(shown.mean()), "item_similarity": float(np.mean(similar))}
        if data.interactions is not None:
            users = model.counts.users
            found["item_popularity"] = float((users / max(float(users.max()), 1.0)).mean())
        if model.span[1] > model.span[0]:
            found["item_freshness"] = float(model.newness.mean())
        return found


def _influence(query: Query) -> tuple[float, float]:
    return query.influence.get("POPULARITY", 0.0), query.influence.get("FRESHNESS", 0.0)


def _of_texts(items: Kind) -> Kind:
    """Without the columns of numbers."""
    import polars as pl

    if items.records is None:
        return items
    texts = [name for name, kind in items.records.schema.items() if kind == pl.String]
    return Kind(items.ids, items.records.select(texts), items.textual)


def _created(records: pl.DataFrame | None) -> Float64:
    """float64[n] seconds, NaN where it is not known."""
    import polars as pl

    if records is None or CREATED not in records.columns:
        return np.full(0 if records is None else len(records), np.nan)
    times: Float64 = records[CREATED].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return times


def _newness(created: Float64, span: tuple[float, float]) -> Float32:
    """float32[n]: 0 for the oldest of the training, 1 for its newest and what came since; 0: not known."""
    low, high = span
    newness = np.clip((created - low) / max(high - low, 1.0), 0.0, 1.0)
    return np.nan_to_num(newness, nan=0.0).astype(np.float32)
