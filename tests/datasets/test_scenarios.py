"""Questions of those who are there and of those who arrive."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.datasets.protocols import ValidationProtocol, hold_out
from openpersonalize.datasets.scenarios import ScenarioQuestions
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.testing.worlds import DAY, sequences_of

GAP = 1_800


def visitors(users: int = 200, visits: int = 12, seed: int = 0) -> Sequences:
    """A visit a day of five events, half a minute apart."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for visit in range(visits):
            start = visit * DAY + int(rng.integers(0, DAY // 2))
            rows += [(f"u{user}", f"i{rng.integers(0, 30)}", start + 30 * k) for k in range(5)]
    return sequences_of(rows)


def orders(users: int = 200, seed: int = 0) -> Sequences:
    """An order of eight lines every day."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for day in range(12):
            lines = rng.choice(30, 8, replace=False).tolist()
            rows += [(f"u{user}", f"i{line}", day * DAY + 300 * user) for line in lines]
    return sequences_of(rows).without_order_in_baskets(rng)


def asked(sequences: Sequences, protocol: ValidationProtocol, most: int = 2_000) -> ScenarioQuestions:
    found = ScenarioQuestions.of(sequences, protocol, GAP, np.random.default_rng(0), most)
    for k in range(len(found.held_out)):
        user, start, end = found.held_out.user[k], found.held_out.start[k], found.held_out.end[k]
        assert sequences.ptr[user] < start < end <= sequences.ptr[user + 1]
        assert not found.held_out.training[start:end].any()
        assert found.held_out.now[k] >= sequences.time[start - 1]
    return found


def test_baskets_are_halved() -> None:
    sequences = orders()
    found = asked(sequences, "horizon")
    halves = found.of_scenario("in_session")
    assert len(halves) == 200
    assert set((halves.end - halves.start).tolist()) == {4}
    assert (sequences.time[halves.start - 4] == halves.now).all()
    arriving = found.of_scenario("arriving")
    assert len(arriving) >= 100
    assert (arriving.now - sequences.time[arriving.start - 1] > GAP).all()
    assert len(asked(sequences, "horizon", most=300).of_scenario("in_session")) == 150


def test_streams_are_told_apart_by_the_pause() -> None:
    sequences = visitors()
    found = asked(sequences, "leave_last")
    for scenario, young in (("in_session", True), ("arriving", False)):
        some = found.of_scenario(scenario)  # type: ignore[arg-type]
        assert len(some) >= 100
        assert ((some.now - sequences.time[some.start - 1] <= GAP) == young).all()
    # Who arrives is asked about a horizon: a tenth of the visits, one here.
    arriving = found.of_scenario("arriving")
    assert (arriving.end - arriving.start == 5).sum() > 100
    assert found.held_out.training.mean() > 0.8


@pytest.mark.parametrize("protocol", ["temporal", "horizon"])
def test_other_protocols_ask_both(protocol: ValidationProtocol) -> None:
    found = asked(visitors(), protocol)
    assert not found.shared
    assert min(found.in_session.sum(), (~found.in_session).sum()) >= 100


def test_too_few_share_all_questions() -> None:
    sequences = visitors(users=30, visits=2)
    found = asked(sequences, "leave_last")
    assert found.shared
    assert len(found.of_scenario("arriving")) == len(found.held_out) > 0
    assert len(asked(sequences_of([("u", "i", 1)]), "leave_last").held_out) == 0


def test_horizons_hold_out_little() -> None:
    # Two visits each: the newer one is half of everything.
    sequences = visitors(visits=2)
    without = hold_out(sequences, "leave_last", np.random.default_rng(0)).training.mean()
    assert without - 0.1 <= asked(sequences, "leave_last").held_out.training.mean() < without
