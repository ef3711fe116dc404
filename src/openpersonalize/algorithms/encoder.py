"""The causal sequence encoder as a member of a fusion, scoring only: NumPy, so that serving needs no torch.

Events become vectors (item + kind of event + time since the event before), blocks mix them, and the vector
after the newest event is multiplied with the vectors of all items (the input table again).

A gated block: pre-norm causal attention and a SwiGLU layer (Shazeer 2020), each behind a sigmoid gate
("LiGR", Borisyuk et al. 2025), with a learned bias per head and distance (Raffel et al. 2020) and no absolute
positions, so a history may begin anywhere. A recurrent block: one GRU layer (Cho et al. 2014) of width 2d.
Training is in `encoder_training`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from .companion import Companion, Float32, History, Int16, Int32, Int64
from .mapped import mapped

if TYPE_CHECKING:
    from .encoder_plan import Feature

GAPS = 32
EPSILON = np.float32(1e-5)

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


class Encoder(Companion):
    """Feature: log-softmax over the catalogue of the dot products with the history's vector."""

    kind: ClassVar[str] = "encoder"

    def __init__(
        self,
        shape: Shape,
        weights: Mapping[str, Float32],
        trained: Mapping[str, npt.NDArray[Any]] | Path | None = None,
    ) -> None:
        """Put together.

        Args:
            shape: of the weights.
            weights: ``items`` float32[n, d], ``event`` float32[kinds + 1, d] (row 0: unknown), ``gap``
                float32[`GAPS`, d], ``norm.*``, and those of each block under ``block0.`` and so on.
            trained: what training goes on from, or the file that has it: the parameters under the names of
                the network, ``ids`` float32[n, d] those of the items without their features, ``values.k`` the
                vectors of the values of the k-th feature.
        """
        self.shape, self.weights, self._trained = shape, dict(weights), trained
        self.items = self.weights["items"]

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

    def vectors_of(self, features: Sequence[Feature]) -> Float32:
        """float32[m, d], of m items of which only the features are known, in the order of training's.

        Memory: d * 4 bytes for each value of the items.
        """
        total = np.zeros((len(features[0].ptr) - 1, self.shape.d), dtype=np.float32)
        for values, one in zip(self.values, features, strict=True):
            count = np.diff(one.ptr)
            some = np.flatnonzero(count)
            if len(some):
                sums = np.add.reduceat(values[one.code], one.ptr[some], axis=0)
                total[some] += sums / count[some, None].astype(np.float32)
        return total

    def feature(self, history: History) -> Float32:
        """See the class. About a millisecond for 200 events and 10,000 items."""
        if not len(history.item):
            return np.zeros(len(self.items), dtype=np.float32)
        scores = self.items @ self.encode(history.item, history.time, history.event)
        scores -= scores.max()
        scores -= np.log(np.exp(scores).sum())
        return scores

    def encode(self, item: Int32, time: Int64, event: Int16) -> Float32:
        """float32[d] after the newest event of a history, oldest first, of one event or more."""
        newest = slice(-self.shape.longest, None)
        item, time, event = item[newest], time[newest], event[newest]
        w = self.weights
        kind = np.where(event < len(w["event"]) - 1, event + 1, 0)
        gap = gap_bucket(np.diff(time, prepend=time[:1]))
        x = self.items[item] * np.float32(np.sqrt(self.shape.d)) + w["event"][kind] + w["gap"][gap]
        for block in range(self.shape.blocks):
            last = block == self.shape.blocks - 1
            apply = self._recurrent if self.shape.block == "recurrent" else self._gated
            x = apply(x, f"block{block}.", last)
        encoded: Float32 = self._norm(x[-1], "norm")
        return encoded

    def _norm(self, x: Float32, name: str) -> Float32:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.mean(centred * centred, axis=-1, keepdims=True)
        normed: Float32 = centred / np.sqrt(variance + EPSILON)
        return normed * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def _linear(self, x: Float32, name: str) -> Float32:
        product: Float32 = x @ self.weights[name + ".weight"].T
        return product + self.weights[name + ".bias"]

    def _gated(self, x: Float32, name: str, last: bool) -> Float32:
        """float32[k, d], or of the `last` block only the newest row, float32[1, d]: no other is needed."""
        w, heads, k, d = self.weights, self.shape.heads, *x.shape
        rows = slice(-1, None) if last else slice(None)
        normed = self._norm(x, name + "norm1")
        query = (normed[rows] @ w[name + "query"].T).reshape(-1, heads, d // heads).transpose(1, 0, 2)
        key = (normed @ w[name + "key"].T).reshape(k, heads, d // heads).transpose(1, 2, 0)
        value = (normed @ w[name + "value"].T).reshape(k, heads, d // heads).transpose(1, 0, 2)
        place = np.arange(k)
        distance = place[rows, None] - place
        logits = query @ key / np.float32(np.sqrt(d // heads))
        logits += w[name + "position"][:, np.maximum(distance, 0)]
        logits[:, distance < 0] = -np.inf
        share = np.exp(logits - logits.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        mixed = (share @ value).transpose(1, 0, 2).reshape(-1, d) @ w[name + "out"].T
        x = x[rows]
        x = x + _sigmoid(self._linear(x, name + "gate1")) * mixed
        a, b = np.split(self._norm(x, name + "norm2") @ w[name + "up"].T, 2, axis=-1)
        fed: Float32 = (a * _sigmoid(a) * b) @ w[name + "down"].T
        return x + _sigmoid(self._linear(x, name + "gate2")) * fed

    def _recurrent(self, x: Float32, name: str, last: bool) -> Float32:
        """As `_gated`; one step per event."""
        w = self.weights
        inputs = self._linear(self._norm(x, name + "norm1"), name + "input")
        width = inputs.shape[1] // 3
        states: Float32 = np.zeros((len(x) + 1, width), dtype=np.float32)
        for step, row in enumerate(inputs):
            hidden = w[name + "hidden.weight"] @ states[step] + w[name + "hidden.bias"]
            gates = _sigmoid(row[: 2 * width] + hidden[: 2 * width])
            reset, update = gates[:width], gates[width:]
            candidate = np.tanh(row[2 * width :] + reset * hidden[2 * width :])
            states[step + 1] = (1 - update) * candidate + update * states[step]
        rows = slice(-1, None) if last else slice(None)
        fed: Float32 = states[1:][rows] @ w[name + "back"].T
        return x[rows] + fed

    def save(self, folder: Path) -> None:
        """Three files: ``encoder.items.npy``; ``encoder.safetensors``, the other weights, with the shape in
        its header; and ``encoder.training.safetensors``, which serving leaves alone."""
        np.save(folder / f"{self.name}.items.npy", self.items)
        network = {name: value for name, value in self.weights.items() if name != "items"}
        save_file(network, folder / f"{self.name}.safetensors", {"shape": json.dumps(asdict(self.shape))})
        if self.trained is not None:
            kept = {name: np.ascontiguousarray(value) for name, value in self.trained.items()}
            if not self.values:
                del kept["ids"]
            save_file(kept, folder / f"{self.name}.training.safetensors")

    @classmethod
    def load(cls, folder: Path, name: str) -> Encoder:
        """Open what `save` wrote: the items' vectors mapped, so that processes share them."""
        with safe_open(folder / f"{name}.safetensors", "numpy") as file:
            shape = Shape(**json.loads(file.metadata()["shape"]))
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        weights["items"] = mapped(folder / f"{name}.items.npy")
        training = folder / f"{name}.training.safetensors"
        return cls(shape, weights, training if training.exists() else None)


def _sigmoid(x: Float32) -> Float32:
    # By tanh, which never overflows.
    value: Float32 = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)
    return value
