"""What everybody does after training reaches the answers of a model that follows it."""

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from openpersonalize.clock import SystemClock
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.events.entries import Event
from openpersonalize.events.stores import open_live_log
from openpersonalize.exploration.checkpoint import CheckpointStore
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.fusion.online import START_EVENTS
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe as find_recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.serving.loaded import LoadedVersion
from openpersonalize.serving.popularity_feed import PopularityFeed
from openpersonalize.serving.states import FRESH_SECONDS
from openpersonalize.settings import read_settings
from openpersonalize.storage.objects import open_objects

from .making import STREAM, handed

DAY = int(timedelta(days=1).total_seconds())
ENDED = 60 * DAY
"""When the events of training end."""
AFTER = 400 * DAY
"""How much later the training was."""


def fashion():
    """Everybody takes what is in fashion, and the fashion changes every day."""
    rng = np.random.default_rng(5)
    rows = [
        (f"u{user:03}", f"i{(day + int(rng.integers(0, 2))) % 30:02}", day * DAY + int(rng.integers(0, DAY)))
        for day in range(60)
        for user in rng.choice(100, 40, replace=False).tolist()
    ]
    columns = ["USER_ID", "ITEM_ID", "TIMESTAMP"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(EVENT_TYPE=pl.lit("click"))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifact")
    recipe = find_recipe("aws-user-personalization-v2")
    selection = EventSelection.from_solution("click", {})
    sequences = build_sequences(fashion().lazy(), None, selection)
    training = Training(seed=1, moment=ENDED + AFTER)
    model = recipe.fit(TrainingData.of(sequences), read_configuration(recipe.facts, {}), training)
    write_artifact(
        folder, model=model, recipe=recipe, data=TrainingData.of(sequences), selection=selection, position=0
    )
    return folder


@pytest.fixture
def world(artifact, tmp_path):
    log = open_live_log(read_settings({"data_dir": str(tmp_path)}, {}), SystemClock())
    loaded = LoadedVersion(Artifact.open(artifact), find_recipe("aws-user-personalization-v2").facts)
    one = SimpleNamespace(log=log, loaded=loaded, time=ENDED + AFTER)
    one.feed = PopularityFeed(loaded, lambda: one.time)
    yield one
    log.close()


def stream(world, item, count, begin, seconds, kind="click", user=None):
    """Events of as many users, or all of one."""
    times = np.linspace(begin, begin + seconds, count).astype(int).tolist()
    events = [Event(user or f"new-{k}", f"s{k}", item, time, kind) for k, time in enumerate(times)]
    world.log.append(STREAM, events).result()


def ranks(world, now, met=1):
    """Item ids by score, for a user who met one item, or none."""
    item, event = np.array([3], np.int32)[:met], np.array([0], np.int16)[:met]
    query = Query(item, np.array([now - 60])[:met], event, np.ones(1, np.float32)[:met], now)
    names = world.loaded.artifact.items.strings()
    return [names[row] for row in np.argsort(-world.loaded.model.scores(query), kind="stable")]


def test_what_many_do_moves_the_answers_of_others(world):
    assert world.loaded.model.follows
    before, first = ranks(world, world.time), ranks(world, world.time, met=0)
    stream(world, "i15", 4 * START_EVENTS, world.time, DAY)
    world.time += DAY + DAY // 2
    handed(world.log, world.feed)
    after = ranks(world, world.time)
    assert after.index("i15") < before.index("i15")
    assert after != before
    assert ranks(world, world.time, met=0).index("i15") < first.index("i15")


def test_few_events_move_nobody_else(world):
    stream(world, "i15", START_EVENTS - 1, world.time, DAY)
    before = ranks(world, world.time + DAY)
    world.time += DAY + DAY // 2
    handed(world.log, world.feed)
    assert ranks(world, world.time + DAY) == before


def test_one_user_starts_no_clock(world):
    stream(world, "i15", 40 * START_EVENTS, world.time, DAY, user="robot")
    before = ranks(world, world.time + DAY), ranks(world, world.time + DAY, met=0)
    world.time += DAY + DAY // 2
    handed(world.log, world.feed)
    assert (ranks(world, world.time + DAY), ranks(world, world.time + DAY, met=0)) == before


@pytest.mark.parametrize("met", [0, 1])
def test_what_one_user_does_counts_once(artifact, world, met):
    """Beside what others do: 200 events of a robot in an hour are worth one."""
    others = PopularityFeed(
        LoadedVersion(Artifact.open(artifact), find_recipe("aws-user-personalization-v2").facts),
        lambda: world.time,
    )
    for item in ("i01", "i02", "i03"):
        stream(world, item, START_EVENTS, world.time, DAY)
    stream(world, "i15", 1, world.time + DAY, 0, user="robot")
    world.time += DAY + 600
    handed(world.log, others)
    stream(world, "i15", 199, world.time - DAY // 2, DAY // 2 - 600, user="robot")
    handed(world.log, world.feed)
    many = ranks(world, world.time + DAY // 2, met)
    world.loaded = others._loaded
    assert ranks(world, world.time + DAY // 2, met) == many
    assert many.index("i15") > 3


def test_events_that_do_not_count_are_not_told(world):
    stream(world, "i15", 4 * START_EVENTS, world.time, DAY, kind="view")
    stream(world, "never heard of", 4 * START_EVENTS, world.time, DAY)
    before = ranks(world, world.time + DAY)
    world.time += 2 * DAY
    handed(world.log, world.feed)
    assert ranks(world, world.time) == before


def test_newcomers_are_told_under_numbers_that_stay(world, monkeypatch):
    told = []
    monkeypatch.setattr(world.loaded.model, "observe", lambda item, *_: told.append(item.tolist()))
    n = len(world.loaded.names)
    for second, items in enumerate((("new-1", "i15", "new-2"), ("new-2", "new-1"))):
        for item in items:
            stream(world, item, 1, world.time + second, 0)
        world.time += FRESH_SECONDS
        handed(world.log, world.feed)
    assert told == [[n, world.loaded.row_of("i15"), n + 1], [n + 1, n]]


def test_it_is_told_who_did_it(world, monkeypatch):
    told = []
    monkeypatch.setattr(world.loaded.model, "observe", lambda *columns: told.append(columns[3].tolist()))
    for user in ("new-0", "new-1", "new-0"):
        world.log.append(STREAM, [Event(user, "s", "i15", world.time + len(told), "click")]).result()
        world.time += FRESH_SECONDS
        handed(world.log, world.feed)
    (first,), (second,), (third,) = told
    assert first == third != second


def test_a_clock_that_is_ahead_fades_nothing(world):
    stream(world, "i15", 4 * START_EVENTS, world.time + 5000 * DAY, DAY)
    world.time += DAY // 2
    handed(world.log, world.feed)
    after = ranks(world, world.time)
    # What was in fashion when the data ended, and what has not been for weeks.
    assert after.index("i29") < after.index("i20")


def test_the_same_events_are_told_once(world):
    stream(world, "i15", 4 * START_EVENTS, world.time, DAY)
    world.time += 2 * DAY
    handed(world.log, world.feed)
    once = ranks(world, world.time)
    handed(world.log, world.feed)
    assert ranks(world, world.time) == once


def test_what_comes_within_a_span_is_told_in_the_next(world, monkeypatch):
    told = []
    monkeypatch.setattr(world.loaded.model, "observe", lambda item, *_: told.append(len(item)))
    handed(world.log, world.feed)
    stream(world, "i15", 3, world.time, 2)
    handed(world.log, world.feed)
    stream(world, "i16", 2, world.time + 9, 2)
    handed(world.log, world.feed)
    assert told == []
    world.time += FRESH_SECONDS
    handed(world.log, world.feed)
    assert told == [5]


def test_a_read_that_breaks_off_tells_nothing_twice(world, monkeypatch):
    stream(world, "i15", START_EVENTS, world.time, DAY)
    stream(world, "i16", START_EVENTS, world.time + 1, DAY)
    told, whole = [], world.log.interactions
    monkeypatch.setattr(world.loaded.model, "observe", lambda item, *_: told.append(len(item)))

    def breaking(*args, **more):
        for number, chunk in enumerate(whole(*args, **more)):
            if number == 1:
                raise OSError("the disk is away")
            yield chunk

    world.time += 2 * DAY
    monkeypatch.setattr(world.log, "interactions", breaking)
    with pytest.raises(OSError, match="away"):
        handed(world.log, world.feed, chunk=START_EVENTS)
    monkeypatch.setattr(world.log, "interactions", whole)
    handed(world.log, world.feed)
    assert sum(told) == 2 * START_EVENTS


def test_a_model_that_fails_is_told_again(world, monkeypatch):
    def fails(*_):
        raise ValueError("not now")

    told = []
    stream(world, "i15", 3, world.time, 2)
    monkeypatch.setattr(world.loaded.model, "observe", fails)
    with pytest.raises(ValueError, match="not now"):
        handed(world.log, world.feed)
    monkeypatch.setattr(world.loaded.model, "observe", lambda item, *_: told.append(len(item)))
    world.time += FRESH_SECONDS
    handed(world.log, world.feed)
    assert told == [3]


def test_a_later_start_goes_on_from_a_checkpoint(world, artifact, tmp_path):
    settings = read_settings({"data_dir": str(tmp_path)}, {})
    store = CheckpointStore(open_objects(settings), tmp_path, "artifacts/a", "popularity")
    first = PopularityFeed(world.loaded, lambda: world.time, store, kept_after=START_EVENTS)
    stream(world, "i15", 4 * START_EVENTS, world.time, DAY)
    stream(world, "new-1", 3, world.time, DAY)
    world.time += DAY + DAY // 2
    handed(world.log, first)
    expected = ranks(world, world.time)
    world.loaded = LoadedVersion(Artifact.open(artifact), world.loaded.recipe)
    assert ranks(world, world.time) != expected
    second = PopularityFeed(world.loaded, lambda: world.time, store)
    assert second.position == world.log.position()
    assert ranks(world, world.time) == expected
    assert world.loaded.newcomers.ids().to_list() == ["new-1"]
