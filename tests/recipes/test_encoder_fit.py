"""The encoder as the lead ranker: it joins where it helps, and serving never loads what trained it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.encoder import Encoder
from openpersonalize.algorithms.encoder_plan import plan_for
from openpersonalize.algorithms.events import Events
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.errors import JobFailed
from openpersonalize.recipes.artifact import write_artifact
from openpersonalize.recipes.encoder_fit import EncoderConfig, refit
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.recipes.user_personalization import UserPersonalization
from openpersonalize.testing.worlds import question, sequences_of

V2 = recipe("aws-user-personalization-v2")
assert isinstance(V2, UserPersonalization)
PLAIN = read_configuration(V2.facts, {})


def sums(users: int = 1_000, n: int = 6, length: int = 14) -> Sequences:
    """After a, b comes a + b (modulo n): only a model of sequences can know the next item."""
    return sequences_of([(f"u{user:03}", f"i{item}", time) for user, item, time in rows(users, n, length)])


def rows(users: int, n: int = 6, length: int = 14) -> list[tuple[int, int, int]]:
    """Users, items and times of that world."""
    rng = np.random.default_rng(0)
    made = []
    for user in range(users):
        one = rng.integers(0, n, 2).tolist()
        while len(one) < length:
            one.append((one[-1] + one[-2]) % n)
        start = int(rng.integers(0, 10**6))
        made += [(user, item, start + 60 * place) for place, item in enumerate(one)]
    return made


@pytest.fixture(scope="module")
def world() -> Sequences:
    return sums()


@pytest.fixture(scope="module")
def model(world: Sequences) -> FusedModel:
    assert isinstance(V2, UserPersonalization)
    return V2.fit(TrainingData.of(world), PLAIN, Training(seed=1))


def test_it_gets_weight_where_order_decides(world: Sequences, model: FusedModel) -> None:
    assert model.weights.arriving.kept["encoder"] > 0
    others = max(value for name, value in model.weights.arriving.alone_kept.items() if name != "encoder")
    assert model.weights.arriving.alone_kept["encoder"] > others + 0.1
    right = 0
    for user in range(40):
        query = question(world, user)
        a, b = (int(world.items.strings()[item][1:]) for item in query.item[-2:])
        right += world.items.strings()[int(np.argmax(model.scores(query)))] == f"i{(a + b) % 6}"
    assert right > 30


def test_a_refit_goes_on_from_the_measured_model(world: Sequences, model: FusedModel) -> None:
    assert isinstance(V2, UserPersonalization)
    steps: list[float] = []

    def progress(step: str, done: float, total: float, unit: str) -> None:
        if step == "encoder":
            steps.append(total)

    training = Training(seed=1, warm_state=model.tuned_state(), progress=progress)
    V2.fit(TrainingData.of(world), PLAIN, replace(training, warm_model=model))
    again = steps[-1]
    V2.fit(TrainingData.of(world), PLAIN, training)
    assert again < steps[-1] / 2


def test_items_that_came_since_are_learnt_as_well_as_the_first_ones() -> None:
    old, new = 1_000_000, 5_000_000
    first, second = (
        [(f"u{row[0]}{sign}", f"{sign}{row[1]}", row[2] + time) for row in rows(300)]
        for sign, time in (("i", old), ("n", new))
    )
    whole = sequences_of(first + second)
    before = whole.where(whole.time < new)
    training, passes = Training(seed=1), {"passes": 20.0, "d": 64, "longest": 50}
    start = refit(before, "leave_last", [], training, passes, None)
    steps: list[float] = []
    training = replace(training, progress=lambda step, done, total, unit: steps.append(total))
    encoder = refit(whole, "leave_last", [], training, passes, start)
    long = steps[-1]
    names, right = whole.items.strings(), 0
    for user in (k for k, name in enumerate(whole.users.strings()) if name.endswith("n")):
        query = question(whole, user)
        a, b = (int(names[item][1:]) for item in query.item[-2:])
        right += names[int(np.argmax(encoder.feature(query)))] == f"n{(a + b) % 6}"
    assert right > 0.75 * 300
    # What has met all of it already goes on with a third.
    refit(whole, "leave_last", [], training, passes, encoder)
    assert steps[-1] == pytest.approx(long / 3, abs=1)


def test_baskets_take_fewer_passes() -> None:
    """For what is bought later, little is lost: measured on the orders of a shop."""
    user, events = 4_000, 60
    ptr = np.arange(0, user * events + 1, events)
    item = np.arange(user * events, dtype=np.int32) % 1_000
    kind, weight = np.full(len(item), -1, np.int16), np.ones(len(item), np.float32)
    world = Events(ptr, item, np.arange(len(item)), kind, weight, 1_000)
    baskets, stream = (plan_for(world, horizon) for horizon in (True, False))
    assert stream.passes == 6.0
    assert baskets.passes == pytest.approx(150 * 2_048 / len(item))
    assert (baskets.again(1.0).passes, stream.again(1.0).passes) == (0.5, 1.0)
    assert baskets.again(12.0).passes == pytest.approx(2.0)
    assert baskets.again(4.0).rate == pytest.approx(stream.again(6.0).rate / 2)


def test_without_weight_it_is_neither_fitted_nor_saved(
    world: Sequences, model: FusedModel, tmp_path: Path
) -> None:
    assert isinstance(V2, UserPersonalization)
    none = {"kept": {**model.weights.arriving.kept, "encoder": 0.0}, "excluded": {"transitions": 1.0}}
    prior = {"weights": {**model.tuned_state()["weights"], "arriving": none, "in_session": none}}
    steps: set[str] = set()
    training = Training(warm_state=prior, progress=lambda step, done, total, unit: steps.add(step))
    V2.fit(TrainingData.of(world), PLAIN, training).save(tmp_path)
    assert "encoder" not in steps
    assert not list(tmp_path.glob("encoder*"))


def test_a_configuration_shapes_it(world: Sequences) -> None:
    v1 = recipe("aws-user-personalization")
    assert isinstance(v1, UserPersonalization)
    asked = read_configuration(
        v1.facts, {"algorithmHyperParameters": {"hidden_dimension": "41", "bptt": "3"}}
    )
    made = v1.fit(TrainingData.of(world), asked, Training(seed=1, budget_seconds=0.7))
    encoder = next(one for one in made.rankers if one.name == "encoder")
    assert isinstance(encoder, Encoder)
    assert (encoder.shape.d, encoder.shape.longest) == (40, 3)
    again = v1.fit(
        TrainingData.of(world), asked, Training(seed=1, budget_seconds=0.7, warm_state=made.tuned_state())
    )
    assert any(isinstance(one, Encoder) and one.shape.d == 40 for one in again.rankers)
    assert EncoderConfig.of(v1.facts, read_configuration(v1.facts, {}).parameters) == EncoderConfig()
    assert EncoderConfig.of(V2.facts, PLAIN.parameters) == EncoderConfig()


def test_little_data_has_no_encoder() -> None:
    assert isinstance(V2, UserPersonalization)
    assert "encoder" not in V2.fit(TrainingData.of(sums(users=20)), PLAIN, Training()).weights.arriving.kept


def test_what_does_not_fit_into_memory_fails_at_once_and_says_what_to_do(world: Sequences) -> None:
    assert isinstance(V2, UserPersonalization)
    with pytest.raises(JobFailed, match=r"needs about .* GB of memory for 6 items.*more memory, or delete"):
        V2.fit(TrainingData.of(world), PLAIN, Training(memory_bytes=100_000_000))


SERVE = """
import sys
from pathlib import Path
import numpy as np
import openpersonalize.server.app
from openpersonalize.recipes.artifact import Artifact
from openpersonalize.recipes.query import Query
artifact = Artifact.open(Path(sys.argv[1]))
scores = artifact.model.scores(Query(*artifact.history("u000"), now=2_000_000))
assert any(one.name == "encoder" for one in artifact.model.rankers)
assert np.isfinite(scores).all()
assert "torch" not in sys.modules
"""


def test_serving_never_loads_torch(world: Sequences, model: FusedModel, tmp_path: Path) -> None:
    assert V2 is not None
    write_artifact(
        tmp_path, model=model, recipe=V2, data=TrainingData.of(world), selection=EventSelection(), position=0
    )
    done = subprocess.run([sys.executable, "-c", SERVE, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
