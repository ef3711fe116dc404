"""What an update goes on from: which events are new to an earlier model, and its encoder in the numbers of
today's catalogue.

Items, users and types of events are numbered anew by every training, so everything is carried over by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.arrays import Bools, Float32, Int32, Int64
from ..algorithms.encoder import Encoder
from ..algorithms.item_attribute import ItemAttribute
from ..datasets.sequences import Sequences
from ..errors import CannotUpdate
from ..storage.idtable import IdTable
from .item_vocabulary import ItemVocabulary
from .model import Model
from .training import TrainingData

ITEMS_TOGETHER = 50_000
"""Items whose vectors are added up at a time."""


@dataclass(frozen=True)
class Earlier:
    """A trained version, as its artifact remembers it.

    Attributes:
        model: the model. users, items, event_types: what its numbers stand for.
        ptr, item, time: the newest events of every user, packed by user, int64[U+1], int32[K], int64[K].
        most: how many of a user are remembered.
    """

    model: Model
    users: IdTable
    items: IdTable
    event_types: tuple[str, ...]
    ptr: Int64
    item: Int32
    time: Int64
    most: int

    def numbers(self, items: IdTable) -> Int32:
        """int32[n], the number that each of today's items had, -1 for new ones."""
        return self.items.find_all(items.series())

    def fresh(self, sequences: Sequences) -> Bools:
        """bool[N], the events that the model did not learn from.

        Of a user with many events only the newest are remembered: what is older than all of them counts as
        known. Memory: about 60 bytes for each event that is not older.
        """
        user_before = self.users.find_all(sequences.users.series())
        counts = np.diff(self.ptr)
        since = np.full(len(sequences.users), np.iinfo(np.int64).min)
        # A user whose memory is full: nothing can be said about what lies before it.
        full = np.flatnonzero(user_before >= 0)
        full = full[counts[user_before[full]] >= self.most]
        since[full] = self.time[self.ptr[user_before[full]]]
        place = np.flatnonzero(sequences.time >= np.repeat(since, sequences.counts))
        item_before = self.numbers(sequences.items)
        today = pl.DataFrame(
            {
                "user": user_before[sequences.user[place]],
                "item": item_before[sequences.item[place]],
                "time": np.asarray(sequences.time)[place],
                "place": place,
            }
        )
        then = pl.DataFrame(
            {
                "user": np.repeat(np.arange(len(self.users), dtype=np.int32), counts),
                "item": np.asarray(self.item),
                "time": np.asarray(self.time),
            }
        )
        fresh = np.zeros(len(sequences.item), dtype=np.bool_)
        fresh[today.join(then, on=["user", "item", "time"], how="anti")["place"].to_numpy()] = True
        return fresh


def attributes_of(
    encoder: Encoder | None, vocabulary: ItemVocabulary | None, data: TrainingData
) -> list[ItemAttribute]:
    """The attributes of today's items in the numbers of the `vocabulary` that an encoder was trained with.

    Raises:
        CannotUpdate: columns that it was trained with are gone, or it is of a release without vocabularies.
    """
    columns = [] if vocabulary is None else vocabulary.columns
    if encoder is None or len(encoder.values) != len(columns):
        raise CannotUpdate("it does not know by which values it was trained")
    present = () if data.ranked.records is None else data.ranked.records.columns
    gone = [name for name in dict.fromkeys(columns) if name not in present]
    if gone:
        raise CannotUpdate(f"the Items dataset has no column {' and '.join(gone)} any more")
    if vocabulary is None or data.ranked.records is None:
        return []
    return vocabulary.of(data.ranked.records)


def carried_over(
    encoder: Encoder | None,
    before: Int32,
    features: Sequence[ItemAttribute],
    event_types: tuple[str, ...],
    sequences: Sequences,
) -> Encoder:
    """The encoder in today's numbers.

    New items start at the mean of the id vectors of those that share their metadata, new types of events at
    the mean of the known ones.

    Args:
        encoder: the earlier one.
        before: int32[n], see `Earlier.numbers`. features: of the n items.
        event_types: what the encoder's kinds of events stand for. sequences: today's events.

    Raises:
        CannotUpdate: there is none, or it was saved without what training goes on from.
    """
    if encoder is None or encoder.trained is None:
        raise CannotUpdate("its encoder was saved without what training goes on from")
    trained = dict(encoder.trained)
    ids = _gathered(trained["ids"], before)
    settled = np.abs(ids).max(axis=1, initial=0) > 0
    ids[~settled] = like_them(ids, settled, features)
    trained["ids"] = ids
    kinds = np.array(
        [event_types.index(kind) + 1 if kind in event_types else -1 for kind in sequences.event_types],
        dtype=np.int32,
    )
    own = trained["event"]
    kinds[kinds >= len(own)] = -1
    rows = _gathered(own, np.concatenate(([0], kinds)))
    if len(own) > 1:
        rows[1:][kinds < 0] = own[1:].mean(axis=0)
    trained["event"] = rows
    return Encoder(encoder.shape, {**encoder.weights, "event": rows, "items": ids}, trained)


def like_them(ids: Float32, settled: Bools, features: Sequence[ItemAttribute]) -> Float32:
    """float32[m, d], where the items that are not `settled` start: for each value of their metadata the mean
    id vector of the settled items that have it, and of these means the mean. 0 where nothing is shared.

    Args:
        ids: float32[n, d]. settled: bool[n]. features: of the n items.
    """
    new, old = np.flatnonzero(~settled), np.flatnonzero(settled)
    total = np.zeros((len(new), ids.shape[1]), dtype=np.float32)
    parts = np.zeros(len(new), dtype=np.float32)
    if not len(new):
        return total
    for feature in features:
        if feature.dense is not None:  # nobody shares a vector
            continue
        wanted = feature.of(new)
        values = np.unique(wanted.code)
        place = np.full(feature.size, -1, dtype=np.int64)
        place[values] = np.arange(len(values))
        sums = np.zeros((len(values), ids.shape[1]), dtype=np.float32)
        counts = np.zeros(len(values), dtype=np.float32)
        for begin in range(0, len(old), ITEMS_TOGETHER):
            some = old[begin : begin + ITEMS_TOGETHER]
            have = feature.of(some)
            item, value = np.repeat(some, np.diff(have.ptr)), place[have.code]
            item, value = item[value >= 0], value[value >= 0]
            order = np.argsort(value, kind="stable")
            item, value = item[order], value[order]
            first = np.flatnonzero(np.concatenate(([True], np.diff(value) > 0))) if len(value) else value
            if len(first):
                sums[value[first]] += np.add.reduceat(ids[item], first, axis=0)
                counts += np.bincount(value, minlength=len(values)).astype(np.float32)
        means = sums / np.maximum(counts, 1)[:, None]
        row, value = np.repeat(np.arange(len(new)), np.diff(wanted.ptr)), place[wanted.code]
        row, value = row[counts[value] > 0], value[counts[value] > 0]
        np.add.at(total, row, means[value])
        parts += np.bincount(row, minlength=len(new)).astype(np.float32)
    total /= np.maximum(parts, 1)[:, None]
    return total


def _gathered(rows: npt.NDArray[Any], before: Int32) -> Float32:
    """The rows `before`, 0 where it is -1."""
    found = np.zeros((len(before), rows.shape[1]), dtype=np.float32)
    known = before >= 0
    found[known] = rows[before[known]]
    return found
