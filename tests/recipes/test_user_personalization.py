"""The personal recipes learn what there is to learn, and honour their settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.algorithms.popularity import Popularity, item_popularity
from openpersonalize.algorithms.ranker import BaseRanker
from openpersonalize.algorithms.recent_popularity import RecentPopularity
from openpersonalize.algorithms.timeline import Timeline
from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.base_rankers import base_rankers
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.online import START_EVENTS
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.model import OnlineModel
from openpersonalize.recipes.objective import Objective
from openpersonalize.recipes.questions import ask
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.selection import without_extreme_users
from openpersonalize.recipes.training import Configuration, Training, TrainingData
from openpersonalize.recipes.user_personalization import UserPersonalization
from openpersonalize.testing.contract import RecipeContract
from openpersonalize.testing.worlds import DAY, chain, loyal, nobody, question, sequences_of, two_clusters


def named(name: str) -> UserPersonalization:
    found = recipe(name)
    assert isinstance(found, UserPersonalization)
    return found


V2 = named("aws-user-personalization-v2")
V1 = named("aws-user-personalization")
PLAIN = read_configuration(V2.facts, {})


def fitted(
    sequences: Sequences, configuration: Configuration = PLAIN, items: pl.DataFrame | None = None
) -> FusedModel:
    return V2.fit(TrainingData.of(sequences, items), configuration, Training(seed=1))


class TestContract(RecipeContract):
    recipe = V2


class TestRanking(RecipeContract):
    recipe = named("aws-personalized-ranking")


@pytest.mark.parametrize("preset", ["aws-ecomm-recommended-for-you", "aws-vod-top-picks"])
def test_a_preset_answers_as_the_recipe_that_it_stands_on(preset: str) -> None:
    world = two_clusters(30)
    found = []
    for chosen in (V1, named(preset)):
        model = chosen.fit(TrainingData.of(world), read_configuration(chosen.facts, {}), Training(seed=1))
        found.append(model.scores(question(world, 3)))
    assert np.array_equal(*found)


def test_an_event_from_the_future_leaves_recent_popularity_alone() -> None:
    """A client's wrong clock may say 2099; for the clock of popularity its event came when training began."""
    world = loyal()
    moment = int(world.time.max()) + DAY
    late = replace(
        world, time=np.where(np.arange(len(world.time)) == world.ptr[1] - 1, 4 * 10**9, world.time)
    )
    orders = []
    for sequences in (world, late):
        rankers = base_rankers(
            sequences, sequences, "leave_last", True, Training(seed=1, moment=moment), gap=1_800
        )
        recents = [one for one in rankers if isinstance(one, RecentPopularity)]
        assert recents
        faded = []
        for one in recents:
            one.freeze()
            faded.append(one.feature(question(world, 3)))
        orders.append(np.array(faded))
    assert np.all(orders[1].max(axis=1) > 0.1)
    for plain, odd in zip(*orders, strict=True):
        assert np.corrcoef(plain, odd)[0, 1] > 0.9


def test_the_own_cluster_comes_first() -> None:
    world = two_clusters()
    model = fitted(world)
    names = world.items.strings()
    for user in range(6):
        query = question(world, user, seen_excluded=True)
        scores = model.scores(query)
        scores[query.item] = -np.inf
        side = names[int(query.item[0])][0]
        assert {names[int(item)][0] for item in np.argsort(-scores)[:2]} == {side}


def test_what_follows_in_a_chain_comes_first() -> None:
    world = chain()
    model = fitted(world)
    names = world.items.strings()
    for user in range(8):
        query = question(world, user, newest=3)
        last = int(names[int(query.item[-1])][1:])
        assert names[int(np.argmax(model.scores(query)))] == f"c{(last + 1) % 12:02}"


def test_where_people_repeat_their_own_things_come_first() -> None:
    world = loyal()
    model = fitted(world)
    own_first = 0
    for user in range(20):
        query = question(world, user)
        own_first += set(np.argsort(-model.scores(query))[:2].tolist()) <= set(query.item.tolist())
    assert own_first >= 18
    assert model.weights.arriving.kept["repeats"] + model.weights.arriving.kept["own"] > 0


def test_where_nobody_repeats_met_items_go_down() -> None:
    world = two_clusters()
    model = fitted(world)
    query = question(world, 0)
    order = np.argsort(-model.scores(query)).tolist()
    met = set(query.item.tolist())
    assert not set(order[:2]) & met


def followed(model: FusedModel, folder: Path) -> OnlineModel:
    """The model as it follows live events, its training ended."""
    model.save(folder)
    online = model.online()
    assert online is not None
    return online


def test_an_event_of_another_user_changes_nothing_at_once(tmp_path: Path) -> None:
    world = two_clusters()
    model = followed(fitted(world), tmp_path)
    query = replace(question(world, 0), now=int(world.time.max()) + DAY)
    before = model.scores(query)
    model.observe(np.array([3], np.int32), np.array([query.now], np.int64), np.ones(1, np.float32))
    assert np.array_equal(model.scores(query), before)


def test_recent_popularity_follows_many_live_events(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    # Everybody takes what is in fashion, and the fashion changes every day.
    rows = [
        (f"u{user:03}", f"i{(day + int(rng.integers(0, 2))) % 30:02}", day * DAY + int(rng.integers(0, DAY)))
        for day in range(60)
        for user in rng.choice(100, 40, replace=False).tolist()
    ]
    world = sequences_of(rows)
    trained = fitted(world)
    assert any(
        weight > 0 for name, weight in trained.weights.arriving.kept.items() if name.startswith("recent")
    )
    model = followed(trained, tmp_path)
    now = 61 * DAY
    fashion = world.items.find("i15")
    query = replace(question(world, 0), now=now)
    rank_before = int((model.scores(query) > model.scores(query)[fashion]).sum())
    times = np.sort(rng.integers(60 * DAY, now - DAY // 3, 4 * START_EVENTS)).astype(np.int64)
    model.observe(np.full(len(times), fashion, np.int32), times, np.ones(len(times), np.float32))
    scores = model.scores(query)
    assert int((scores > scores[fashion]).sum()) < rank_before


def test_nobody_in_particular_gets_one_list_whatever_the_time() -> None:
    world = two_clusters()
    model = fitted(world)
    assert np.array_equal(
        model.scores(nobody(world)), model.scores(replace(nobody(world), now=10**10, seen_excluded=True))
    )


@pytest.mark.parametrize("mask", ["true", "false"])
def test_recency_mask_decides_whether_what_is_popular_or_new_now_is_on_offer(mask: str) -> None:
    world = two_clusters(users=200)
    configuration = read_configuration(V1.facts, {"algorithmHyperParameters": {"recency_mask": mask}})
    model = V1.fit(TrainingData.of(world), configuration, Training())
    offered = {name.split("-")[0] for name in model.weights.arriving.kept} & {"recent", "freshness"}
    assert offered == ({"recent", "freshness"} if mask == "true" else set())


def test_where_everybody_wants_what_is_new_the_newest_lead() -> None:
    """Who comes reads the item of the hour, and one of a few that everybody goes on reading."""
    rng = np.random.default_rng(5)
    rows = []
    for hour in range(200):
        for user in rng.choice(150, 12, replace=False).tolist():
            time = hour * 3600 + int(rng.integers(0, 3600))
            rows.append((f"u{user:03}", f"new{hour:03}", time))
            rows.append((f"u{user:03}", f"old{int(rng.integers(0, 8))}", time + 1))
    world = sequences_of(rows)
    model = fitted(world)
    assert (
        model.weights.arriving.alone_excluded["freshness-15m"]
        > 3 * model.weights.arriving.alone_excluded["popularity"]
    )
    assert model.weights.arriving.excluded["freshness-15m"] > 0
    query = replace(question(world, 0), now=200 * 3600, seen_excluded=True)
    assert world.items.strings()[int(np.argmax(model.scores(query)))] == "new199"


def test_percentiles_leave_out_long_and_short_histories() -> None:
    rows = [
        (f"u{user:02}", f"i{place}", user * 100 + place) for user in range(20) for place in range(user + 1)
    ]
    world = sequences_of(rows)
    chosen = {"min_user_history_length_percentile": 0.1, "max_user_history_length_percentile": 0.9}
    counts = without_extreme_users(world, Configuration(chosen)).counts
    left = counts[counts > 0]
    assert left.min() == 3
    assert left.max() == 18
    assert (counts == 0).sum() == 4
    # Those whose events are held out have no history, and are not the shortest ones.
    others = np.repeat(np.arange(20) % 2 == 0, world.counts)
    left = without_extreme_users(world.where(others), Configuration(chosen)).counts
    assert sorted(left[left > 0].tolist()) == [3, 5, 7, 9, 11, 13, 15, 17]


@pytest.mark.parametrize("users", [1, 3])
def test_next_to_nothing_still_trains(users: int) -> None:
    world = sequences_of([(f"u{user}", f"i{user}", 5) for user in range(users)])
    model = fitted(world)
    assert np.isfinite(model.scores(question(world, 0))).all()


def test_a_stronger_objective_never_lowers_the_objective() -> None:
    world = two_clusters()
    price = pl.DataFrame(
        {"ITEM_ID": world.items.strings(), "PRICE": np.arange(len(world.items), dtype=float)}
    )
    means = []
    for sensitivity in ("OFF", "LOW", "MEDIUM", "HIGH"):
        configuration = Configuration(PLAIN.parameters, Objective("PRICE", sensitivity))  # type: ignore[arg-type]
        model = fitted(world, configuration, price)
        top = [np.argsort(-model.scores(question(world, user)), kind="stable")[:5] for user in range(20)]
        means.append(float(np.mean([price["PRICE"].to_numpy()[items].mean() for items in top])))
    assert means == sorted(means)
    assert means[-1] > means[0]
    plain = fitted(world).scores(question(world, 0))
    off = fitted(world, Configuration(PLAIN.parameters, Objective("PRICE", "OFF")), price)
    assert np.array_equal(off.scores(question(world, 0)), plain)


def test_explain_adds_up() -> None:
    world = chain()
    model = fitted(world)
    query = question(world, 0)
    item = int(np.argmax(model.scores(query)))
    assert sum(model.explain(query, item).values()) == pytest.approx(
        float(model.scores(query)[item]), abs=2e-3
    )


def test_an_objective_where_nothing_was_met() -> None:
    """A measured model has no event to learn from when the few users there are all test."""
    world = two_clusters()
    empty = world.where(np.zeros(len(world.time), dtype=np.bool_))
    items = pl.DataFrame({"ITEM_ID": world.items.series(), "PRICE": np.arange(20.0)})
    model = fitted(empty, Configuration(dict(PLAIN.parameters), Objective("PRICE", "HIGH")), items)
    assert np.isfinite(model.scores(nobody(world))).all()
    assert np.isfinite(model.scores(question(world, 1))).all()


def test_what_came_since_the_cut_is_asked_about_from_then_on() -> None:
    old = [(f"u{user:02}", f"i{(user + place) % 5}", place) for user in range(40) for place in range(5)]
    # From second 110 on everybody meets the news, one user a second.
    news = [(f"u{user:02}", "news", 110 + user) for user in range(40)]
    sequences = sequences_of(old + news)
    users = np.arange(40, dtype=np.int32)
    start = sequences.ptr[1:] - 1
    # All but two are asked when it is known; those at a moment at which nobody has met it.
    now = np.where(users < 2, 105, 110 + users)
    found = HoldOut(sequences.time < 100, users, start, start + 1, now)
    learnt = sequences.where(found.training)
    timeline = Timeline.of(sequences.item, sequences.time, sequences.weight)
    rankers: list[BaseRanker] = [
        Popularity(item_popularity(learnt.ptr, learnt.item, 6)[0]),
        RecentPopularity(8, 6, timeline),
    ]
    asked = ask(sequences, found, learnt, rankers, Training(), np.random.default_rng(0))
    assert len(asked) == 38
    found_weights = asked.fit(seen_excluded=False)
    assert found_weights.weights[1] > 0
    assert found_weights.ndcg > 0.9
