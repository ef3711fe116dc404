"""aws-next-best-action: the contract, occasions, a world of which the probabilities are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.action_events import outcomes_of
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.actions.outcomes import judged, occasions
from openpersonalize.recipes.complete import CompleteModel
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.next_best_action import NextBestAction
from openpersonalize.recipes.query import ItemHistory, Query
from openpersonalize.recipes.registry import facts_of
from openpersonalize.recipes.training import Behaviour, Kind, Training, TrainingData
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import DAY, nobody, question, two_clubs

RECIPE = NextBestAction(facts_of("aws-next-best-action"))


class TestContract(RecipeContract):
    recipe = RECIPE
    own_order = True

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> TrainingData:
        return two_clubs()


def interactions(rows: list[tuple[str, str, str, int]]) -> Sequences:
    """From (user, action, event type, day)."""
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "EVENT_TYPE", "DAY"], orient="row")
    return build_sequences(
        frame.with_columns(TIMESTAMP=pl.col("DAY") * DAY + 1).lazy(), None, EventSelection()
    )


def began(rows: list[tuple[str, str, str, int]], period: int = 14) -> list[tuple[int, bool]]:
    """Days at which occasions of the rows begin, and whether the action was taken."""
    sequences = interactions(rows)
    found = occasions(sequences, outcomes_of(sequences.event_types)[sequences.event], period)
    days = sequences.time[found.event] // DAY
    return list(zip(days.tolist(), (found.taken > 0).tolist(), strict=True))


END = ("zed", "other", "Viewed", 100)


def test_an_occasion_lasts_until_the_action_is_taken() -> None:
    rows = [
        ("u", "a", "Viewed", 1),
        ("u", "a", "NOT_TAKEN", 3),
        ("u", "a", "taken", 9),
        ("u", "a", "Viewed", 10),
    ]
    assert began([*rows, END]) == [(1, True), (10, False)]


def test_an_occasion_ends_with_the_period() -> None:
    assert began([("u", "a", "Viewed", 1), ("u", "a", "Taken", 20), END]) == [(1, False), (20, True)]
    assert began([("u", "a", "Viewed", 1), ("u", "a", "Taken", 20), END], 28) == [(1, True)]
    assert began([("u", "a", "Not Taken", 1 + 20 * n) for n in range(3)] + [END]) == [
        (1, False),
        (21, False),
        (41, False),
    ]


def test_actions_and_users_have_occasions_of_their_own() -> None:
    rows = [("u", "a", "Viewed", 1), ("u", "b", "Taken", 2), ("v", "a", "Taken", 3)]
    assert began([*rows, END]) == [(1, False), (2, True), (3, True)]


def test_what_nobody_had_time_to_decide_is_left_out() -> None:
    rows = [("u", "a", "Viewed", 95), ("u", "b", "Not taken", 95), ("u", "c", "Taken", 96)]
    assert began([*rows, END]) == [(95, False), (96, True)]


@pytest.mark.parametrize("wait", [0, 3])
def test_what_was_seen_lately_counts_as_the_rest(wait: int) -> None:
    """Half of those who see the action take it, `wait` days later, the others say nothing."""
    rows = []
    for day in range(60):
        for number in range(10):
            takes = number % 2
            if wait or not takes:
                rows.append((f"u{day}-{number}", "a", "Viewed", day))
            if takes and day + wait < 60:
                rows.append((f"u{day}-{number}", "a", "Taken", day + wait))
    found = began(rows)
    assert {day for day, _ in found} == set(range(60 - wait)), "without those that may still be taken"
    for start in (0, 30, 50):
        assert np.mean([taken for day, taken in found if day >= start]) == 0.5


def test_other_event_types_are_not_used() -> None:
    assert began([("u", "a", "opened", 1), END]) == []
    assert began([]) == []


def test_a_score_needs_fifty_of_each_within_six_weeks() -> None:
    rows = [(f"u{n}", "enough", ("Taken", "Viewed")[n % 2], 100) for n in range(100)]
    rows += [(f"u{n}", "few", ("Taken", "Viewed")[n % 2], 100) for n in range(98)]
    rows += [(f"u{n}", "long-ago", ("Taken", "Viewed")[n % 2], 57) for n in range(100)]
    rows += [(f"u{n}", "loved", "Taken", 100) for n in range(200)]
    sequences = interactions(rows)
    found = judged(sequences, outcomes_of(sequences.event_types)[sequences.event])
    assert dict(zip(sequences.items.strings(), found.tolist(), strict=True)) == {
        "enough": True,
        "few": False,
        "long-ago": False,
        "loved": False,
    }


class World:
    """Three tastes, told by items; 12 actions of four kinds, whose probabilities depend on taste and kind."""

    def __init__(self, users: int = 1500, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.taste = rng.integers(0, 3, users)
        kinds = np.arange(12) % 4
        liked = rng.normal(-1.6, 0.4, (3, 12)) + 2.5 * (kinds == np.arange(3)[:, None])
        self.truth = 1 / (1 + np.exp(-liked))
        item, shown = [], []
        for user, taste in enumerate(self.taste.tolist()):
            times = np.sort(rng.integers(0, 30 * DAY, 12)).tolist()
            item += [(f"u{user}", f"i{taste}-{rng.integers(0, 30)}", "", time) for time in times]
            for n, action in enumerate(rng.permutation(12)[:6].tolist()):
                kind = "Taken" if rng.random() < self.truth[taste, action] else "Not taken"
                shown.append((f"u{user}", f"a{action:02}", kind, (30 + n) * DAY))
        names = ["USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"]
        done, met = (
            build_sequences(pl.DataFrame(rows, schema=names, orient="row").lazy(), None, EventSelection())
            for rows in (item, shown)
        )
        records = pl.DataFrame({"ACTION_ID": met.items.strings(), "KIND": [f"k{kind}" for kind in kinds]})
        behaviour = Behaviour(Kind(done.items), done, EventSelection())
        self.data = TrainingData(Kind(met.items, records), met, behaviour=behaviour)

    def history(self, user: int) -> ItemHistory:
        done = self.data.behaviour.interactions
        row = done.users.find(f"u{user}")
        return ItemHistory(
            done.item[done.ptr[row] : done.ptr[row + 1]], done.time[done.ptr[row] : done.ptr[row + 1]]
        )

    def question(self, user: int) -> Query:
        """Of somebody who has the items of a user and met no action."""
        return replace(nobody(self.data.sequences), item_history=self.history(user))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def model(world: World) -> CompleteModel:
    data = world.data
    trained = RECIPE.fit(data, read_configuration(RECIPE.facts, {}), Training(seed=1))
    return CompleteModel(trained, Task.ACTIONS, data.counts)


def test_probabilities_are_near_to_those_of_the_world(world: World, model: CompleteModel) -> None:
    found, truth = [], []
    for user in range(300):
        found.append(np.exp(model.scores(world.question(user))))
        truth.append(world.truth[world.taste[user]])
    error = np.abs(np.array(found) - np.array(truth)).mean()
    base = np.abs(np.array(truth).mean(axis=0) - np.array(truth)).mean()
    assert error < 0.08 < base


def test_the_best_action_is_nearly_the_best_of_the_world(world: World, model: CompleteModel) -> None:
    best = [int(np.argmax(model.scores(world.question(user)))) for user in range(300)]
    reached = np.mean([world.truth[world.taste[user], action] for user, action in enumerate(best)])
    possible = world.truth.max(axis=1)[world.taste[:300]].mean()
    popular = world.truth[world.taste[:300]].mean(axis=0).max()
    assert reached > popular + 0.8 * (possible - popular)


def test_a_new_action_is_known_by_its_kind(world: World, model: CompleteModel) -> None:
    vectors = model.embed(pl.DataFrame({"ACTION_ID": ["x", "y"], "KIND": ["k0", "k3"]}))
    found = np.array([model.scores_of(world.question(user), vectors) for user in range(200)])
    truth = world.truth[world.taste[:200]][:, [0, 3]]
    assert np.corrcoef(np.exp(found).ravel(), truth.ravel())[0, 1] > 0.9


def test_of_nobody_the_rates_of_all(world: World, model: CompleteModel) -> None:
    found = np.exp(model.scores(nobody(world.data.sequences)))
    assert np.abs(found - world.truth[world.taste].mean(axis=0)).max() < 0.2


def test_taking_an_action_changes_the_others(world: World, model: CompleteModel) -> None:
    sequences = world.data.sequences
    before = model.scores(nobody(sequences))
    after = model.scores(question(sequences, 3, newest=3))
    assert np.abs(after - before).max() > 0.05


def test_without_action_interactions_everything_scores_nothing(world: World, tmp_path: Path) -> None:
    data = replace(world.data, interactions=None)
    trained = RECIPE.fit(data, read_configuration(RECIPE.facts, {}), Training())
    trained.save(tmp_path)
    loaded = RECIPE.load(tmp_path, data.ranked.ids, data.counts)
    opened = CompleteModel(loaded, Task.ACTIONS, data.counts)
    assert not opened.propensities().any()
    assert np.isfinite(opened.scores(world.question(0))).all()


def test_a_model_of_an_earlier_release_opens(world: World, model: CompleteModel, tmp_path: Path) -> None:
    """It knows no bounds of the features; within them it answers the same."""
    model.model.save(tmp_path)
    for name in ("low", "high"):
        (tmp_path / f"{name}.npy").unlink()
    data = world.data
    opened = CompleteModel(RECIPE.load(tmp_path, data.ranked.ids, data.counts), Task.ACTIONS, data.counts)
    found, before = (np.array([one.scores(world.question(k)) for k in range(20)]) for one in (opened, model))
    assert np.corrcoef(found.ravel(), before.ravel())[0, 1] > 0.95
