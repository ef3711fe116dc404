"""The encoder is given up early where it adds nothing to the other rankers, and kept where it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.encoder_plan import plan_for
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.encoder_trial import TRIED_ABOVE, long_enough
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.registry import facts_of
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.recipes.user_personalization import UserPersonalization
from openpersonalize.recipes.weighing import weigh
from openpersonalize.testing.worlds import sequences_of
from recipes.test_encoder_fit import sums


class Tried(UserPersonalization):
    """Tries every encoder, however short its training is."""

    tried_above = 0


V2 = Tried(facts_of("aws-user-personalization-v2"))
PLAIN = read_configuration(V2.facts, {})


def favourites(users: int = 900, n: int = 120, length: int = 14) -> Sequences:
    """Everybody takes popular things and their own few favourites, in no order."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, n + 1)
    rows = []
    for user in range(users):
        own = rng.choice(n, 3, replace=False)
        popular = rng.choice(n, length, p=share / share.sum())
        taken = np.where(rng.random(length) < 0.5, rng.choice(own, length), popular)
        start = int(rng.integers(0, 10**6))
        rows += [(f"u{user}", f"i{item}", start + 9_000 * place) for place, item in enumerate(taken.tolist())]
    return sequences_of(rows)


class Told:
    """A training that remembers what it told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.omitted: list[str] = []
        self.steps: list[str] = []
        self.training = Training(
            seed=1, line=self.lines.append, omit=self.omitted.append, progress=self._progress
        )

    def _progress(self, step: str, done: float, total: float, unit: str) -> None:
        self.steps.append(step)


@pytest.fixture(scope="module")
def without() -> tuple[FusedModel, Told]:
    told = Told()
    return V2.fit(TrainingData.of(favourites()), PLAIN, told.training), told


def test_an_encoder_that_adds_nothing_is_given_up_and_left_out(without: tuple[FusedModel, Told]) -> None:
    model, told = without
    assert told.omitted == ["encoder"]
    last = max(place for place, step in enumerate(told.steps) if step == "encoder")
    assert "ask" not in told.steps[:last]
    said = [line for line in told.lines if line.startswith("Encoder")]
    assert len(said) == 3
    assert "left out" in said[-1]
    assert "encoder" not in model.weights.used()
    assert model.encoder is None
    assert model.weights.encoder == {}
    assert "encoder" not in model.weights.arriving.alone_kept


def test_the_last_fit_and_updates_do_without_it_too(without: tuple[FusedModel, Told], tmp_path: Path) -> None:
    model, _ = without
    told = Told()
    training = replace(told.training, warm_state=model.tuned_state(), warm_model=model)
    again = V2.fit(TrainingData.of(favourites()), PLAIN, training)
    assert "encoder" not in told.steps
    assert [one.name for one in again.rankers] == [one.name for one in model.rankers]
    again.save(tmp_path)
    assert not list(tmp_path.glob("encoder*"))


def test_one_seed_makes_one_model(without: tuple[FusedModel, Told]) -> None:
    told = Told()
    weights, start = weigh(favourites(), True, told.training, tried_above=0)
    assert weights == without[0].weights
    assert start is None
    assert told.lines == without[1].lines


def test_an_encoder_that_adds_something_goes_on() -> None:
    told = Told()
    weights, start = weigh(sums(900), True, told.training, tried_above=0)
    assert told.omitted == []
    assert start is not None
    assert weights.encoder["passes"] > 4
    assert weights.arriving.kept["encoder"] > 0
    others = [value for name, value in weights.arriving.alone_kept.items() if name != "encoder"]
    assert weights.arriving.ndcg_kept > max(others) + 0.03


def test_short_trainings_are_not_tried() -> None:
    world = favourites(users=100)
    plan = plan_for(world.events, False)
    assert not long_enough(plan, len(world.item))
    assert long_enough(replace(plan, passes=12.0), 100_000)
    assert 12 * 72_000 < TRIED_ABOVE < 4 * 386_000
