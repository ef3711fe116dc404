"""A response model: the probability that a user takes an action, by a wide and deep logistic model whose
action weights are pooled, `ResponseModel`.

The logit of user features x, pair features q and action a is ``z . e(a) + q . g + b(a)`` with
``z = (x, tanh((x, 1) W))``: a linear part and a small hidden layer (wide and deep: Cheng et al. 2016).
Weights of actions are ``e(a) = shared + m(a) M + own(a)``, the same for b, with m(a) the action's metadata:
an action with few outcomes keeps near to what its metadata, and all actions together, say (partial pooling:
Gelman and Hill 2006), and one without any has just that. Ridge on everything, ``own`` the most.

Memory of a fit: 4 bytes for each example and feature, twice; 22 times the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file, save_file

from .arrays import Float32, Float64, Int32, Int64
from .lbfgs import minimised

BLOCK = 20_000
"""Examples whose weights are gathered at a time."""

MOST_LOGIT = 20.0
"""Logits are kept within so much of 0."""

SHARED_RIDGE = 0.1
"""The ridge of what all actions share, as a share of that of an action's own weights."""


class Examples(NamedTuple):
    """N examples: float32[N, F] user features, float32[N, P] pair features, int32[N] actions, float32[N] 1
    where the action was taken, else 0."""

    users: Float32
    pairs: Float32
    action: Int32
    taken: Float32

    def take(self, rows: Int64) -> Examples:
        """Some of them."""
        return Examples(self.users[rows], self.pairs[rows], self.action[rows], self.taken[rows])


@dataclass(frozen=True)
class ResponseModel:
    """Trained weights.

    Attributes:
        hidden: float32[F + 1, H]. pair: float32[P].
        weights: float32[A, F + H], bias: float32[A], of the actions it was trained on.
        shared: float32[M + 1, F + H + 1], what metadata make of an action: the last row is that of all, the
            last column the bias.
        calibration: a and b of Platt's scaling: the logit that is answered is a * logit + b.
    """

    hidden: Float32
    pair: Float32
    weights: Float32
    bias: Float32
    shared: Float32
    calibration: tuple[float, float] = (1.0, 0.0)

    @classmethod
    def fit(
        cls,
        examples: Examples,
        metadata: Float32,
        *,
        ridge: float,
        width: int,
        rng: np.random.Generator,
        iterations: int = 150,
        each: Callable[[int], None] = lambda iteration: None,
    ) -> ResponseModel:
        """Minimise the log-loss with a ridge.

        Args:
            examples: at least one.
            metadata: float32[A, M] of all actions.
            ridge: strength, in examples. width: H, units of the hidden layer.
            rng: where the hidden weights begin. iterations: at most. each: called before each one.
        """
        order = np.argsort(examples.action, kind="stable")
        loss = _Loss(examples.take(order), metadata, width, ridge)
        point = minimised(loss, loss.start(rng), iterations=iterations, tolerance=1e-5, each=each)
        hidden, weights, bias, shared, pair = loss.parts(point)
        own = loss.metadata @ shared
        found = [hidden, pair, weights + own[:, :-1], bias + own[:, -1], shared]
        hidden, pair, weights, bias, shared = (np.ascontiguousarray(one) for one in found)
        return cls(hidden, pair, weights, bias, shared)

    def seen(self, users: Float32) -> Float32:
        """float32[B, F + H], what the actions' weights meet."""
        return np.concatenate((users, np.tanh(users @ self.hidden[:-1] + self.hidden[-1])), axis=1)

    def vectors(self, metadata: Float32) -> Float32:
        """float32[B, F + H + 1], weights and bias of actions by their metadata alone."""
        return _with_one(metadata) @ self.shared

    def logits(self, users: Float32, pairs: Float32) -> Float32:
        """float32[B, A], of users with all actions: float32[B, F], and float32[B, A, P]."""
        found = self.seen(users) @ self.weights.T + self.bias + pairs @ self.pair
        return self._calibrated(found)

    def logits_of(self, users: Float32, vectors: Float32) -> Float32:
        """float32[B, V], of users with actions that have these `vectors` and no history of pairs."""
        return self._calibrated(self.seen(users) @ vectors[:, :-1].T + vectors[:, -1])

    def logits_at(self, examples: Examples) -> Float32:
        """float32[N], of examples."""
        found = np.empty(len(examples.action), dtype=np.float32)
        for start in range(0, len(found), BLOCK):
            some = slice(start, start + BLOCK)
            action = examples.action[some]
            met = np.einsum("nd,nd->n", self.seen(examples.users[some]), self.weights[action])
            found[some] = met + self.bias[action] + examples.pairs[some] @ self.pair
        return self._calibrated(found)

    def _calibrated(self, logits: Float32) -> Float32:
        scale, shift = self.calibration
        found: Float32 = np.clip(logits * np.float32(scale) + np.float32(shift), -MOST_LOGIT, MOST_LOGIT)
        return found

    def save(self, folder: Path) -> None:
        """Write ``response.safetensors`` into `folder`."""
        names = ("hidden", "pair", "weights", "bias", "shared")
        arrays = {name: getattr(self, name) for name in names}
        save_file({**arrays, "calibration": np.array(self.calibration)}, folder / "response.safetensors")

    @classmethod
    def load(cls, folder: Path) -> ResponseModel:
        """Read what `save` wrote."""
        found = load_file(folder / "response.safetensors")
        scale, shift = found.pop("calibration").tolist()
        return cls(**found, calibration=(scale, shift))


def platt_scaling(logits: Float32, taken: Float32) -> tuple[float, float]:
    """a and b that make sigmoid(a * logit + b) the likeliest for outcomes 0 and 1 (Platt 1999, with his
    targets). a is not negative."""
    positive = float(taken.sum())
    negative = len(taken) - positive
    wanted = np.where(taken > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    values = logits.astype(np.float64)

    def loss(point: Float64) -> tuple[float, Float64]:
        found = point[0] * values + point[1]
        error = _sigmoid(found) - wanted
        value = float((np.logaddexp(0.0, found) - wanted * found).mean())
        # A little that keeps it near to no change where there are few examples.
        held = 1.0 / len(values)
        gradient = np.array([(error * values).mean() + held * (point[0] - 1), error.mean() + held * point[1]])
        return value + 0.5 * held * ((point[0] - 1) ** 2 + point[1] ** 2), gradient

    scale, shift = minimised(loss, np.array([1.0, 0.0]), iterations=50).tolist()
    return (scale, shift) if scale > 0 else (0.0, float(np.log((positive + 1) / (negative + 1))))


def log_loss(logits: Float32, taken: Float32) -> float:
    """The mean negative log-likelihood of outcomes 0 and 1."""
    values = logits.astype(np.float64)
    return float((np.logaddexp(0.0, values) - taken * values).mean())


class _Loss:
    """The mean log-loss with its ridge, and the gradient, over examples in order of actions."""

    def __init__(self, examples: Examples, metadata: Float32, width: int, ridge: float) -> None:
        self.examples, self.metadata, self.width = examples, _with_one(metadata), width
        self.features, self.pairs = examples.users.shape[1], examples.pairs.shape[1]
        self.ridge = ridge / max(len(examples.action), 1)
        actions, columns = len(metadata), self.features + width
        self.shapes = [
            (self.features + 1, width),
            (actions, columns),
            (actions,),
            (self.metadata.shape[1], columns + 1),
            (self.pairs,),
        ]
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.ends = np.cumsum(sizes)
        strengths = (1.0, 1.0, 0.3, SHARED_RIDGE, SHARED_RIDGE)
        self.held = np.concatenate(
            [np.full(size, self.ridge * one) for size, one in zip(sizes, strengths, strict=True)]
        )
        base = self.ends[3] - 1  # the bias of all actions is free
        self.held[base] = 0.0
        self._base = int(base)

    def start(self, rng: np.random.Generator) -> Float64:
        """Small hidden weights, the bias of all at the base rate, all else 0."""
        point = np.zeros(int(self.ends[-1]))
        point[: self.ends[0]] = rng.normal(0, 1 / np.sqrt(max(self.features, 1)), int(self.ends[0]))
        rate = (float(self.examples.taken.sum()) + 0.5) / (len(self.examples.taken) + 1)
        point[self._base] = np.log(rate / (1 - rate))
        return point

    def parts(self, point: Float64) -> list[Float32]:
        """hidden, own weights, own bias, shared and pair weights in a vector."""
        pieces = np.split(point.astype(np.float32), self.ends[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def __call__(self, point: Float64) -> tuple[float, Float64]:
        hidden, own, bias, shared, pair = self.parts(point)
        from_metadata = self.metadata @ shared
        weights, biases = own + from_metadata[:, :-1], bias + from_metadata[:, -1]
        d_hidden, d_weights = np.zeros_like(hidden), np.zeros_like(own)
        d_bias, d_pair = np.zeros_like(bias), np.zeros_like(pair)
        value = 0.0
        for begin in range(0, len(self.examples.action), BLOCK):
            users, pairs, action, taken = (one[begin : begin + BLOCK] for one in self.examples)
            layer = np.tanh(users @ hidden[:-1] + hidden[-1])
            met = np.concatenate((users, layer), axis=1)
            own_weights = weights[action]
            logits = np.einsum("nd,nd->n", met, own_weights) + biases[action] + pairs @ pair
            value += float((np.logaddexp(0.0, logits) - taken * logits).sum(dtype=np.float64))
            error = (_sigmoid(logits) - taken).astype(np.float32)
            first = np.flatnonzero(np.concatenate(([True], action[1:] != action[:-1])))
            d_weights[action[first]] += np.add.reduceat(met * error[:, None], first, axis=0)
            d_bias[action[first]] += np.add.reduceat(error, first)
            d_pair += pairs.T @ error
            if self.width:
                back = error[:, None] * own_weights[:, self.features :] * (1 - layer * layer)
                d_hidden[:-1] += users.T @ back
                d_hidden[-1] += back.sum(axis=0)
        d_shared = self.metadata.T @ np.concatenate((d_weights, d_bias[:, None]), axis=1)
        count = max(len(self.examples.action), 1)
        flat = [one.ravel() for one in (d_hidden, d_weights, d_bias, d_shared, d_pair)]
        gradient = np.concatenate(flat).astype(np.float64) / count + self.held * point
        return value / count + 0.5 * float(self.held @ (point * point)), gradient


def _with_one(metadata: Float32) -> Float32:
    return np.concatenate((metadata, np.ones((len(metadata), 1), np.float32)), axis=1)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * values))
    return found
