"""The response model: gradients, pooling, calibration, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.response_model import (
    Examples,
    ResponseModel,
    _Loss,
    log_loss,
    platt_scaling,
)


def drawn(count: int, seed: int = 0, actions: int = 6) -> tuple[Examples, np.ndarray, np.ndarray]:
    """Examples of a linear world, metadata of the actions, and the probabilities."""
    rng = np.random.default_rng(seed)
    users, action = rng.normal(size=(count, 4)), rng.integers(0, actions, count)
    pairs = rng.random((count, 2))
    metadata = np.eye(2)[np.arange(actions) % 2].astype(np.float32)
    weights = np.array([[1.5, -1, 0, 0], [-1.5, 0, 1, 0]])[np.arange(actions) % 2]
    chance = 1 / (1 + np.exp(-((users * weights[action]).sum(axis=1) + pairs[:, 0] - 1)))
    taken = rng.random(count) < chance
    examples = Examples(
        users.astype(np.float32), pairs.astype(np.float32), action.astype(np.int32), taken.astype(np.float32)
    )
    return examples, metadata, chance


def fitted(examples: Examples, metadata: np.ndarray, width: int = 0, ridge: float = 3.0) -> ResponseModel:
    return ResponseModel.fit(examples, metadata, ridge=ridge, width=width, rng=np.random.default_rng(1))


@pytest.mark.parametrize("width", [0, 3])
def test_the_gradient_is_that_of_the_loss(width: int) -> None:
    examples, metadata, _ = drawn(60)
    loss = _Loss(examples.take(np.argsort(examples.action, kind="stable")), metadata, width, 2.0)
    rng = np.random.default_rng(2)
    point = loss.start(rng) + rng.normal(0, 0.3, int(loss.ends[-1]))
    _, gradient = loss(point)
    for place in rng.choice(len(point), 12, replace=False).tolist():
        step = np.zeros(len(point))
        step[place] = 1e-2
        slope = (loss(point + step)[0] - loss(point - step)[0]) / 2e-2
        assert slope == pytest.approx(gradient[place], abs=2e-3)


def test_it_finds_the_probabilities() -> None:
    examples, metadata, _ = drawn(8000)
    model = fitted(examples, metadata)
    test, _, chance = drawn(2000, seed=5)
    found = 1 / (1 + np.exp(-model.logits_at(test)))
    assert np.abs(found - chance).mean() < 0.05


def test_all_actions_at_once_as_one_by_one() -> None:
    examples, metadata, _ = drawn(500)
    model = fitted(examples, metadata, width=4)
    pairs = np.repeat(examples.pairs[:, None], len(metadata), axis=1)
    together = model.logits(examples.users, pairs)
    rows = np.arange(len(together))
    assert np.allclose(together[rows, examples.action], model.logits_at(examples), atol=1e-4)


def test_an_action_without_examples_is_like_its_kind() -> None:
    examples, metadata, _ = drawn(6000)
    known = examples.take(np.flatnonzero(examples.action != 5))
    model = fitted(known, metadata)
    new = model.logits_of(examples.users, model.vectors(metadata[5:]))[:, 0]
    others = model.logits(examples.users, np.zeros((len(examples.users), 6, 2), np.float32))
    assert np.corrcoef(new, others[:, 3])[0, 1] > 0.95
    assert np.allclose(new, others[:, 5], atol=1e-4)


def test_a_hidden_layer_learns_what_a_line_cannot() -> None:
    rng = np.random.default_rng(0)
    users = rng.choice([-1.0, 1.0], (4000, 2)).astype(np.float32)
    taken = (rng.random(4000) < np.where(users[:, 0] == users[:, 1], 0.9, 0.1)).astype(np.float32)
    examples = Examples(users, np.zeros((4000, 1), np.float32), np.zeros(4000, np.int32), taken)
    metadata = np.zeros((1, 0), np.float32)
    line, layer = (fitted(examples, metadata, width, 1.0) for width in (0, 8))
    assert log_loss(line.logits_at(examples), taken) > 0.65
    assert log_loss(layer.logits_at(examples), taken) < 0.4


def test_scaling_makes_bold_logits_modest() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, 20_000)
    taken = (rng.random(20_000) < 1 / (1 + np.exp(-(logits - 0.5)))).astype(np.float32)
    scale, shift = platt_scaling((4 * logits).astype(np.float32), taken)
    assert scale == pytest.approx(0.25, abs=0.02)
    assert shift == pytest.approx(-0.5, abs=0.06)


def test_it_is_saved(tmp_path: Path) -> None:
    examples, metadata, _ = drawn(300)
    model = fitted(examples, metadata, width=2)
    model.save(tmp_path)
    opened = ResponseModel.load(tmp_path)
    assert np.array_equal(opened.logits_at(examples), model.logits_at(examples))
    assert opened.calibration == model.calibration


def test_without_examples_it_says_nothing() -> None:
    examples, metadata, _ = drawn(0)
    found = fitted(examples, metadata, width=2)
    assert np.abs(found.logits(np.ones((1, 4), np.float32), np.zeros((1, 6, 2), np.float32))).max() < 1e-6
