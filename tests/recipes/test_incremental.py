"""A model brought up to date: what was learned stays, what came since is learned in addition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.algorithms.encoder import GAPS, Encoder, Shape
from openpersonalize.algorithms.encoder_plan import NEWS_PASSES
from openpersonalize.algorithms.item_attribute import ItemAttribute
from openpersonalize.algorithms.sparse import SparseRows
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.errors import CannotUpdate
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.encoder_fit import FineTuning
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.incremental import Earlier, carried_over, like_them
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.recipes.user_personalization import UserPersonalization
from openpersonalize.storage.idtable import IdTable
from openpersonalize.testing.worlds import DAY, question

V1 = recipe("aws-user-personalization")
assert isinstance(V1, UserPersonalization)
PLAIN = read_configuration(V1.facts, {})
LENGTH = 30


def walk(
    users: range, steps: int = 20, names: str = "c", kind: str = "view"
) -> list[tuple[str, str, int, str]]:
    """Everybody walks round c00, c01, .. c29 from where the user's number says, one step a minute."""
    return [
        (f"u{user:04}", f"c{(user * 7 + place) % LENGTH:02}", 10**6 * user + 60 * place, "view")
        for user in users
        for place in range(steps)
    ]


def packed(rows: list[tuple[str, str, int, str]]) -> Sequences:
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"], orient="row")
    return build_sequences(frame.lazy(), None, EventSelection())


def colours(sequences: Sequences) -> pl.DataFrame:
    """Items with an even number are red, the others blue."""
    ids = sequences.items.series()
    even = pl.Series([int(one[1:]) % 2 == 0 for one in ids])
    return pl.DataFrame({"ITEM_ID": ids, "COLOUR": even.replace_strict({True: "red", False: "blue"})})


def published(model: FusedModel, sequences: Sequences, folder: Path) -> Artifact:
    write_artifact(
        folder,
        model=model,
        recipe=V1,
        data=TrainingData.of(sequences),
        selection=EventSelection(),
        position=0,
    )
    return Artifact.open(folder)


OLD = packed(walk(range(100, 700)))
# New users, one of whom sorts before all others; a new item between the old ones, and one before them.
NEWS = [
    *walk(range(700, 760)),
    *[("a", f"c{place:02}", 10**9 + place, "view") for place in range(10)],
    *[
        row
        for user in range(760, 800)
        for row in (
            *walk(range(user, user + 1), 12),
            (f"u{user:04}", "aa", 10**6 * user + 60 * 12, "buy"),
            (f"u{user:04}", "c10x", 10**6 * user + 60 * 13, "view"),
        )
    ],
]
NEW = packed([*walk(range(100, 700)), *NEWS])


TUNED = Training(
    seed=1,
    warm_state={
        "weights": {
            "kept": {"encoder": 1.0, "transitions": 0.3, "popularity": 0.1, "repeats": 0.2},
            "excluded": {"encoder": 1.0, "transitions": 0.3},
            "encoder": {"passes": 4.0},
        }
    },
)
"""Weights that need not be found again."""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A model with an encoder that counts; a few passes are enough here."""
    model = V1.fit(TrainingData.of(OLD), PLAIN, TUNED)
    assert Encoder.kind in model.weights.used()
    return published(model, OLD, tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="module")
def updated(earlier: Artifact) -> FusedModel:
    return V1.update(TrainingData.of(NEW), PLAIN, Training(seed=1), earlier.earlier)


def test_exactly_what_came_since_is_new(earlier: Artifact) -> None:
    fresh = earlier.earlier.fresh(NEW)
    assert int(fresh.sum()) == len(NEWS)
    names = NEW.users.strings()
    old = {f"u{user:04}" for user in range(100, 700)}
    assert {names[user] for user in NEW.user[fresh].tolist()} == {row[0] for row in NEWS}
    assert {names[user] for user in NEW.user[~fresh].tolist()} == old
    assert not earlier.earlier.fresh(OLD).any()


def test_what_came_late_is_new_too(earlier: Artifact) -> None:
    late = ("u0100", "c05", 10**8 - 3_600, "view")  # before all that is known of the user
    fresh = earlier.earlier.fresh(packed([*walk(range(100, 700)), late]))
    assert int(fresh.sum()) == 1


def test_what_lies_before_a_full_memory_counts_as_known() -> None:
    kept = packed([("u", f"i{place}", 100 + place, "view") for place in range(5)])
    memory = Earlier(None, kept.users, kept.items, ("view",), kept.ptr, kept.item, kept.time, 5)  # type: ignore[arg-type]
    today = packed([("u", f"i{place}", 90 + place, "view") for place in range(20)])
    assert memory.fresh(today).tolist() == [False] * 10 + [True] * 10
    assert replace(memory, most=6).fresh(today).tolist() == [True] * 20


def test_what_was_learned_stays_and_new_items_join(earlier: Artifact, updated: FusedModel) -> None:
    assert updated.weights == earlier.model.weights  # type: ignore[attr-defined]
    assert len(updated.items) == LENGTH + 2
    names = NEW.items.strings()
    hits = 0
    for user in range(1, 41):
        query = question(NEW, user, newest=5)
        last = int(names[int(query.item[-1])][1:3])
        hits += names[int(np.argmax(updated.scores(query)))] == f"c{(last + 1) % LENGTH:02}"
    assert hits >= 38
    # After "aa" comes "c10x": only the news say so.
    walker = NEW.users.find("u0780")
    query = question(NEW, walker)
    query = replace(
        query, item=query.item[:-1], time=query.time[:-1], event=query.event[:-1], weight=query.weight[:-1]
    )
    scores = updated.scores(query)
    assert int((scores > scores[NEW.items.find("c10x")]).sum()) < 3
    assert updated.interacted[NEW.items.find("aa")]


def test_without_news_the_encoder_is_as_it_was(earlier: Artifact) -> None:
    again = V1.update(TrainingData.of(OLD), PLAIN, Training(seed=1), earlier.earlier)
    query = question(OLD, 3)
    assert np.allclose(again.scores(query), earlier.model.scores(query), atol=1e-5)


def test_an_update_is_the_same_twice_and_can_be_updated_again(
    earlier: Artifact, updated: FusedModel, tmp_path: Path
) -> None:
    again = V1.update(TrainingData.of(NEW), PLAIN, Training(seed=1), earlier.earlier)
    query = question(NEW, 5)
    assert np.array_equal(again.scores(query), updated.scores(query))
    second = published(updated, NEW, tmp_path)
    assert int(second.earlier.fresh(NEW).sum()) == 0
    later = packed([*walk(range(100, 700)), *NEWS, *walk(range(810, 815))])
    third = V1.update(TrainingData.of(later), PLAIN, Training(seed=1), second.earlier)
    assert np.isfinite(third.scores(question(later, 5))).all()


def chance_of_the_next(model: FusedModel, sequences: Sequences) -> float:
    """What the encoder gives to the next step round, on average over users who walk."""
    assert model.encoder is not None
    names, chances = sequences.items.strings(), []
    for user in range(1, 41):
        query = question(sequences, user, newest=5)
        after = sequences.items.find(f"c{(int(names[int(query.item[-1])][1:3]) + 1) % LENGTH:02}")
        chances.append(np.exp(model.encoder.feature(query)[after]))
    return float(np.mean(chances))


def test_a_few_events_at_a_time_are_not_learned_by_heart(earlier: Artifact, tmp_path: Path) -> None:
    rows, artifact = walk(range(100, 700)), earlier
    assert isinstance(earlier.model, FusedModel)
    before = chance_of_the_next(earlier.model, OLD)
    for day in range(2):
        # One user who walks differently.
        rows += [(f"v{day}", f"c{place * 11 % LENGTH:02}", 10**9 + 60 * place, "view") for place in range(6)]
        today, folder = packed(rows), tmp_path / str(day)
        model = V1.update(TrainingData.of(today), PLAIN, Training(seed=1), artifact.earlier)
        folder.mkdir()
        artifact = published(model, today, folder)
        assert chance_of_the_next(model, today) == pytest.approx(before, abs=0.03)


def test_it_works_on_what_is_new(earlier: Artifact) -> None:
    assert isinstance(earlier.model, FusedModel)
    fresh, before = earlier.earlier.fresh(NEW), earlier.earlier.numbers(NEW.items)
    start = carried_over(earlier.model.encoder, before, [], earlier.event_types, NEW)
    tuning = FineTuning.of(NEW, fresh, "leave_last", 1, start)
    assert tuning.plan.passes <= NEWS_PASSES
    names = NEW.items.strings()
    assert {names[item] for item in np.flatnonzero(tuning.unseen).tolist()} == {"aa", "c10x"}
    assert len(tuning.windows) == 2 * 101


def test_columns_that_are_gone_are_no_update(tmp_path: Path) -> None:
    model = V1.fit(TrainingData.of(OLD, colours(OLD)), PLAIN, TUNED)
    artifact = published(model, OLD, tmp_path)
    V1.update(TrainingData.of(OLD, colours(OLD)), PLAIN, Training(seed=1), artifact.earlier)
    with pytest.raises(CannotUpdate, match="no column COLOUR"):
        V1.update(TrainingData.of(OLD), PLAIN, Training(seed=1), artifact.earlier)
    assert model.encoder is not None
    model.encoder._trained = None
    vars(model.encoder).pop("trained", None)
    vars(model.encoder).pop("values", None)
    with pytest.raises(CannotUpdate):
        V1.update(
            TrainingData.of(OLD, colours(OLD)),
            PLAIN,
            Training(seed=1),
            replace(artifact.earlier, model=model),
        )


def test_new_items_start_like_those_that_share_their_metadata() -> None:
    ids = np.array([[1, 0], [3, 0], [0, 5], [0, 0], [0, 0]], dtype=np.float32)
    feature = ItemAttribute(
        np.array([0, 0, 1, 0, 1, 2], dtype=np.int32), np.array([0, 1, 2, 3, 5, 6], dtype=np.int64), 3
    )
    settled = np.array([True, True, True, False, False])
    # The fourth has the values of the first two and of the third; nobody has the value of the last.
    assert like_them(ids, settled, [feature]).tolist() == [[1.0, 2.5], [0.0, 0.0]]
    prose = ItemAttribute.of_vectors(np.ones((5, 3), dtype=np.float32))
    assert like_them(ids, settled, [feature, prose]).tolist() == [[1.0, 2.5], [0.0, 0.0]]
    assert like_them(ids, settled, []).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_kinds_of_events_keep_their_rows_under_new_numbers() -> None:
    rng = np.random.default_rng(0)
    model_ids, kinds = rng.normal(size=(2, 4)), np.arange(12).reshape(3, 4)
    trained = {"ids": model_ids.astype(np.float32), "event": kinds.astype(np.float32)}
    weights = {"items": trained["ids"], "event": trained["event"], "gap": np.zeros((GAPS, 4), np.float32)}
    encoder = Encoder(Shape(d=4, blocks=0), weights, trained)
    today = packed([("u", "i", 1, "add"), ("u", "i", 2, "buy"), ("u", "i", 3, "view")])
    found = carried_over(encoder, np.array([1], np.int32), [], ("buy", "view"), today)
    assert found.trained is not None
    assert found.trained["event"].tolist() == [
        [0, 1, 2, 3],
        [6, 7, 8, 9],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    assert np.array_equal(found.items, model_ids[1:].astype(np.float32))


def test_rows_in_another_catalogue() -> None:
    rows = SparseRows(
        np.array([0, 2, 3, 4]), np.array([1, 2, 0, 0], np.int32), np.array([1, 2, 3, 4], np.float32)
    )
    # Today: a new one, what was 2, what was 0; what was 1 is gone.
    moved = rows.renumbered(np.array([-1, 2, 0], np.int32))
    dense = np.array([moved.scatter(np.array([k], np.int32), np.ones(1, np.float32)) for k in range(3)])
    assert dense.tolist() == [[0, 0, 0], [0, 0, 4], [0, 2, 0]]


def test_numbers_by_id() -> None:
    ids = [IdTable.from_series(pl.Series(some)) for some in (["b", "d"], ["a", "b", "c", "d"])]
    memory = Earlier(None, ids[0], ids[0], (), *[np.zeros(1, np.int64)] * 3, 5)  # type: ignore[arg-type]
    assert memory.numbers(ids[1]).tolist() == [-1, 0, -1, 1]


def orders(users: range, items: str) -> list[tuple[str, str, int, str]]:
    """Everybody orders two bundles of three, a day apart."""
    return [
        (f"u{user:04}", f"{items}{(user + day) % 6}-{line}", 10**6 * user + DAY * day, "buy")
        for user in users
        for day in range(2)
        for line in range(3)
    ]


def test_what_holds_in_a_session_is_carried_over(tmp_path: Path) -> None:
    names = [f"{kind}{bundle}-{line}" for kind in "ab" for bundle in range(6) for line in range(3)]
    records = pl.DataFrame({"ITEM_ID": names, "SHELF": [f"{name[:2]}" for name in names]})
    arriving = {"kept": {"popularity": 1.0, "taste-SHELF": 0.5}, "excluded": {"popularity": 1.0}}
    running = {"kept": {"session-linear": 1.0}, "excluded": {"session-linear": 1.0}}
    tuned = {"arriving": arriving, "in_session": running, "session_gap": 1_234, "protocol": "horizon"}
    before = packed(orders(range(100), "a"))
    after = packed([*orders(range(100), "a"), *orders(range(100, 130), "b")])
    known = records.filter(pl.col("ITEM_ID").is_in(before.items.strings()))
    model = V1.fit(TrainingData.of(before, known), PLAIN, Training(warm_state={"weights": tuned}))
    earlier = published(model, before, tmp_path).earlier
    updated = V1.update(TrainingData.of(after, records), PLAIN, Training(), earlier)
    assert updated.weights == model.weights
    assert {one.name for one in updated.rankers} == {one.name for one in model.rankers}
    assert "taste-SHELF" in {one.name for one in updated.rankers}
    # What came since the first training is known in the cart.
    cart = question(after, 101, newest=3)
    cart = replace(cart, item=cart.item[:1], time=cart.time[:1], event=cart.event[:1], weight=cart.weight[:1])
    scores = updated.scores(replace(cart, now=int(cart.time[-1]) + 60))
    best = [after.items.strings()[row] for row in np.argsort(-scores)[:2]]
    own = after.items.strings()[cart.item[0]]
    assert all(one[:2] == own[:2] and one != own for one in best)
