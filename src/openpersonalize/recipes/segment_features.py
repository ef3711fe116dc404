"""What is known of every user towards some items, `SegmentFeatures`: how active a user is, what the user did
with these items, and how much of the user's history is like them, by other users' histories and by metadata.

A likeness is a logarithm: the share of a user's items that are like the ones asked about over everybody's
share, drawn to 0 where the history is short. Memory: that of its parts, and a few numbers a user for one
question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..algorithms.arrays import Bools, Float32, Float64, Int32, Int64
from ..algorithms.interacted_users import InteractedUsers
from ..algorithms.item_pairs import ItemPairs
from ..algorithms.mapped import mapped
from ..algorithms.topk import top_k
from ..datasets.sequences import Sequences
from .item_metadata import ItemMetadata

SHRINKAGE = 3.0
"""Items of everybody that each history is lengthened by."""
MEMBERS = 32
"""Of many items asked about so many stand for all in what is like them: those with most users."""
LIKE = 2_000
"""Items that are like those asked about, at most."""
_OWN = ("events", "items", "had", "times", "share", "had: events", "had: items")
_FILE = "segment_profiles"


class SegmentFeatures:
    """Of the users and items of one training; immutable."""

    def __init__(
        self, users: InteractedUsers, pairs: ItemPairs, metadata: ItemMetadata, profiles: Sequence[Int32]
    ) -> None:
        """`profiles`: of each column of the users' metadata int32[U], the number of a value, -1 for none."""
        self.users, self.pairs, self.metadata, self.profiles = users, pairs, metadata, tuple(profiles)

    @classmethod
    def fit(
        cls,
        history: Sequences,
        metadata: ItemMetadata,
        size: int,
        seed: int,
        check: Callable[[], None] = lambda: None,
    ) -> SegmentFeatures:
        """Count. `size`: numbers of an item's vector."""
        pairs = ItemPairs.fit(history.events, size, np.random.default_rng([seed, 2]), check=check)
        users = InteractedUsers.of(history.events, check)
        columns = {} if history.profiles is None else history.profiles.columns
        rows = history.profile_rows
        profiles = [np.where(rows < 0, -1, one.code[rows]).astype(np.int32) for one in columns.values()]
        return cls(users, pairs, metadata, profiles)

    @property
    def names(self) -> list[str]:
        """What is known, in the order of `of`."""
        like = ["users", "vectors", *(f"metadata: {name}" for name in self.metadata.names)]
        likes = [f"{when}like by {name}" for name in like for when in ("", "recently ", "had: ")]
        return [*_OWN, *likes, *(["profile"] if self.profiles else [])]

    def of(self, items: Int64) -> Iterator[Float32]:
        """float32[U] each, towards any of different items, ascending. One is held at a time."""
        users = self.users
        events, own = np.log1p(users.events), users.times_with(items)
        different = np.log1p(users.items)
        had = (own > 0).astype(np.float32)
        yield events
        yield different
        yield had
        yield np.log1p(own)
        yield self._over_expected(own, users.events)
        yield had * events
        yield had * different
        for likeness in self._alike(items):
            likeness[items] = 0.0
            rows = top_k(likeness, LIKE)
            rows = np.sort(rows[likeness[rows] > 0])
            ever, recently = users.sums(rows, likeness[rows])
            likely = self._over_expected(ever, users.items)
            yield likely
            yield self._over_expected(recently, users.recent)
            yield had * likely
        if self.profiles:
            yield self._profile(items)

    def _over_expected(self, own: Float32, size: Float32) -> Float32:
        """The logarithm of ``own / size`` over the same of everybody together."""
        everybody = float(own.sum(dtype=np.float64)) / max(float(size.sum(dtype=np.float64)), 1.0)
        if everybody <= 0:
            return np.zeros(len(own), dtype=np.float32)
        found: Float32 = np.log((own / np.float32(everybody) + SHRINKAGE) / (size + SHRINKAGE))
        return found.astype(np.float32)

    def _alike(self, items: Int64) -> Iterator[Float32]:
        """float32[n] each, not negative, how much each item is like those asked about."""
        counts = self.users.counts[items]
        members = items[np.sort(np.argsort(-counts, kind="stable")[:MEMBERS])]
        share = (self.users.counts[members] + 1.0) / (self.users.counts[members] + 1.0).sum()
        total: list[Float64] = []
        for member, weight in zip(members.tolist(), share.tolist(), strict=True):
            cosine, vectors = self.pairs.similarities(member)
            found = [cosine, np.square(np.maximum(vectors, 0))]
            found += [np.maximum(one, 0) for one in self.metadata.similarities(self.metadata.record(member))]
            if not total:
                total = [np.zeros(len(one)) for one in found]
            for sums, one in zip(total, found, strict=True):
                sums += weight * one
        return (one.astype(np.float32) for one in total)

    def _profile(self, items: Int64) -> Float32:
        """How much more frequent a user's metadata are among the users of the items than among all."""
        theirs = self.users.of_items(items)
        found = np.zeros(self.users.users, dtype=np.float32)
        for code in self.profiles:
            size = int(code.max(initial=-1)) + 1
            everybody = np.bincount(code[code >= 0], minlength=size).astype(np.float64)
            everybody /= max(everybody.sum(), 1.0)
            having = code[theirs]
            counted = np.bincount(having[having >= 0], minlength=size)
            share = (counted + SHRINKAGE * everybody) / (counted.sum() + SHRINKAGE)
            ratio = np.log(np.maximum(share, 1e-12) / np.maximum(everybody, 1e-12))
            found += np.append(ratio, 0.0)[code].astype(np.float32)
        return found

    def without_users(self, kept: Bools) -> SegmentFeatures:
        """Of the users marked True in bool[U], numbered anew in their order."""
        profiles = [code[kept] for code in self.profiles]
        return SegmentFeatures(self.users.without_users(kept), self.pairs, self.metadata, profiles)

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        self.users.save(folder)
        self.pairs.save(folder)
        self.metadata.save(folder)
        for number, code in enumerate(self.profiles):
            np.save(folder / f"{_FILE}.{number}.npy", code)

    @classmethod
    def load(cls, folder: Path) -> SegmentFeatures:
        """Map what `save` wrote."""
        count = len(list(folder.glob(f"{_FILE}.*.npy")))
        return cls(
            InteractedUsers.load(folder),
            ItemPairs.load(folder),
            ItemMetadata.load(folder),
            [mapped(folder / f"{_FILE}.{number}.npy") for number in range(count)],
        )
