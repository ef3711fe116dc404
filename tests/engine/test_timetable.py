"""Bars of whole jobs, driven through a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openpersonalize.engine.timetable import ANY, Timetable

PLAN = [("read", 10.0), ("fit", 20.0), ("encoder", 60.0), ("measure", 10.0), ("fit", 20.0), ("encoder", 20.0)]


def run(plan: list[tuple[str, float]], actual: list[tuple[str, float]]) -> Iterator[tuple[float, dict]]:
    """(time, record) of each half second of a job whose stages take the seconds of `actual`."""
    table, now = Timetable(plan, 0.0), 0.0
    for step, seconds in actual:
        ticks = round(seconds * 2)
        for k in range(ticks):
            yield now, table.report(step, k, ticks, now)
            now += 0.5
    yield now, table.report(actual[-1][0], 1, 1, now)


def test_a_plan_that_holds_counts_down_without_a_jump() -> None:
    total = sum(seconds for _, seconds in PLAN)
    for now, record in run(PLAN, PLAN):
        assert record["eta_seconds"] == pytest.approx(total - now, abs=1.5)
        assert record["done"] == pytest.approx(now / total, abs=0.015)


def test_the_bar_never_goes_back_and_is_not_full_before_the_end() -> None:
    shares = [record["done"] for _, record in run(PLAN, PLAN)]
    assert shares == sorted(shares)
    assert shares[-2] <= 0.99
    stages = [record["stage"] for _, record in run(PLAN, PLAN)]
    assert sorted(set(stages)) == [1, 2, 3, 4, 5, 6]
    assert stages == sorted(stages)


@pytest.mark.parametrize("slower", [0.25, 4.0])
def test_a_machine_of_another_speed_is_found_out_by_what_is_done(slower: float) -> None:
    actual = [(step, seconds * slower) for step, seconds in PLAN]
    total = sum(seconds for _, seconds in actual)
    records = list(run(PLAN, actual))
    for now, record in records:
        if now > 0.4 * total:
            assert record["eta_seconds"] == pytest.approx(total - now, abs=0.2 * (total - now) + 2.0)


def test_a_stage_that_ends_early_moves_the_end_forward_once() -> None:
    actual = [*PLAN[:2], ("encoder", 20.0), *PLAN[3:5], ("encoder", 7.0)]
    ends = [round(now + record["eta_seconds"]) for now, record in run(PLAN, actual)]
    assert len(set(ends)) <= 6
    assert ends[-1] == 87


def test_steps_that_no_stage_is_named_after_belong_to_any() -> None:
    plan = [("read", 1.0), (ANY, 10.0), ("measure", 1.0), (ANY, 10.0), ("publish", 1.0)]
    table = Timetable(plan, 0.0)
    seen = [
        table.report(step, 0, 1, float(now))["stage"]
        for now, step in enumerate(["read", "count", "solve", "measure", "count", "publish"])
    ]
    assert seen == [1, 2, 2, 3, 4, 5]


def test_a_step_that_tells_nothing_for_long_keeps_the_end_ahead() -> None:
    table = Timetable([("weigh", 5.0), ("publish", 1.0)], 0.0)
    for now in range(60):
        assert table.report("weigh", 0, 2, float(now))["eta_seconds"] > 0
    assert table.report("weigh", 1, 2, 60.0)["eta_seconds"] == pytest.approx(60 + 24, abs=6)


def test_a_first_little_part_does_not_set_the_pace_of_all() -> None:
    table = Timetable([("fit", 2.0), ("encoder", 60.0), ("weigh", 30.0)], 0.0)
    table.report("fit", 0, 16, 0.0)
    assert table.report("fit", 1, 16, 3.0)["eta_seconds"] < 200


def test_a_step_that_comes_no_more_is_taken_out_and_sets_no_pace() -> None:
    table = Timetable(PLAN, 0.0)
    now = 0.0
    for step, seconds in (("read", 10), ("fit", 20), ("encoder", 12)):
        whole = 60 if step == "encoder" else seconds
        for done in range(seconds):
            record = table.report(step, done, whole, now)
            now += 1.0
    assert record["eta_seconds"] == pytest.approx(100, abs=3)
    table.omit("encoder")
    for _ in range(10):  # nothing is said of what comes next while it begins
        record = table.report("encoder", 12, 60, now)
    assert record["eta_seconds"] == pytest.approx(30, abs=3)
    assert record["stages"] == len(PLAN) - 1
    for step, seconds in (("measure", 10), ("fit", 20)):
        for done in range(seconds):
            record = table.report(step, done, seconds, now)
            assert record["eta_seconds"] == pytest.approx(72 - now, abs=3)
            now += 1.0
    assert record["stage"] == record["stages"]


def test_a_step_that_was_to_come_later_can_be_taken_out() -> None:
    table = Timetable(PLAN, 0.0)
    assert table.report("read", 0, 10, 0.0)["eta_seconds"] == pytest.approx(140)
    table.omit("encoder")
    assert table.report("read", 0, 10, 0.0)["eta_seconds"] == pytest.approx(60)
    assert table.report("measure", 0, 10, 1.0)["stage"] == 3
