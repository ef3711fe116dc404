"""The blocks of `encoder`, scoring in NumPy: new events in, and what is remembered of the earlier ones.

Weights that follow one another without anything between are multiplied together once. With z the rows of a
layer norm before its weight and bias, and u the newest of them, the logits of attention over the last block
are z (K' Q u) and its answer is O V (shares z): keys and values of the other rows are never computed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from .companion import Float32

EPSILON = np.float32(1e-5)

Remembered: TypeAlias = tuple[Float32, ...]
"""What a block remembers of the events so far: never written into."""


class Layer(ABC):
    """One block. `last`: only the newest row of its answer is needed."""

    @abstractmethod
    def nothing(self, last: bool) -> Remembered:
        """Before the first event."""

    @abstractmethod
    def extend(self, x: Float32, before: Remembered, last: bool) -> tuple[Float32, Remembered]:
        """float32[m, d], the answer to m new events `x` (the newest row alone for the `last` block), and what
        is remembered from now on."""


class Gated(Layer):
    """Causal attention and a SwiGLU layer behind gates. Remembers keys and values, or as the last block the
    normalised inputs, of all events."""

    def __init__(self, w: Mapping[str, Float32], heads: int) -> None:
        """`w`: the weights of the block."""
        scale, shift = w["norm1.weight"], w["norm1.bias"]
        d = len(scale)
        self.d, self.heads, self.width = d, heads, d // heads
        query = w["query"] / np.float32(np.sqrt(self.width))
        self.project = np.ascontiguousarray((np.concatenate((query, w["key"], w["value"])) * scale).T)
        self.projected = np.concatenate((query, w["key"], w["value"])) @ shift
        of_head = [slice(head * self.width, (head + 1) * self.width) for head in range(heads)]
        looks = np.concatenate([(w["key"][one] * scale).T @ query[one] for one in of_head])
        self.look, self.looked = looks * scale, looks @ shift
        answers = [w["out"][:, one] @ w["value"][one] for one in of_head]
        self.answer = np.concatenate([one * scale for one in answers], axis=1)
        self.answered = np.sum(answers, axis=0) @ shift
        self.out = np.ascontiguousarray(w["out"].T)
        self.newest = np.ascontiguousarray(w["position"][:, ::-1])
        self.longest = w["position"].shape[1]
        ahead = np.full((heads, self.longest), -np.inf, dtype=np.float32)
        self.line = np.concatenate((self.newest, ahead), axis=1)
        self.gate1, self.gate1_bias = np.ascontiguousarray(w["gate1.weight"].T), w["gate1.bias"]
        self.gate2, self.gate2_bias = np.ascontiguousarray(w["gate2.weight"].T), w["gate2.bias"]
        self.up = np.ascontiguousarray((w["up"] * w["norm2.weight"]).T)
        self.upped = w["up"] @ w["norm2.bias"]
        self.down = np.ascontiguousarray(w["down"].T)

    def nothing(self, last: bool) -> Remembered:
        """See `Layer`."""
        none: Float32 = np.empty((0, self.d), dtype=np.float32)
        return (none,) if last else (none, none)

    def extend(self, x: Float32, before: Remembered, last: bool) -> tuple[Float32, Remembered]:
        """See `Layer`."""
        z = normed(x)
        if last:
            rows = np.concatenate((before[0], z)) if len(before[0]) else z
            return self._fed(x[-1:], self._newest(rows)), (rows,)
        parts = z @ self.project
        parts += self.projected
        query, key, value = parts[:, : self.d], parts[:, self.d : 2 * self.d], parts[:, 2 * self.d :]
        key, value = np.concatenate((before[0], key)), np.concatenate((before[1], value))
        return self._fed(x, self._mixed(query, key, value)), (key, value)

    def _newest(self, z: Float32) -> Float32:
        """float32[1, d], the answer of attention to the newest of all rows."""
        look = (self.look @ z[-1] + self.looked).reshape(self.heads, self.d)
        share: npt.NDArray[Any] = look @ z.T
        share += self.newest[:, self.longest - len(z) :]
        _softmax(share)
        found: Float32 = self.answer @ (share @ z).ravel() + self.answered
        return found[None]

    def _mixed(self, query: Float32, key: Float32, value: Float32) -> Float32:
        """float32[m, d], the answer of attention to the m newest of k rows."""
        m, k = len(query), len(key)

        def heads(rows: Float32) -> Float32:
            return rows.reshape(len(rows), self.heads, self.width).transpose(1, 0, 2)

        share: npt.NDArray[Any] = heads(query) @ heads(key).transpose(0, 2, 1)
        lines = sliding_window_view(self.line, k, axis=1)
        # The row that stands at place i looks from `longest - 1 - i` on.
        share += lines[:, self.longest - k : self.longest - k + m][:, ::-1]
        _softmax(share)
        mixed: Float32 = (share @ heads(value)).transpose(1, 0, 2).reshape(m, self.d) @ self.out
        return mixed

    def _fed(self, x: Float32, mixed: Float32) -> Float32:
        x = x + sigmoid(x @ self.gate1 + self.gate1_bias) * mixed
        parts: Float32 = normed(x) @ self.up + self.upped
        a, b = parts[:, : 2 * self.d], parts[:, 2 * self.d :]
        inner: Float32 = a * sigmoid(a) * b
        fed: Float32 = inner @ self.down
        return x + sigmoid(x @ self.gate2 + self.gate2_bias) * fed


class Recurrent(Layer):
    """A GRU of width 2d behind a layer norm. Remembers its state."""

    def __init__(self, w: Mapping[str, Float32]) -> None:
        """`w`: the weights of the block."""
        self.input = np.ascontiguousarray((w["input.weight"] * w["norm1.weight"]).T)
        self.inputs = w["input.weight"] @ w["norm1.bias"] + w["input.bias"]
        self.hidden, self.hidden_bias = w["hidden.weight"], w["hidden.bias"]
        self.back = np.ascontiguousarray(w["back"].T)
        self.width = len(self.hidden_bias) // 3

    def nothing(self, last: bool) -> Remembered:
        """See `Layer`."""
        return (np.zeros(self.width, dtype=np.float32),)

    def extend(self, x: Float32, before: Remembered, last: bool) -> tuple[Float32, Remembered]:
        """See `Layer`; one step per event."""
        inputs = normed(x) @ self.input
        inputs += self.inputs
        two = 2 * self.width
        states: Float32 = np.empty((len(x) + 1, self.width), dtype=np.float32)
        states[0] = before[0]
        for step, row in enumerate(inputs):
            hidden = self.hidden @ states[step]
            hidden += self.hidden_bias
            gates = sigmoid(row[:two] + hidden[:two])
            candidate = hidden[two:]
            candidate *= gates[: self.width]
            candidate += row[two:]
            np.tanh(candidate, out=candidate)
            states[step + 1] = candidate + gates[self.width :] * (states[step] - candidate)
        rows = slice(-1, None) if last else slice(None)
        fed: Float32 = states[1:][rows] @ self.back
        return x[rows] + fed, (states[-1].copy(),)


def normed(x: Float32) -> Float32:
    """Rows with mean 0 and variance 1: a layer norm before its weight and bias."""
    centred: Float32 = x - (x @ np.full(x.shape[1], 1 / x.shape[1], dtype=np.float32))[:, None]
    variance = np.einsum("ij,ij->i", centred, centred)
    variance /= np.float32(x.shape[1])
    variance += EPSILON
    centred /= np.sqrt(variance, out=variance)[:, None]
    return centred


def sigmoid(x: Float32) -> Float32:
    """1 / (1 + exp(-x)); by tanh, which never overflows."""
    value: Float32 = x * np.float32(0.5)
    np.tanh(value, out=value)
    value += 1
    value *= np.float32(0.5)
    return value


def _softmax(x: Float32) -> None:
    """Of the last axis, in place."""
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
