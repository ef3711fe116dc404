"""People who did nothing yet get what their group, and their context, likes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.datasets.profiles import Profiles
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.cold_users import newest_drawn, weigh_cold_users
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.worlds import ALL, DAY, nobody, sequences_of

V2 = recipe("aws-user-personalization-v2")
assert V2 is not None
PLAIN = read_configuration(V2.facts, {})


def towns(users: int = 240, taste: float = 0.85, seed: int = 0) -> Sequences:
    """People of Oslo prefer o0..o9, those of Lyon l0..l9; on a phone everybody takes even numbers more often.
    How they are called says nothing."""
    rng = np.random.default_rng(seed)
    rows, people = [], []
    for user in range(users):
        own, other = ("o", "l") if user % 2 else ("l", "o")
        people.append((f"u{user:03}", "Oslo" if user % 2 else "Lyon", f"name{user % 7}"))
        start = int(rng.integers(0, 10**6))
        for place in range(6):
            phone = rng.random() < 0.5
            number = int(rng.integers(5)) * 2 + int(rng.random() < (0.1 if phone else 0.9))
            item = f"{own if rng.random() < taste else other}{number}"
            rows.append((f"u{user:03}", item, start + 900 * place, "phone" if phone else "tv"))
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP", "DEVICE"], orient="row")
    people.append(("new", "Oslo", "name1"))
    known = pl.DataFrame(people, schema=["USER_ID", "TOWN", "NAME"], orient="row")
    profiles = Profiles.of(known, "USER_ID", ["TOWN", "NAME"])
    return build_sequences(frame.lazy(), None, ALL, ["DEVICE"], profiles)


@pytest.fixture(scope="module")
def world() -> Sequences:
    return towns()


@pytest.fixture(scope="module")
def model(world: Sequences) -> FusedModel:
    assert V2 is not None
    fitted = V2.fit(TrainingData.of(world), PLAIN, Training(seed=1))
    assert isinstance(fitted, FusedModel)
    return fitted


def first(model: FusedModel, world: Sequences, count: int, **known: dict[str, str | float]) -> list[str]:
    scores = model.scores(replace(nobody(world), **known))  # type: ignore[arg-type]
    return [world.items.strings()[row] for row in np.argsort(-scores, kind="stable")[:count].tolist()]


def test_a_newcomer_gets_what_the_group_likes(model: FusedModel, world: Sequences) -> None:
    for town in ("Oslo", "Lyon"):
        assert {name[0] for name in first(model, world, 8, profile={"TOWN": town})} == {town[0].lower()}


def test_the_context_changes_the_answer(model: FusedModel, world: Sequences) -> None:
    phone = first(model, world, 8, context={"DEVICE": "phone"})
    assert {int(name[1]) % 2 for name in phone} == {0}
    both = first(model, world, 4, profile={"TOWN": "Oslo"}, context={"DEVICE": "tv"})
    assert {(name[0], int(name[1]) % 2) for name in both} == {("o", 1)}


def test_what_is_unknown_counts_as_nothing(model: FusedModel, world: Sequences) -> None:
    plain = model.scores(nobody(world))
    strange = replace(nobody(world), profile={"TOWN": "Rome", "X": 1.0}, context={"DEVICE": "fridge"})
    assert np.array_equal(model.scores(strange), plain)
    assert np.argsort(-plain, kind="stable").tolist() == model.counts.order.tolist()
    assert model.used_features({"TOWN": "Rome"}, {"device": "tv", "X": "y"}) == ({}, {"DEVICE": "tv"})


def test_a_column_of_noise_has_no_say(model: FusedModel) -> None:
    assert model.used_features({"NAME": "name1", "TOWN": "Oslo"}, {}) == ({"TOWN": "Oslo"}, {})


def test_saved_and_opened_it_shifts_alike(model: FusedModel, world: Sequences, tmp_path: Path) -> None:
    assert V2 is not None
    model.save(tmp_path)
    opened = V2.load(tmp_path, model.items, model.counts)
    query = replace(nobody(world), profile={"TOWN": "Oslo"}, context={"DEVICE": "tv"})
    assert np.array_equal(opened.scores(query), model.scores(query))
    assert sum(model.explain(query, 3).values()) == pytest.approx(float(model.scores(query)[3]), abs=1e-5)


def test_a_refit_keeps_the_weights(model: FusedModel, world: Sequences) -> None:
    assert V2 is not None
    again = V2.fit(TrainingData.of(world), PLAIN, Training(seed=1, warm_state=model.tuned_state()))
    assert again.tuned_state() == model.tuned_state()
    assert set(model.weights.cold) == {"", "profile", "context", "profile context"}


def test_where_groups_do_not_differ_nothing_is_added() -> None:
    world = towns(taste=0.5)
    found = weigh_cold_users(world, [], Training(), np.random.default_rng(0))
    assert set(found) == {"", "context"}
    assert found["context"]["context"] > 0
    bare = replace(world, profiles=None, context={})
    assert weigh_cold_users(bare, [], Training(), np.random.default_rng(0)) == {"": {"popularity": 1.0}}


def fashion(members: int | None = None, seed: int = 0) -> Sequences:
    """What day 0 to 39 is about is in fashion then, and i00 a little all the time. 30 people a day, all
    of them new, or (`members`) some of always the same."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in range(40):
        who = range(30 * day, 30 * day + 30) if members is None else rng.choice(members, 30, replace=False)
        for user in who:
            item = "i00" if rng.random() < 0.2 else f"i{day:02}"
            rows.append((f"u{user:04}", item, day * DAY + int(rng.integers(0, DAY))))
    return sequences_of(rows)


@pytest.mark.parametrize("members", [None, 60])
def test_who_did_nothing_yet_gets_what_is_popular_at_the_moment(members: int | None, tmp_path: Path) -> None:
    assert V2 is not None
    world = fashion(members)
    fitted = V2.fit(TrainingData.of(world), PLAIN, Training(seed=1))
    fitted.save(tmp_path)
    for model in (fitted, V2.load(tmp_path, fitted.items, fitted.counts)):
        assert isinstance(model, FusedModel)
        assert any(name.startswith("recent") for name in model.weights.cold[""])
        assert set(first(model, world, 2)) == {"i00", "i39"}
        asked = replace(nobody(world), now=41 * DAY)
        assert sum(model.explain(asked, 7).values()) == pytest.approx(float(model.scores(asked)[7]), abs=1e-5)
    # The fashion of long ago is back.
    times = 40 * DAY + np.arange(0, DAY, 100)
    online = fitted.online()
    assert online is not None
    online.observe(np.full(len(times), 7, np.int32), times, np.ones(len(times), np.float32))
    assert int(np.argmax(online.scores(asked))) == 7
    assert int(np.argmax(fitted.scores(asked))) != 7


@pytest.mark.parametrize("count", [4_000, 60_000, 1_000_000])
def test_what_came_last_is_asked_more_often_and_many_at_once_are_not(count: int) -> None:
    rng = np.random.default_rng(0)
    honest = np.sort(rng.integers(0, 100 * DAY, count))
    drawn = newest_drawn(honest, 1_000, rng)
    assert len(drawn) == 1_000
    assert (np.diff(drawn) > 0).all()
    assert 0 <= drawn[0] < drawn[-1] < count
    assert 0.08 < (drawn >= 0.95 * count).mean() < 0.27
    assert 0.1 < (drawn < count // 2).mean() < 0.5
    # A hundredth of the users, or a twentieth of a fifth, who all come in the last hour.
    robots = 100 * DAY - np.sort(rng.integers(0, 3_600, count // 20))[::-1]
    drawn = newest_drawn(np.concatenate((honest, robots)), 1_000, rng)
    assert (drawn >= count).mean() < 0.08
    assert (drawn >= 0.95 * count).mean() > 0.08


def test_where_few_came_all_that_they_did_is_asked() -> None:
    rng = np.random.default_rng(0)
    assert newest_drawn(np.arange(7), 1_000, rng).tolist() == list(range(7))
    assert newest_drawn(np.empty(0, np.int64), 1_000, rng).tolist() == []
    assert len(newest_drawn(np.full(2_000, 5), 1_000, rng)) == 1_000


def test_what_is_known_counts_beside_what_is_popular_at_the_moment() -> None:
    """Every day has an item for people of Oslo, and one for those of Lyon; after ten days they return."""
    assert V2 is not None
    rng = np.random.default_rng(0)
    rows, people = [], [("new", "Oslo")]
    for user in range(1200):
        day, oslo = user // 30, user % 2 == 0
        own = "o" if oslo == (rng.random() < 0.8) else "l"
        rows.append((f"u{user:04}", f"{own}{day % 10}", day * DAY + int(rng.integers(0, DAY))))
        people.append((f"u{user:04}", "Oslo" if oslo else "Lyon"))
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP"], orient="row")
    known = pl.DataFrame(people, schema=["USER_ID", "TOWN"], orient="row")
    world = build_sequences(frame.lazy(), None, ALL, [], Profiles.of(known, "USER_ID", ["TOWN"]))
    model = V2.fit(TrainingData.of(world), PLAIN, Training(seed=1))
    assert isinstance(model, FusedModel)
    assert set(model.weights.cold) == {"", "profile"}
    assert any(name.startswith("recent") for name in model.weights.cold["profile"])
    assert set(first(model, world, 2)) == {"o9", "l9"}
    for town in ("Oslo", "Lyon"):
        assert first(model, world, 1, profile={"TOWN": town}) == [f"{town[0].lower()}9"]


def test_where_popularity_lasts_or_recency_is_off_it_counts_alone() -> None:
    assert V2 is not None
    rng = np.random.default_rng(0)
    drawn = (12 * rng.random((800, 3)) ** 2).astype(int).tolist()
    lasting = sequences_of(
        [
            (f"u{user:03}", f"i{item:02}", 900 * user + k)
            for user, own in enumerate(drawn)
            for k, item in enumerate(own)
        ]
    )
    off = {"algorithmHyperParameters": {"apply_recency_bias": "false"}}
    for world, given in ((lasting, {}), (fashion(), off)):
        model = V2.fit(TrainingData.of(world), read_configuration(V2.facts, given), Training(seed=1))
        assert isinstance(model, FusedModel)
        assert model.weights.cold == {"": {"popularity": 1.0}}
        scores = model.scores(nobody(world))
        assert np.argsort(-scores, kind="stable").tolist() == model.counts.order.tolist()


def test_a_model_of_an_earlier_release_answers_by_popularity(model: FusedModel, world: Sequences) -> None:
    cold = {"profile": {"profile": 1.0}}
    weights = replace(model.weights, cold=cold)
    old = FusedModel(model.items, model.counts, model.rankers, weights)
    assert np.argsort(-old.scores(nobody(world)), kind="stable").tolist() == model.counts.order.tolist()
    oslo = old.scores(replace(nobody(world), profile={"TOWN": "Oslo"}))
    assert not np.array_equal(oslo, old.scores(nobody(world)))
