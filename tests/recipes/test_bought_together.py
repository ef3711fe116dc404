"""aws-ecomm-frequently-bought-together: complements from orders, not what the same people buy some day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.bought_together import BoughtTogether, BoughtTogetherModel, orders_of
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import sequences_of

TOGETHER = recipe("aws-ecomm-frequently-bought-together")
assert isinstance(TOGETHER, BoughtTogether)
SETTINGS = read_configuration(TOGETHER.facts, {})
DAY = 86_400


class TestContract(RecipeContract):
    recipe = TOGETHER


def kitchen(*more: tuple[str, str, int]) -> Sequences:
    """Everybody buys a pan and a lid in one order, and the day after another pan of the same kind alone, a
    substitute that most have; some add salt, which is in half of all orders. A few buy a whisk and a bowl."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(260):
        start, kind = 10 * user * DAY // 260 * 3, user % 4
        rows += [(f"u{user}", f"pan-{kind}", start), (f"u{user}", f"lid-{kind}", start + 60)]
        rows += [(f"u{user}", f"other-pan-{kind}", start + DAY), (f"u{user}", f"pan-{kind}", start + 2 * DAY)]
        rows += [(f"u{user}", "salt", start + 30)] * int(rng.random() < 0.4)
        rows += [(f"u{user}", "salt", start + DAY)] * int(rng.random() < 0.6)
        if user % 30 == 0:
            rows += [(f"u{user}", "whisk", start + 5 * DAY), (f"u{user}", "bowl", start + 5 * DAY)]
    return sequences_of([*rows, *more], ["unsold"])


def trained(learnt: Sequences) -> BoughtTogetherModel:
    model = TOGETHER.fit(TrainingData.of(learnt), SETTINGS, Training())
    assert isinstance(model, BoughtTogetherModel)
    return model


def beside(model: BoughtTogetherModel, learnt: Sequences, item: str) -> list[str]:
    names = learnt.items.strings()
    scores = model.scores(Query.of_nobody(1, anchor=learnt.items.find(item)))
    return [names[row] for row in np.argsort(-scores, kind="stable") if names[row] != item]


@pytest.mark.parametrize("kind", range(4))
def test_what_is_ordered_with_it_leads_and_not_what_the_same_people_buy(kind: int) -> None:
    learnt = kitchen()
    found = beside(trained(learnt), learnt, f"pan-{kind}")
    assert found[0] == f"lid-{kind}"
    assert f"other-pan-{kind}" not in found[:2]


def test_a_rare_pair_is_found() -> None:
    learnt = kitchen()
    assert beside(trained(learnt), learnt, "whisk")[0] == "bowl"


def test_one_buyer_with_a_thousand_orders_decides_nothing() -> None:
    orders = [("robot", item, 500 * DAY + 7200 * k) for k in range(1_000) for item in ("pan-0", "spam")]
    learnt = kitchen(*orders)
    assert beside(trained(learnt), learnt, "pan-0")[0] == "lid-0"


def test_of_what_was_never_ordered_with_anything_the_best_sellers() -> None:
    learnt = kitchen()
    data = TrainingData.of(learnt)
    names = learnt.items.strings()
    popular = [names[row] for row in data.counts.order if names[row] != "unsold"]
    assert beside(trained(learnt), learnt, "unsold") == popular


def test_orders_are_sittings() -> None:
    learnt = kitchen()
    orders, weight = orders_of(learnt.events)
    assert len(weight) == len(orders.ptr) - 1
    for start, end in zip(orders.ptr[:-1].tolist(), orders.ptr[1:].tolist(), strict=True):
        assert (np.diff(orders.time[start:end]) < 1_800).all()
    firsts = np.searchsorted(orders.ptr[:-1], learnt.ptr[:-1])
    assert (weight[firsts] == 1).all()
    assert weight.min() == pytest.approx(0.25)


def test_where_nobody_orders_two_things_histories_are_the_orders() -> None:
    rows = [
        (f"u{user}", f"{item}{user % 3}", DAY * place)
        for user in range(90)
        for place, item in enumerate("ab")
    ]
    learnt = sequences_of(rows)
    assert len(orders_of(learnt.events)[1]) == 90
    assert beside(trained(learnt), learnt, "a1")[0] == "b1"


def test_where_things_change_old_orders_fade() -> None:
    """Everybody orders a with b; since two years later with c, less often so far."""
    rows = []
    for number in range(2_400):
        late = number >= 1_600
        items = ["a", "c" if late else "b", f"x{number % 40:02}"]
        at = (2 * 365 * DAY if late else 0) + number * 3_600
        rows += [(f"u{number}", item, at + place) for place, item in enumerate(items)]
    learnt = sequences_of(rows)
    model = trained(learnt)
    assert model.rule.half_life > 0
    assert beside(model, learnt, "a")[0] == "c"


def test_an_older_model_that_knows_no_half_life_opens(tmp_path: Path) -> None:
    learnt = kitchen()
    trained(learnt).save(tmp_path)
    np.save(tmp_path / "discount.npy", np.array(0.3))
    opened = TOGETHER.load(tmp_path, learnt.items, TrainingData.of(learnt).counts)
    assert isinstance(opened, BoughtTogetherModel)
    assert opened.rule == (0.3, 0.0)


def test_what_was_chosen_is_kept(tmp_path: Path) -> None:
    learnt = kitchen()
    model = trained(learnt)
    model.save(tmp_path)
    opened = TOGETHER.load(tmp_path, learnt.items, TrainingData.of(learnt).counts)
    assert isinstance(opened, BoughtTogetherModel)
    assert opened.tuned_state() == model.tuned_state()
