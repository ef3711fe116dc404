"""Users are erased from artifacts, also where users are what a model ranks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leftovers import places_of
from openpersonalize.datasets.profiles import Profiles
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.erasure import erase_from_artifact
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.model import Segments
from openpersonalize.recipes.question_values import QuestionValues
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.settings import read_settings
from openpersonalize.storage.idhash import hashes
from openpersonalize.storage.objects import ObjectStore, open_objects
from openpersonalize.testing.worlds import DAY, two_clubs

AFFINITY = recipe("aws-item-affinity")
assert AFFINITY is not None
USERS = [f"somebody-{number:03}" for number in range(60)]
GONE = [USERS[7], USERS[8]]


def published(objects: ObjectStore) -> str:
    """A model of users of two halves, each of whom lives in a town of their own."""
    rng = np.random.default_rng(0)
    rows = [
        (user, f"{'ab'[number % 2]}{item}", number * DAY + place)
        for number, user in enumerate(USERS)
        for place, item in enumerate(rng.permutation(10)[:8].tolist())
    ]
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP"], orient="row")
    towns = pl.DataFrame({"USER_ID": USERS, "TOWN": [f"town-of-{user}" for user in USERS]})
    profiles = Profiles.of(towns, "USER_ID", ["TOWN"])
    selection = EventSelection()
    data = TrainingData.of_users(build_sequences(frame.lazy(), None, selection, (), profiles))
    model = AFFINITY.fit(data, read_configuration(AFFINITY.facts, {}), Training())
    staged = objects.stage()
    write_artifact(staged, model=model, recipe=AFFINITY, data=data, selection=selection, position=0)
    objects.publish(staged, "artifacts/before")
    return "artifacts/before"


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_objects(read_settings({"data_dir": str(tmp_path)}, {}))


def test_a_model_that_ranks_users_forgets_them(objects: ObjectStore, tmp_path: Path) -> None:
    before = published(objects)
    users = pl.Series("USER_ID", [*GONE, "whom-nobody-knows"])
    assert erase_from_artifact(objects, before, "artifacts/after", users)
    old, new = (Artifact.open(objects.fetch(key)) for key in (before, "artifacts/after"))
    assert isinstance(old.model, Segments)
    objects.remove(before)  # what is open stays open
    for user in GONE:
        assert places_of(user, tmp_path) == []
    assert new.verify() == []
    stay = [user for user in USERS if user not in GONE]
    assert new.ranked.strings() == new.users.strings() == stay
    assert isinstance(new.model, Segments)
    assert len(new.counts) == len(stay)
    kept = ~np.isin(USERS, GONE)
    for item in ("a0", "b3"):
        row = np.array([new.items.find(item)])
        scores = new.model.affinity(row)
        assert len(scores) == len(stay)
        assert np.corrcoef(scores, old.model.affinity(row)[kept])[0, 1] > 0.95
        best = [stay[place] for place in np.argsort(-scores, kind="stable")[:20]]
        assert all("ab"[int(user[-3:]) % 2] == item[0] for user in best)


def test_a_model_of_actions_forgets_what_they_did_with_items_and_actions(
    objects: ObjectStore, tmp_path: Path
) -> None:
    found, data = recipe("aws-next-best-action"), two_clubs()
    assert found is not None
    assert data.interactions is not None
    assert data.behaviour is not None
    # u003 did something with items only, u004 with both.
    met = data.interactions
    others = met.where(met.user != met.users.find("u003"))
    data = replace(data, interactions=replace(others, users=met.users))
    model = found.fit(data, read_configuration(found.facts, {}), Training())
    staged, selection = objects.stage(), EventSelection()
    asked = hashes(pl.Series(["u002", "u003", "u004"]))
    scored = {"ndcg": np.array([0.2, 0.3, 0.4])}
    write_artifact(staged, model=model, recipe=found, data=data, selection=selection, position=0,
                   questions=QuestionValues.of(asked, asked + np.uint64(1), scored, scored))  # fmt: skip
    objects.publish(staged, "artifacts/before")
    gone = pl.Series("USER_ID", ["u003", "u004"])
    assert erase_from_artifact(objects, "artifacts/before", "artifacts/after", gone)
    old, new = (Artifact.open(objects.fetch(f"artifacts/{name}")) for name in ("before", "after"))
    assert old.behaviour is not None
    assert new.behaviour is not None
    assert len(old.behaviour.history("u003")[0]) == 8
    assert old.questions is not None
    assert new.questions is not None
    assert (len(old.questions), new.questions.asked.tolist()) == (3, asked[:1].tolist())
    assert new.questions.values[0] == pytest.approx(0.2)
    objects.remove("artifacts/before")
    for user in gone:
        assert places_of(user, tmp_path) == []
        assert not len(new.history(user)[0]) + len(new.behaviour.history(user)[0])
    assert new.verify() == []
    for user in ("u002", "u005"):
        assert np.array_equal(new.history(user)[1], old.history(user)[1])
        assert np.array_equal(new.behaviour.history(user)[0], old.behaviour.history(user)[0])


def test_of_whom_nothing_is_known_changes_nothing(objects: ObjectStore) -> None:
    before = published(objects)
    assert not erase_from_artifact(objects, before, "artifacts/after", pl.Series(["whom-nobody-knows"]))
    assert not objects.exists("artifacts/after")
