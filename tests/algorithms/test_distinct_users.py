"""Distinct users in windows, beside counting them one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.distinct_users import VisitLog, Visits, visits

WINDOW = 600


def events(seed: int, count: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 5, count).astype(np.int32)
    return item, rng.integers(0, 5_000, count), rng.integers(0, 40, count).astype(np.uint64)


def counted(item: np.ndarray, time: np.ndarray, user: np.ndarray, moment: int) -> list[int]:
    inside = (time > moment - WINDOW) & (time <= moment)
    return [len(set(user[inside & (item == one)].tolist())) for one in range(5)]


def test_every_window_has_its_distinct_users() -> None:
    item, time, user = events(0, 400)
    found = visits(item, time, user, WINDOW)
    for moment in range(0, 6_000, 37):
        assert found.users(moment, 5).tolist() == counted(item, time, user, moment)


def test_told_in_parts_and_late_is_as_told_at_once() -> None:
    item, time, user = events(1)
    order = np.argsort(time // 900, kind="stable")  # a quarter of an hour at a time, in any order inside
    log = VisitLog(WINDOW)
    for some in np.array_split(order, 11):
        log.add(item[some], time[some], user[some])
    for moment in range(4_400, 5_500, 100):
        assert log.visits().users(moment, 5).tolist() == counted(item, time, user, moment)


def test_a_thousand_events_of_one_user_are_one_visit() -> None:
    log = VisitLog(WINDOW)
    for start in range(0, 100_000, 1_000):
        time = start + np.arange(1_000)
        log.add(np.zeros(1_000, np.int32), time, np.full(1_000, 7, np.uint64))
    assert len(log.visits().item) == 1
    assert log.visits().users(99_000, 1).tolist() == [1.0]


def test_memory_is_bounded_and_counts_stay_about_right() -> None:
    rng = np.random.default_rng(2)
    log = VisitLog(WINDOW, most=2_000)
    user = rng.integers(0, 2**64, 60_000, dtype=np.uint64)
    item = (np.arange(60_000) % 10 == 0).astype(np.int32)
    for some in np.array_split(np.arange(60_000), 30):
        log.add(item[some], np.full(len(some), 100), user[some])
    found = log.visits()
    assert len(found.item) <= 2_000
    assert found.users(200, 2) == pytest.approx([54_000, 6_000], rel=0.25)


def test_what_is_over_is_left_out_and_the_rest_is_saved(tmp_path: Path) -> None:
    known = visits(*events(3), WINDOW)
    left = known.after(2_500)
    assert 0 < len(left.item) < len(known.item)
    left.save(tmp_path, "visits")
    read = Visits.load(tmp_path, "visits")
    for moment in range(2_500, 5_500, 100):
        assert read.users(moment, 5).tolist() == known.users(moment, 5).tolist()
    assert len(Visits.joined([Visits.none(), left]).item) == len(left.item)
