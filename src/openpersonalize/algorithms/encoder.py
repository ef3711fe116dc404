"""The causal sequence encoder (SASRec's family) as a base ranker, inference only, in NumPy: `Encoder`.
Serving needs no torch.

Events become vectors (item + kind of event + time since the event before), blocks mix them, and the vector
after the newest event is multiplied with the vectors of all items (the input table again).

A gated block: pre-norm causal attention and a SwiGLU layer (Shazeer 2020), each behind a sigmoid gate
("LiGR", Borisyuk et al. 2025), with a learned bias per head and distance (Raffel et al. 2020) and no absolute
positions, so a history may begin anywhere. A recurrent block: one GRU layer (Cho et al. 2014) of width 2d.
Training is in `encoder_training`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from .arrays import Float32, Int16, Int32, Int64
from .dot_products import DotProductScores, log_sum_exp, log_sum_exp_rows
from .encoder_blocks import Gated, Layer, Recurrent, Remembered, normed
from .item_attribute import ItemAttribute
from .ivf_index import IVFIndex
from .mapped import mapped
from .ranker import BaseRanker, QueryBlock, RankerQuery
from .sparse import spans

GAPS = 32
_BLOCK = 65_536
_EVENTS_TOGETHER = 1_024
"""Of many histories, so that what a block makes of them stays in a core's cache."""

Block: TypeAlias = Literal["gated", "recurrent"]


@dataclass(frozen=True)
class Shape:
    """What the weights look like.

    Attributes:
        block: the kind of all blocks. d: size of an item's vector. blocks: how many, one after another.
        heads: of a gated block. longest: events of a history that count, the newest.
    """

    block: Block = "gated"
    d: int = 64
    blocks: int = 1
    heads: int = 2
    longest: int = 200


def gap_bucket(seconds: Int64) -> Int64:
    """Seconds between neighbouring events in `GAPS` logarithmic steps, from seconds to years."""
    steps = (1.15 * np.log2(1.0 + np.maximum(seconds, 0))).astype(np.int64)
    return np.minimum(GAPS - 1, steps)


@dataclass(frozen=True)
class State:
    """An encoder after some events: the events that count, what its blocks remember, and the vector."""

    item: Int32
    time: Int64
    event: Int16
    blocks: tuple[Remembered, ...]
    vector: Float32

    def begins(self, item: Int32, time: Int64, event: Int16) -> bool:
        """Whether a history, cut to the events that count, begins with the events of this state."""
        own = len(self.item)
        return (
            own <= len(item)
            and np.array_equal(self.item, item[:own])
            and np.array_equal(self.time, time[:own])
            and np.array_equal(self.event, event[:own])
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays: at d = 64 and 200 events 150 KB for a gated block before the last."""
        own = self.item.nbytes + self.time.nbytes + self.event.nbytes + self.vector.nbytes
        return own + sum(array.nbytes for block in self.blocks for array in block)


class Encoder(BaseRanker):
    """Feature: log-softmax over the catalogue of the dot products with the history's vector; with `ivf`
    normalised by what they tell of the whole, so that a few items can be asked about."""

    kind: ClassVar[str] = "encoder"

    def __init__(
        self,
        shape: Shape,
        weights: Mapping[str, Float32],
        trained: Mapping[str, npt.NDArray[Any]] | Path | None = None,
        ivf: IVFIndex | None = None,
    ) -> None:
        """Put together.

        Args:
            shape: of the weights.
            weights: ``items`` float32[n, d], ``event`` float32[kinds + 1, d] (row 0: unknown), ``gap``
                float32[`GAPS`, d], ``norm.*``, and those of each block under ``block0.`` and so on.
            trained: what training goes on from, or the file that has it: the parameters under the names of
                the network, ``ids`` float32[n, d] those of the items without their features, ``values.k`` the
                vectors of the values of the k-th feature.
            ivf: an index of the items' vectors, see `index`.
        """
        self.shape, self.weights, self._trained, self.ivf = shape, dict(weights), trained, ivf
        self.items = self.weights["items"]
        self._layers = tuple(self._layer(number) for number in range(shape.blocks))
        happened = self.weights["event"][:, None] + self.weights["gap"]
        self._happened = happened.reshape(-1, shape.d)
        self._kinds = len(happened) - 1
        self._root = np.float32(np.sqrt(shape.d))

    def _layer(self, number: int) -> Layer:
        prefix = f"block{number}."
        own = {name[len(prefix) :]: w for name, w in self.weights.items() if name.startswith(prefix)}
        return Recurrent(own) if self.shape.block == "recurrent" else Gated(own, self.shape.heads)

    @cached_property
    def _scale(self) -> Float32:
        return self.weights["norm.weight"] * self._root

    @cached_property
    def trained(self) -> Mapping[str, npt.NDArray[Any]] | None:
        """What training goes on from; read at the first question, None where it was not kept."""
        if not isinstance(self._trained, Path):
            return self._trained
        # Without features an item's vector is its id vector, and is not written twice.
        return {"ids": self.items, **load_file(self._trained)}

    @cached_property
    def values(self) -> tuple[Float32, ...]:
        """float32[size, d] per feature of the items: a vector per value; read at the first question."""
        if isinstance(self._trained, Path):
            with safe_open(self._trained, "numpy") as file:
                count = sum(name.startswith("values.") for name in file.keys())  # noqa: SIM118
                return tuple(file.get_tensor(f"values.{k}") for k in range(count))
        trained = self._trained or {}
        count = sum(name.startswith("values.") for name in trained)
        return tuple(trained[f"values.{k}"] for k in range(count))

    def vectors_of(self, features: Sequence[ItemAttribute]) -> Float32:
        """float32[m, d], of m items of which only the features are known, in the order of training's.

        Memory: d * 4 bytes for each value of the items.
        """
        total = np.zeros((len(features[0].ptr) - 1, self.shape.d), dtype=np.float32)
        for values, one in zip(self.values, features, strict=True):
            if one.dense is not None:
                total += one.dense @ values
            count = np.diff(one.ptr)
            some = np.flatnonzero(count)
            if len(some):
                sums = np.add.reduceat(values[one.code], one.ptr[some], axis=0)
                total[some] += sums / count[some, None].astype(np.float32)
        return total

    def feature(self, query: RankerQuery) -> Float32:
        """See the class. About a fifth of a millisecond for 50 events and 10,000 items."""
        if not len(query.item):
            return np.zeros(len(self.items), dtype=np.float32)
        vector = self.vector(query)
        scores = self.items @ vector
        scores -= self._level(vector) if self.ivf is not None else log_sum_exp(scores)
        return scores

    def lazy(self, query: RankerQuery) -> DotProductScores:
        """See `BaseRanker.lazy`; of a query with one event or more."""
        vector = self.vector(query)
        return DotProductScores(self.items, vector, self._level(vector), self.ivf)

    def accumulate(self, block: QueryBlock, weight: np.float32, total: Float32) -> None:
        """See `BaseRanker.accumulate`: one matrix product for all queries."""
        if (np.diff(block.ptr) == 0).any():
            super().accumulate(block, weight, total)
            return
        vectors = self.vectors(block)
        products = vectors @ self.items.T
        known = None if self.ivf is None else np.array([self.ivf.log_partition(one) for one in vectors])
        for some in block.pieces(len(self.items)):
            part = products[some]
            part -= (log_sum_exp_rows(part) if known is None else known[some])[:, None]
            part *= weight
            total[some] += part

    def _level(self, vector: Float32) -> np.float32:
        """What is taken off all products."""
        return log_sum_exp(self.items @ vector) if self.ivf is None else self.ivf.log_partition(vector)

    def index(self, check: Callable[[], None] = lambda: None) -> IVFIndex:
        """Part the items' vectors, those that are not 0, into cells. From then on the feature is normalised
        by them."""
        blocks = (self.items[start : start + _BLOCK] for start in range(0, len(self.items), _BLOCK))
        known = np.flatnonzero(np.concatenate([block.any(axis=1) for block in blocks]))
        self.ivf = IVFIndex.fit(self.items, known, check=check)
        return self.ivf

    def feature_of(self, query: RankerQuery, vectors: Float32) -> Float32:
        """float32[m], the feature of items with these vectors, after a history of one event or more: on the
        scale of the catalogue's, of which they are no part."""
        state = self.vector(query)
        scores: Float32 = vectors @ state
        scores -= self._level(state)
        return scores

    def vector(self, query: RankerQuery) -> Float32:
        """float32[d] after the newest event of a history that has one; on from what is kept in its session
        of an earlier question."""
        session = getattr(query, "session", None)  # only a query that is resumed has one
        if session is None or not self.remembers:
            return self.encode(query.item, query.time, query.event)
        earlier = session.kept.get(self.name)
        state = self.state(query.item, query.time, query.event, earlier)
        session.kept[self.name] = state
        return state.vector

    @property
    def remembers(self) -> bool:
        """Whether a kept `State` saves work. A single gated block is as cheap anew as it is to be kept."""
        return self.shape.block == "recurrent" or self.shape.blocks > 1

    def encode(self, item: Int32, time: Int64, event: Int16) -> Float32:
        """float32[d] after the newest event of a history, oldest first, of one event or more."""
        return self.state(item, time, event).vector

    def state(self, item: Int32, time: Int64, event: Int16, earlier: State | None = None) -> State:
        """The state after a history of one event or more: on from `earlier` where that is of its beginning,
        else from nothing.

        Only the newest `Shape.longest` events count. Beyond that the oldest go, and what the others learned
        from them would stay in a state: so it is worked out anew, and one history has one vector whatever was
        kept.
        """
        newest = slice(-self.shape.longest, None)
        item, time, event = item[newest], time[newest], event[newest]
        if earlier is None or not earlier.begins(item, time, event):
            blocks = tuple(
                block.nothing(place == len(self._layers) - 1) for place, block in enumerate(self._layers)
            )
            fresh = 0
        else:
            blocks, fresh = earlier.blocks, len(earlier.item)
            if fresh == len(item):
                return earlier
        gap = np.zeros(len(item) - fresh, dtype=np.int64)
        first = 0 if fresh else 1
        gap[first:] = gap_bucket(time[fresh + first :] - time[fresh + first - 1 : -1])
        kind = np.where(event[fresh:] < self._kinds, event[fresh:] + 1, 0)
        x = self.items.take(item[fresh:], axis=0) * self._root
        x += self._happened.take(kind * GAPS + gap, axis=0)
        kept = []
        for place, block in enumerate(self._layers):
            x, remembered = block.extend(x, blocks[place], place == len(self._layers) - 1)
            kept.append(remembered)
        vector: Float32 = normed(x[-1:])[0] * self._scale
        vector += self.weights["norm.bias"]
        return State(item, time, event, tuple(kept), vector)

    def vectors(self, block: QueryBlock) -> Float32:
        """float32[B, d], the `encode` of each history of a block, of one event or more."""
        ptr, places = block.newest(self.shape.longest)
        item, time, event = block.item[places], block.time[places], block.event[places]
        gap = gap_bucket(np.diff(time, prepend=time[:1]))
        gap[ptr[:-1]] = 0
        kind = np.where(event < self._kinds, event + 1, 0)
        kind *= GAPS
        kind += gap
        newest = np.empty((len(block), self.shape.d), dtype=np.float32)
        for first, end in spans(np.diff(ptr), _EVENTS_TOGETHER):
            some = slice(ptr[first], ptr[end])
            x = self.items.take(item[some], axis=0)
            x *= self._root
            x += self._happened.take(kind[some], axis=0)
            ends = ptr[first : end + 1] - ptr[first]
            for place, layer in enumerate(self._layers):
                x = layer.histories(x, ends, place == len(self._layers) - 1)
            newest[first:end] = x
        found: Float32 = normed(newest) * self._scale
        found += self.weights["norm.bias"]
        return found

    def save(self, folder: Path) -> None:
        """Three files: ``encoder.items.npy``; ``encoder.safetensors``, the other weights, with the shape in
        its header; ``encoder.training.safetensors``, which serving leaves alone; and those of the index."""
        np.save(folder / f"{self.name}.items.npy", self.items)
        network = {name: value for name, value in self.weights.items() if name != "items"}
        save_file(network, folder / f"{self.name}.safetensors", {"shape": json.dumps(asdict(self.shape))})
        if self.trained is not None:
            kept = {name: np.ascontiguousarray(value) for name, value in self.trained.items()}
            if not self.values:
                del kept["ids"]
            save_file(kept, folder / f"{self.name}.training.safetensors")
        if self.ivf is not None:
            self.ivf.save(folder, f"{self.name}.cells")

    @classmethod
    def load(cls, folder: Path, name: str) -> Encoder:
        """Open what `save` wrote: the items' vectors mapped, so that processes share them."""
        with safe_open(folder / f"{name}.safetensors", "numpy") as file:
            shape = Shape(**json.loads(file.metadata()["shape"]))
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if "items" not in weights:  # as in models of the first format
            weights["items"] = mapped(folder / f"{name}.items.npy")
        training = folder / f"{name}.training.safetensors"
        ivf = IVFIndex.load(folder, f"{name}.cells")
        return cls(shape, weights, training if training.exists() else None, ivf)
