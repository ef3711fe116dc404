"""aws-sims: its hyperparameters do what the developer guide says."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import sequences_of

SIMS = recipe("aws-sims")
assert SIMS is not None

Rows = list[tuple[str, str, int]]
NOTHING: Rows = []
EVERYBODY = {
    "min_user_history_length_percentile": "0.0",
    "max_user_history_length_percentile": "1.0",
    "min_item_interaction_count_percentile": "0.0",
    "max_item_interaction_count_percentile": "1.0",
}


class TestContract(RecipeContract):
    recipe = SIMS


def world(more: Rows) -> Sequences:
    """Of the ten users of `anchor` eight have `hit`, which forty others have, too; six have `niche`, which
    two others have; two have `rare`, which nobody else has."""
    rows = []
    for user in range(10):
        rows.append((f"u{user}", "anchor", user))
        rows += [
            (f"u{user}", item, 100 + user)
            for item, most in (("hit", 8), ("niche", 6), ("rare", 2))
            if user < most
        ]
    rows += [(f"h{user}", "hit", 500 + user) for user in range(40)]
    rows += [(f"n{user}", "niche", 700 + user) for user in range(2)]
    return sequences_of(rows + more, ["unknown"])


def order(
    algorithm: dict[str, str],
    feature: dict[str, str] = EVERYBODY,
    anchor: str = "anchor",
    more: Rows = NOTHING,
) -> list[str]:
    """The items related to one, best first; `more`: events beside the world's."""
    learnt = world(more)
    config = {"algorithmHyperParameters": algorithm, "featureTransformationParameters": feature}
    model = SIMS.fit(TrainingData.of(learnt), read_configuration(SIMS.facts, config), Training())
    names = learnt.items.strings()
    scores = model.scores(Query.of_nobody(1, anchor=learnt.items.find(anchor)))
    best = [names[item] for item in np.argsort(-scores, kind="stable")]
    return [name for name in best if name != anchor]


def test_without_a_discount_popular_co_items_lead_and_with_all_of_it_popularity_is_nothing() -> None:
    least = {"min_cointeraction_count": "0"}
    assert order({"popularity_discount_factor": "0.0", **least})[:3] == ["hit", "niche", "rare"]
    assert order({"popularity_discount_factor": "0.5", **least})[:3] == ["niche", "rare", "hit"]
    assert order({"popularity_discount_factor": "1.0", **least})[:3] == ["rare", "niche", "hit"]


def test_pairs_with_too_few_common_users_are_not_related() -> None:
    assert order({"popularity_discount_factor": "1.0", "min_cointeraction_count": "3"})[:3] == [
        "niche",
        "hit",
        "rare",
    ]
    assert order({"popularity_discount_factor": "1.0", "min_cointeraction_count": "7"})[:3] == [
        "hit",
        "niche",
        "rare",
    ]


def test_an_item_with_too_little_data_has_the_popular_ones() -> None:
    assert order({}, anchor="unknown") == ["hit", "anchor", "niche", "rare"]
    assert order({"min_cointeraction_count": "3"}, anchor="rare") == ["hit", "anchor", "niche", "unknown"]


def test_items_above_a_percentile_are_not_related_to_anything() -> None:
    chosen = EVERYBODY | {"max_item_interaction_count_percentile": "0.7"}
    related = order({"popularity_discount_factor": "0.0", "min_cointeraction_count": "0"}, chosen)
    assert related[:2] == ["niche", "rare"]


def test_one_user_puts_no_item_above_a_percentile() -> None:
    """A thousand events of one user with `niche` made it the one item of most interactions."""
    robot = [("robot", "niche", 900 + second) for second in range(1_000)]
    chosen = EVERYBODY | {"max_item_interaction_count_percentile": "0.7"}
    least = {"popularity_discount_factor": "0.0", "min_cointeraction_count": "0"}
    assert order(least, chosen, more=robot)[:2] == ["niche", "rare"]


def test_users_above_a_percentile_do_not_count() -> None:
    learnt = sequences_of(
        [(f"u{user}", item, user) for user in range(20) for item in ("x", "y")]
        + [("bot", item, 50) for item in ("x", "z", "v", "w")]
    )
    for high, related in (("1.0", {"y", "z", "v", "w"}), ("0.9", {"y"})):
        config = {
            "algorithmHyperParameters": {"min_cointeraction_count": "1"},
            "featureTransformationParameters": EVERYBODY | {"max_user_history_length_percentile": high},
        }
        model = SIMS.fit(TrainingData.of(learnt), read_configuration(SIMS.facts, config), Training())
        found = model.table.of(learnt.items.find("x"))[0]  # type: ignore[attr-defined]
        assert {learnt.items.strings()[item] for item in found} == related


@pytest.mark.parametrize(
    "use_case", ["aws-ecomm-customers-who-viewed-x-also-viewed", "aws-vod-because-you-watched-x"]
)
def test_a_use_case_relates_the_most_popular_items_too(use_case: str) -> None:
    """Forty pairs of items with two common users each, and one of everybody: aws-sims relates nothing."""
    rows = [
        (f"u{user}", item, user) for user in range(80) for item in ("all", f"a{user // 2}", f"b{user // 2}")
    ]
    learnt = sequences_of(rows)
    names = learnt.items.strings()
    found = {}
    for chosen in (SIMS, recipe(use_case)):
        assert chosen is not None
        model = chosen.fit(TrainingData.of(learnt), read_configuration(chosen.facts, {}), Training())
        asked = Query.of_nobody(1, anchor=learnt.items.find("a7"))
        related, _ = model.table.of(learnt.items.find("a7"))  # type: ignore[attr-defined]
        found[chosen.name] = {names[row] for row in related}
        if chosen is not SIMS:
            best = [names[row] for row in np.argsort(-model.scores(asked), kind="stable")[:2]]
            assert best == ["b7", "all"]
    assert found == {"aws-sims": set(), use_case: {"all", "b7"}}
