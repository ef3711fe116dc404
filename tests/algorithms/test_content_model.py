"""Content-based scores: the columns that tell what users come to count, and only they."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.arrays import Int16, Int32, Int64
from openpersonalize.algorithms.content_model import ContentColumn, ContentModel, known
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.item_attribute import ItemAttribute

N, GENRES, COLOURS, PRICES = 240, 6, 4, 20


@dataclass(frozen=True)
class Asked:
    """A question of a user with these events."""

    item: Int32
    time: Int64
    event: Int16 = field(default_factory=lambda: np.empty(0, np.int16))
    now: int = 0
    profile: dict = field(default_factory=dict)  # type: ignore[type-arg]
    context: dict = field(default_factory=dict)  # type: ignore[type-arg]


def attribute(values: list[list[int]], size: int) -> ItemAttribute:
    lengths = [len(one) for one in values]
    code = np.array([value for one in values for value in one], dtype=np.int32)
    return ItemAttribute(code, np.concatenate(([0], np.cumsum(lengths))), size)


def of_item(values: np.ndarray, size: int) -> ItemAttribute:
    return attribute([[int(value)] for value in values], size)


@dataclass(frozen=True)
class World:
    """Users who keep to a genre for four fifths, of whatever colour; a genre has prices of its own."""

    genre: np.ndarray
    colour: np.ndarray
    price: np.ndarray
    events: Events

    @classmethod
    def of(cls, users: int, each: int, genres: bool = True) -> World:
        rng = np.random.default_rng(3)
        genre, colour = rng.integers(0, GENRES, N), rng.integers(0, COLOURS, N)
        price = np.minimum(3 * genre + rng.integers(0, 3, N), PRICES - 1)
        liked = np.flatnonzero(np.arange(N) % 5 > 0)  # a fifth of the items nobody ever met
        items = []
        for user in range(users):
            own = liked[genre[liked] == user % GENRES]
            others = rng.choice(liked, each)
            mine = rng.random(each) < (0.8 if genres else 0.0)
            items.append(np.where(mine, rng.choice(own, each), others))
        item = np.concatenate(items).astype(np.int32)
        ptr = each * np.arange(users + 1)
        time = np.tile(1000 * np.arange(each), users)
        kind, one = np.zeros(len(item), np.int16), np.ones(len(item), np.float32)
        return cls(genre, colour, price, Events(ptr, item, time, kind, one, N))

    def attributes(self) -> list[ItemAttribute]:
        return [of_item(self.genre, GENRES), of_item(self.colour, COLOURS), of_item(self.price, PRICES)]

    def asked(self, user: int) -> Asked:
        span = slice(self.events.ptr[user], self.events.ptr[user + 1])
        return Asked(self.events.item[span], self.events.time[span])


def fit(world: World) -> ContentModel | None:
    return ContentModel.fit(world.attributes(), [False, False, True], world.events, seed=0)


@pytest.mark.parametrize(("users", "each"), [(60, 18), (40, 25), (300, 40)])
def test_from_a_thousand_events_on_it_finds_the_columns_that_count(users: int, each: int) -> None:
    world = World.of(users, each)
    model = fit(world)
    assert model is not None
    genre, colour, price = (one.weight for one in model.columns)
    assert genre + price > 0.6
    assert colour < 0.35
    cold = np.arange(0, N, 5)
    for user in range(12):
        scores = model.scores(model.profile(world.asked(user)), model.of(cold))
        own = world.genre[cold] == user % GENRES
        assert scores[own].mean() > scores[~own].mean() + 1.0
        best = cold[np.argsort(-scores)[: int(own.sum())]]
        assert (world.genre[best] == user % GENRES).mean() > 0.8


def test_where_metadata_say_nothing_they_move_little() -> None:
    world = World.of(100, 20, genres=False)
    model = fit(world)
    for user in range(10) if model is not None else ():
        assert model is not None
        scores = model.scores(model.profile(world.asked(user)), model.of(np.arange(N)))
        assert scores.std() < 0.35


def test_values_are_shared_out_and_older_events_fade() -> None:
    column = ContentColumn.of(attribute([[0, 1], [0], [1], []], 2), False, np.array([1.0, 4.0, 4.0, 1.0]))
    both = column.ratios(np.array([0], np.int32), np.array([1.0]))
    assert both[0] == pytest.approx(both[1]) == pytest.approx(0.0, abs=1e-6)
    first = column.ratios(np.array([0, 1, 3], np.int32), np.array([1.0, 2.0, 5.0]))
    assert first[0] == pytest.approx(np.log((2.5 / 0.5 + 5) / 8))
    assert first[1] == pytest.approx(np.log((0.5 / 0.5 + 5) / 8))
    day = 86_400
    model = ContentModel([column])
    (late,) = model.profile(Asked(np.array([1, 2], np.int32), np.array([0, 360 * day])))
    assert late[1] > 0 > late[0]


def test_neighbouring_numbers_are_alike() -> None:
    column = ContentColumn.of(of_item(np.arange(10), 10), True, np.ones(10))
    ratios = column.ratios(np.array([4, 4, 4, 4], np.int32), np.ones(4))
    assert ratios[4] > ratios[3] > ratios[2] > ratios[1] == ratios[0] == ratios[9]
    end = column.ratios(np.array([9, 9], np.int32), np.ones(2))
    assert end[9] > end[8] > end[7] > end[0]
    assert np.isfinite(end).all()


def test_an_item_of_which_nothing_is_known_is_as_likely_as_for_anybody() -> None:
    world = World.of(60, 18)
    model = fit(world)
    assert model is not None
    blank = tuple(attribute([[], []], one.attribute.size) for one in model.columns)
    assert model.scores(model.profile(world.asked(0)), blank).tolist() == [0.0, 0.0]
    assert known(blank).tolist() == [False, False]
    assert known(model.of(np.arange(3))).all()


def test_of_nothing_there_is_no_model() -> None:
    world = World.of(60, 18)
    assert ContentModel.fit([], [], world.events, seed=0) is None
    nothing = Events(np.zeros(1, np.int64), *(world.events.item[:0],) * 4, N)  # type: ignore[arg-type]
    assert ContentModel.fit(world.attributes(), [False] * 3, nothing, seed=0) is None


def test_one_seed_gives_one_model_and_it_comes_back(tmp_path: Path) -> None:
    world = World.of(60, 18)
    first, second = fit(world), fit(world)
    assert first is not None
    assert second is not None
    assert [one.weight for one in first.columns] == [one.weight for one in second.columns]
    assert ContentModel.load(tmp_path) is None
    first.save(tmp_path)
    opened = ContentModel.load(tmp_path)
    assert opened is not None
    rows = np.arange(N)
    for user in range(5):
        asked = world.asked(user)
        found = opened.scores(opened.profile(asked), opened.of(rows))
        assert np.array_equal(found, first.scores(first.profile(asked), first.of(rows)))
