from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openpersonalize.engine.progress import ProgressRate


def test_a_steady_pace_tells_the_end_exactly() -> None:
    pace = ProgressRate()
    for second in range(11):
        report = pace.report("read", second * 50, 1000, "rows", 100.0 + second)
    assert report["rate"] == pytest.approx(50)
    assert report["eta_seconds"] == pytest.approx(10)
    assert (report["done"], report["total"], report["unit"], report["elapsed_seconds"]) == (
        500,
        1000,
        "rows",
        10,
    )


def test_no_guess_before_a_second_has_passed() -> None:
    pace = ProgressRate()
    pace.report("read", 0, 100, "rows", 0.0)
    assert pace.report("read", 10, 100, "rows", 0.5)["eta_seconds"] is None
    assert pace.report("read", 20, 100, "rows", 1.0)["eta_seconds"] == pytest.approx(4)


def test_the_newest_pace_weighs_most() -> None:
    pace = ProgressRate()
    for second in range(31):
        pace.report("read", second * 10, 10_000, "rows", float(second))
    for second in range(31, 91):
        report = pace.report("read", 300 + (second - 30) * 100, 10_000, "rows", float(second))
    assert 95 < report["rate"] < 100


def test_a_new_step_begins_anew() -> None:
    pace = ProgressRate()
    for second in range(5):
        pace.report("read", second * 50, 1000, "rows", float(second))
    report = pace.report("fit", 1, 10, "epochs", 5.0)
    assert (report["rate"], report["eta_seconds"], report["elapsed_seconds"]) == (None, None, 0)
    assert pace.report("fit", 10, 10, "epochs", 7.0)["eta_seconds"] == 0


@example([(0.0, 0.0), (1.0, 2.2250738585e-313), (1.0, 1.0)])
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)), max_size=30))
def test_whatever_is_reported_the_guess_is_sane(steps: list[tuple[float, float]]) -> None:
    pace, now = ProgressRate(), 0.0
    for done, pause in steps:
        now += pause
        report = pace.report("read", done, 1e6, "rows", now)
        assert report["rate"] is None or report["rate"] >= 0
        assert report["eta_seconds"] is None or report["eta_seconds"] >= 0
