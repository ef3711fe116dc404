"""Worlds of some forty users, as first trials are made with: what a visitor just did decides, whatever item
all of them took last."""

from __future__ import annotations

import numpy as np
import pytest

import shop as departments
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.worlds import DAY, question, sequences_of

Rows = list[tuple[str, str, int]]


def of_departments(seed: int) -> Rows:
    """The shop of the other tests: users meet one department, and end on one item of the first."""
    lines = (line.split(",") for line in departments.csv("Interactions", seed=seed).splitlines()[1:])
    named = {item: f"{departments.department(item)}-{item}" for item in departments.ITEMS}
    return [(user, named[item], int(time)) for user, item, time, *_ in lines]


def film_club(seed: int) -> Rows:
    """Four genres, of which everybody likes one much and one a little; a film every half day."""
    rng = np.random.default_rng(seed)
    genre, popular = np.arange(80) % 4, 1.0 / (1.0 + rng.permutation(80)) ** 0.6
    rows = []
    for user in range(50):
        likes = rng.permutation(4)
        share = popular * np.select([genre == likes[0], genre == likes[1]], [8.0, 2.0], 0.1)
        start = int(rng.integers(0, 30 * DAY))
        for place, film in enumerate(rng.choice(80, 25, replace=False, p=share / share.sum()).tolist()):
            rows.append((f"u{user:02}", f"g{genre[film]}-{film:02}", start + place * DAY // 2))
    return rows


def albums(seed: int) -> Rows:
    """Three genres; everybody plays six albums of one again and again, and on one evening all play a hit."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(45):
        own = rng.choice(20, 6, replace=False)
        for play in range(30):
            album = f"a{user % 3}-{own[int(rng.integers(0, 6))]:02}"
            rows.append((f"u{user:02}", album, play * DAY // 2 + int(rng.integers(0, DAY // 3))))
        rows.append((f"u{user:02}", "a0-hit", 15 * DAY + int(rng.integers(0, 600))))
    return rows


def kitchens(seed: int) -> Rows:
    """Four weekly orders of four things from one of four kitchens, and salt for half on the last day."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(40):
        for week in range(4):
            now = int(rng.integers(0, 5 * DAY)) + week * 6 * DAY
            rows += [
                (f"u{user:02}", f"k{user % 4}-{one:02}", now) for one in rng.choice(12, 4, replace=False)
            ]
        rows += [(f"u{user:02}", "k0-salt", 27 * DAY)] if user < 20 else []
    return rows


def fitted(sequences: Sequences, seed: int) -> FusedModel:
    facts = recipe("aws-user-personalization")
    training = Training(seed=seed, moment=int(sequences.time.max()) + 3_600)
    model = facts.fit(TrainingData.of(sequences), read_configuration(facts.facts, {}), training)
    assert isinstance(model, FusedModel)
    return model


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 6))])
@pytest.mark.parametrize("world", [of_departments, film_club, albums, kitchens])
def test_a_visitor_s_own_kind_leads(world, seed) -> None:
    """Three events of one kind, an hour and a half ago: the first item is of it, and all but one of five."""
    sequences = sequences_of(world(seed))
    model, names = fitted(sequences, seed), sequences.items.strings()
    end = int(sequences.time.max())
    first, share = [], []
    for kind in sorted({name.split("-")[0] for name in names}):
        own = [row for row, name in enumerate(names) if name.startswith(kind)]
        for some in np.random.default_rng(seed).permutation(own)[:12].reshape(4, 3):
            query = Query(
                some.astype(np.int32),
                np.array([end + 10, end + 20, end + 30]),
                np.full(3, -1, np.int16),
                np.ones(3, np.float32),
                end + 5_400,
            )
            answer = [names[row] for row in np.argsort(-model.scores(query), kind="stable")[:5]]
            first.append(answer[0].startswith(kind))
            share.append(np.mean([name.startswith(kind) for name in answer]))
    assert np.mean(first) >= 0.95
    assert np.mean(share) >= 0.8


def test_who_has_seen_hundreds_of_films_gets_others() -> None:
    """Nobody sees a film twice: no answer has one of the three hundred that its user saw, first or last."""
    rng = np.random.default_rng(0)
    genre = np.arange(700) % 4
    rows = []
    for user in range(30):
        liked = np.where(genre == user % 4, 6.0, 1.0)
        seen = rng.choice(700, 300, replace=False, p=liked / liked.sum())
        rows += [(f"u{user:02}", f"f{film:03}", place * 3_600) for place, film in enumerate(seen.tolist())]
    sequences = sequences_of(rows)
    model = fitted(sequences, 0)
    again = [
        np.isin(np.argsort(-model.scores(question(sequences, user)))[:10], sequences.item[of_user])
        for user, of_user in enumerate(map(slice, sequences.ptr[:-1], sequences.ptr[1:]))
    ]
    assert np.mean(again) <= 0.01


@pytest.mark.parametrize("seed", range(3))
def test_what_follows_is_learned_from_sixty_users(seed: int) -> None:
    """Three circles of twelve items; two times in three the next of the circle follows, else any of it."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(60):
        now, place = int(rng.integers(0, 10**6)), int(rng.integers(0, 12))
        for step in range(10):
            place = (place + 1) % 12 if rng.random() < 0.7 else int(rng.integers(0, 12))
            rows.append((f"u{user:02}", f"{user % 3}-{place}", now + 3_600 * step))
    sequences = sequences_of(rows)
    model, names = fitted(sequences, seed), sequences.items.strings()
    right = 0
    for user in range(60):
        query = question(sequences, user)
        circle, place = names[query.item[-1]].split("-")
        right += names[int(np.argmax(model.scores(query)))] == f"{circle}-{(int(place) + 1) % 12}"
    assert right >= 24
