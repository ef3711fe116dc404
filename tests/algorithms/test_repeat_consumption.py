"""The repeat table, against walking through every history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from algorithms.worlds import Past, events_of, past, some_events
from openpersonalize.algorithms import item_counts as counting
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.item_attribute import ItemAttribute
from openpersonalize.algorithms.repeat_consumption import AGES, TIMES, PersonalFrequency, RepeatConsumption


def walked(events: Events, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Hits and trials [AGES, TIMES] of one event type, question by question."""
    hits, trials = np.zeros((2, AGES, 2 * TIMES))
    for begin, end in zip(events.ptr[:-1], events.ptr[1:], strict=True):
        own = events.item[begin:end].tolist()
        for now in range(1, len(own)):
            for item in set(own[:now]):
                last = max(place for place in range(now) if own[place] == item)
                times = own[:now].count(item)
                age = int(np.log2(now - last))
                bucket = 0 if times == 1 else 1 if times == 2 else 2 if times == 3 else 3 if times < 6 else 4
                trials[age, bucket] += 1
                hits[age, bucket] += item in own[now : now + horizon]
    return hits, trials


def log_lifts(hits: np.ndarray, trials: np.ndarray, unseen: float) -> np.ndarray:
    """log(P(comes back) / P(an unseen item comes)) of each cell [AGES, cells], cell by cell.

    A cell counts as 20 trials more, which go as in its age altogether; an age as 20 more, which go as all.
    """
    overall = (hits.sum() + unseen) / (trials.sum() + 1)
    lifts = np.empty(hits.shape)
    for age in range(len(hits)):
        chance_of_age = (hits[age].sum() + 20 * overall) / (trials[age].sum() + 20)
        for cell in range(hits.shape[1]):
            chance = (hits[age, cell] + 20 * chance_of_age) / (trials[age, cell] + 20)
            lifts[age, cell] = np.log(chance / unseen)
    return lifts


@pytest.mark.parametrize("horizon", [1, 5, 50])
def test_it_counts_what_comes_back(horizon: int) -> None:
    events = some_events(3, users=20, n=8)
    hits, trials = walked(events, horizon)
    pairs = {(int(u), int(i)) for u, i in zip(events.user, events.item, strict=True)}
    unseen = horizon * len(pairs) / len(events.item) / 8
    found = RepeatConsumption.fit(events, horizon).table  # [types + 1, TIMES, AGES]
    expected = log_lifts(hits, trials, unseen)  # [AGES, (types + 1) * TIMES]
    assert np.allclose(found.reshape(2 * TIMES, AGES), expected.T, atol=1e-5)


def test_met_items_rise_where_things_repeat_and_fall_where_they_do_not() -> None:
    loyal = RepeatConsumption.fit(events_of([[k, k + 1, k, k + 1] * 4 for k in range(30)], 40), 5)
    fickle = RepeatConsumption.fit(events_of([list(range(k, k + 10)) for k in range(30)], 40), 5)
    assert loyal.feature(past([3, 4, 3]))[3] > 0
    assert fickle.feature(past([3, 4, 5]))[3] < 0
    assert loyal.feature(past([3, 4]))[[0, 9]].tolist() == [0, 0]


def test_a_rare_case_leans_on_what_is_usual_so_many_events_ago() -> None:
    """Twice met items were asked about twice and never came back; items met once, as long ago, often do."""
    rare, asked = [29, 29, 30, 31, 32], past([29, 29, 30, 31])
    beside = RepeatConsumption.fit(events_of([*([k, 30, 31, k] for k in range(29)), rare], 40), 1)
    alone = RepeatConsumption.fit(events_of([[k, 30, 31, 32] for k in range(29)] + [rare], 40), 1)
    assert beside.feature(asked)[29] > 0 > alone.feature(asked)[29]


def test_unknown_event_types_and_long_histories_are_no_trouble() -> None:
    table = RepeatConsumption.fit(some_events(1), 5)
    history = past([1] * 500)
    strange = Past(history.item, history.time, np.full(500, 7, np.int16), history.now)
    assert np.isfinite(table.feature(strange)).all()
    assert np.isfinite(table.feature(Past(history.item, history.time, np.full(500, -1, np.int16), 0))).all()
    assert not table.feature(past([])).any()


def test_own_counts_fade() -> None:
    own = PersonalFrequency(half_life=600, n=5)
    feature = own.feature(past([1, 2, 2], now=10**6, step=300))
    assert feature[2] == pytest.approx(np.log1p(20 * (1 + 2.0**-0.5)))
    assert feature[1] == pytest.approx(np.log1p(20 * 2.0**-1))
    assert feature[[0, 3, 4]].tolist() == [0, 0, 0]


def test_pieces_make_the_same_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    events = some_events(3)
    whole = RepeatConsumption.fit(events, 5).table
    monkeypatch.setattr(counting, "BLOCK", 50)
    assert np.allclose(RepeatConsumption.fit(events, 5).table, whole)


def market(rng: np.random.Generator) -> Events:
    """Two hundred users take item 0 day by day, and between one of ten others that nobody takes twice; one
    user takes item 11, once."""
    histories = []
    for user in range(200):
        lasting = (1 + rng.permutation(10)[:6]).tolist()
        histories.append([item for one in lasting for item in (0, one)] + ([11, 0, 0] if user == 0 else []))
    return events_of(histories, 12, step=86_400)


def test_an_item_and_its_category_tell_how_it_comes_back(tmp_path: Path) -> None:
    events = market(np.random.default_rng(0))
    kinds = ItemAttribute(np.array([0] + [1] * 11, np.int32), np.arange(13), 2)
    alone = RepeatConsumption.fit(events, 5)
    beside = RepeatConsumption.fit(events, 5, {"kind": kinds})
    day = np.full(12, 86_400)
    for ranker in (alone, beside):
        found = ranker.hazard.of_items(np.arange(12), np.zeros(12, np.int64), day)
        assert found[0] > -0.5
        assert found[1:11].max() < found[0] - 0.5
    eleven, once = np.array([11]), np.zeros(1, np.int64)
    rare, lonely = (one.hazard.of_items(eleven, once, day[:1])[0] for one in (beside, alone))
    assert rare < lonely - 0.5
    asked = past([0, 3], step=86_400)
    assert beside.feature(asked)[0] > beside.feature(asked)[3] + 1
    beside.save(tmp_path)
    assert np.array_equal(RepeatConsumption.load(tmp_path, beside.name).feature(asked), beside.feature(asked))
    # Older models had the same ratios for all kinds of events, and those before them none.
    (tmp_path / "repeats.classes.npy").unlink()
    np.save(tmp_path / "repeats.hazard.npy", beside.hazard.logs[:, 0])
    assert np.array_equal(RepeatConsumption.load(tmp_path, beside.name).feature(asked), beside.feature(asked))
    (tmp_path / "repeats.hazard.npy").unlink()
    assert RepeatConsumption.load(tmp_path, beside.name).hazard is None


def test_what_is_viewed_until_it_is_bought_does_not_come_back_after_that() -> None:
    """Item 0 is bought day by day; of ten others each is viewed three times, bought, and never met again."""
    rng = np.random.default_rng(0)
    histories, kinds = [], []
    for _ in range(200):
        others = (1 + rng.permutation(10)[:6]).tolist()
        histories.append([item for one in others for item in (0, one, one, one, one)])
        kinds += [1, 0, 0, 0, 1] * 6
    events = replace(events_of(histories, 11, step=3_000), event=np.array(kinds, np.int16))
    ranker = RepeatConsumption.fit(events, 5)
    asked = past([0, 3, 3, 3], step=3_000)
    viewed = replace(asked, event=np.array([1, 0, 0, 0], np.int16))
    bought = replace(asked, event=np.array([1, 0, 0, 1], np.int16))
    assert ranker.feature(viewed)[3] > 1
    assert ranker.feature(bought)[3] < ranker.feature(bought)[0] - 3
    rare = [[0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0] for _ in range(9)]
    types = np.tile(np.array([9, 0, 9, 1, 9, 2, 9, 3, 9, 5, 9], np.int16), 9)
    many = RepeatConsumption.fit(replace(events_of(rare, 6), event=types), 5)
    assert many.hazard.classes.tolist() == [1, 2, 3, 3, 0, 3, 0, 0, 0, 0, 0]
    assert many.hazard.logs.shape == (6, 4, 6)
