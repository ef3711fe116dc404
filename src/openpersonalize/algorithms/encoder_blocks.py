"""Inference of the encoder's attention and recurrent blocks in NumPy, with their incremental state (keys and
values, hidden state): `Gated` and `Recurrent`.

Weights that follow one another without anything between are multiplied together once. With z the rows of a
layer norm before its weight and bias, and u the newest of them, the logits of attention over the last block
are z (K' Q u) and its answer is O V (shares z): keys and values of the other rows are never computed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Float32, Int64

EPSILON = 1e-5

PADDING = 1.25
"""Histories that are up to so many times as long as the shortest (and 4 events more) are padded to one
length."""

PADDED_BYTES = 1024 * 1024
"""Of histories side by side: they stay in a core's cache."""

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

    @abstractmethod
    def histories(self, x: Float32, ptr: Int64, last: bool) -> Float32:
        """The answers to B whole histories, whose events are ``x[ptr[b]:ptr[b + 1]]``, one or more each:
        float32[N, d] in the same order, of the `last` block float32[B, d] to the newest of each."""


class Gated(Layer):
    """Causal attention and a SwiGLU layer behind gates. Remembers keys and values, or as the last block the
    normalised inputs, of all events."""

    def __init__(self, w: Mapping[str, Float32], heads: int) -> None:
        """`w`: the weights of the block."""
        d = len(w["norm1.weight"])
        root = np.float32(np.sqrt(d))
        scale, shift = w["norm1.weight"] * root, w["norm1.bias"]
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
        # A gate is (1 + tanh(x / 2)) / 2: the halves are multiplied into the weights.
        half = np.float32(0.5)
        self.answer, self.answered = self.answer * half, self.answered * half
        self.out = np.ascontiguousarray(w["out"].T) * half
        self.newest = np.ascontiguousarray(w["position"][:, ::-1])
        self.longest = w["position"].shape[1]
        self.ahead = _by_distance(w["position"])
        self.gate1, self.gate1_bias = np.ascontiguousarray(w["gate1.weight"].T) * half, w["gate1.bias"] * half
        self.gate2, self.gate2_bias = np.ascontiguousarray(w["gate2.weight"].T) * half, w["gate2.bias"] * half
        self.up = np.ascontiguousarray((w["up"] * w["norm2.weight"]).T) * root
        self.upped = w["up"] @ w["norm2.bias"]
        self.up[:, : 2 * d] *= half
        self.upped[: 2 * d] *= half
        self.down = np.ascontiguousarray(w["down"].T) * half

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

    def histories(self, x: Float32, ptr: Int64, last: bool) -> Float32:
        """See `Layer`; what is no attention is one product for all events."""
        z = normed(x)
        if last:
            newest = ptr[1:] - 1
            return self._fed(x[newest], self._newest_of_each(z, ptr))
        parts = z @ self.project
        parts += self.projected
        mixed = np.empty_like(x)
        for some in padded(ptr, 4 * max(3 * self.d, self.heads * self.longest)):
            shape = (*some.places.shape, 3, self.heads, self.width)
            query, key, value = parts.take(some.places, axis=0).reshape(shape).transpose(2, 0, 3, 1, 4)
            share: npt.NDArray[Any] = query @ key.transpose(0, 1, 3, 2)
            k = some.places.shape[1]
            share += self.ahead[:, :k, :k]  # padding is behind the events, where no event looks
            _softmax(share)
            found = (share @ value).transpose(0, 2, 1, 3).reshape(*some.places.shape, self.d)
            mixed[some.places[some.inside]] = found[some.inside]
        return self._fed(x, mixed @ self.out)

    def _newest_of_each(self, z: Float32, ptr: Int64) -> Float32:
        """float32[B, d], `_newest` of each history."""
        looks = (z[ptr[1:] - 1] @ self.look.T + self.looked).reshape(-1, self.heads, self.d)
        mixed = np.empty((len(looks), self.heads * self.d), dtype=np.float32)
        for some in padded(ptr, 4 * self.d):
            rows = z.take(some.places, axis=0)
            share: npt.NDArray[Any] = looks[some.users] @ rows.transpose(0, 2, 1)
            away = some.lengths[:, None] - 1 - np.arange(rows.shape[1])
            bias = self.newest[:, self.longest - 1 - np.maximum(away, 0)].transpose(1, 0, 2)
            share += np.where(some.inside[:, None], bias, np.float32(-np.inf))
            _softmax(share)
            mixed[some.users] = (share @ rows).reshape(len(rows), -1)
        found: Float32 = mixed @ self.answer.T
        found += self.answered
        return found

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
        share += self.ahead[:, k - m : k, :k]
        _softmax(share)
        mixed: Float32 = (share @ heads(value)).transpose(1, 0, 2).reshape(m, self.d) @ self.out
        return mixed

    def _fed(self, x: Float32, mixed: Float32) -> Float32:
        """`mixed` is half of what attention answers; written into, as is all that is made here."""
        x = _gated(x, x @ self.gate1, self.gate1_bias, mixed)
        parts: Float32 = normed(x) @ self.up
        parts += self.upped
        a, b = parts[:, : 2 * self.d], parts[:, 2 * self.d :]
        inner = np.tanh(a)
        inner += 1
        inner *= a
        inner *= b
        return _gated(x, x @ self.gate2, self.gate2_bias, inner @ self.down)


def _by_distance(position: Float32) -> Float32:
    """float32[heads, longest, longest], the bias of the row at the second place to that at the third; minus
    infinity for what is to come."""
    place = np.arange(position.shape[1])
    away = place[:, None] - place
    return np.where(away >= 0, position[:, np.maximum(away, 0)], np.float32(-np.inf))


def _gated(x: Float32, gate: Float32, bias: Float32, half: Float32) -> Float32:
    """``x + 2 * half * sigmoid(2 * (gate + bias))``, in the place of `gate`."""
    gate += bias
    np.tanh(gate, out=gate)
    gate += 1
    gate *= half
    gate += x
    return gate


class Recurrent(Layer):
    """A GRU of width 2d behind a layer norm. Remembers its state."""

    def __init__(self, w: Mapping[str, Float32]) -> None:
        """`w`: the weights of the block."""
        root = np.float32(np.sqrt(len(w["norm1.weight"])))
        self.input = np.ascontiguousarray((w["input.weight"] * w["norm1.weight"]).T) * root
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

    def histories(self, x: Float32, ptr: Int64, last: bool) -> Float32:
        """See `Layer`; a step for all histories that have so many events."""
        inputs = normed(x) @ self.input
        inputs += self.inputs
        two = 2 * self.width
        lengths = np.diff(ptr)
        order = np.argsort(-lengths, kind="stable")  # those that go on stand first
        begin, going = ptr[order], np.searchsorted(-lengths[order], -np.arange(lengths.max()))
        state = np.zeros((len(order), self.width), dtype=np.float32)
        states = np.empty((0 if last else len(x), self.width), dtype=np.float32)
        for step, count in enumerate(going.tolist()):
            now = state[:count]
            hidden = now @ self.hidden.T
            hidden += self.hidden_bias
            row = inputs[begin[:count] + step]
            gates = sigmoid(row[:, :two] + hidden[:, :two])
            candidate = hidden[:, two:]
            candidate *= gates[:, : self.width]
            candidate += row[:, two:]
            np.tanh(candidate, out=candidate)
            now[...] = candidate + gates[:, self.width :] * (now - candidate)
            if not last:
                states[begin[:count] + step] = now
        if not last:
            return x + states @ self.back
        newest = np.empty_like(state)
        newest[order] = state
        found: Float32 = x[ptr[1:] - 1] + newest @ self.back
        return found


class Padded(NamedTuple):
    """Histories of nearly the same length, side by side.

    Attributes:
        users: int64[g], their numbers. lengths: int64[g]. places: int64[g, k], those of their events; behind
            a shorter history its last one, again. inside: bool[g, k], where an event stands.
    """

    users: Int64
    lengths: Int64
    places: Int64
    inside: Bools


def padded(ptr: Int64, event_bytes: int) -> Iterator[Padded]:
    """The histories ``ptr[b]:ptr[b + 1]``, parted by length, so that little is padded and `PADDED_BYTES` hold
    those side by side, with `event_bytes` for each event."""
    lengths = np.diff(ptr)
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order]
    start = 0
    while start < len(order):
        most = int(ordered[start] * PADDING) + 4
        end = int(np.searchsorted(ordered, most, side="right"))
        room = max(1, PADDED_BYTES // (event_bytes * min(most, int(ordered[end - 1]))))
        end = min(end, start + room)
        users, own = order[start:end], ordered[start:end]
        column = np.arange(own[-1])
        places = ptr[users, None] + np.minimum(column, own[:, None] - 1)
        yield Padded(users, own, places, column < own[:, None])
        start = end


def normed(x: Float32) -> Float32:
    """Rows with mean 0 and length 1: a layer norm before its weight and bias, but for the factor
    ``sqrt(d)``, which is multiplied into the weights that follow."""
    d = x.shape[1]
    centred: Float32 = x @ _centring(d)
    length: Float32 = np.vecdot(centred, centred)
    length += EPSILON * d
    centred /= np.sqrt(length, out=length)[:, None]
    return centred


@cache
def _centring(d: int) -> Float32:
    """float32[d, d]: what takes its mean off a row."""
    return np.eye(d, dtype=np.float32) - np.float32(1 / d)


def sigmoid(x: Float32) -> Float32:
    """1 / (1 + exp(-x)); by tanh, which never overflows."""
    value: Float32 = x * np.float32(0.5)
    np.tanh(value, out=value)
    value += 1
    value *= np.float32(0.5)
    return value


def _softmax(x: Float32) -> None:
    """Of the last axis, in place."""
    x -= np.maximum.reduce(x, axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= np.add.reduce(x, axis=-1, keepdims=True)
