from __future__ import annotations

import polars as pl
import pytest

from openpersonalize.datasets.times import TimeForm

NOON = 1_711_972_800  # 2024-04-01 12:00 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1711972800", NOON),
        ("1711972800.75", NOON),
        ("1711972800000", NOON),
        ("1711972800000000", NOON),
        ("1711972800000000000", NOON),
        ("1.7119728e9", NOON),
        ("2024-04-01", NOON - 43_200),
        ("20240401", NOON - 43_200),
        ("2024-04-01 12:00:00", NOON),
        (" 2024-04-01T12:00:00.5Z ", NOON),
        ("2024-04-01 12:00:00 UTC", NOON),
        ("2024-04-01T14:00:00+02:00", NOON),
        ("2024-04-01 07:00:00-0500", NOON),
        ("2024/04/01 12:00", NOON),
        ("01.04.2024 12:00", NOON),
        ("04/30/2024 12:00", NOON + 29 * 86_400),
        ("30/04/2024 12:00", NOON + 29 * 86_400),
        ("01.04.24 12:00", NOON),
        ("04/30/24 12:00", NOON + 29 * 86_400),
        ("30/04/24 12:00", NOON + 29 * 86_400),
        ("01. April 2024 12:00", NOON),
        ("1 Apr 2024", NOON - 43_200),
        ("4/1/2024 12:00:00 PM", NOON),
    ],
)
def test_forms_are_found_and_read(text: str, seconds: int) -> None:
    values = pl.Series([text, None, text])
    form = TimeForm.of(values)
    assert form is not None
    assert form.seconds(pl.Series([text, "never", None])).to_list() == [seconds, None, None]


@pytest.mark.parametrize("values", [["yesterday"], [""], [None], [], ["2024-04-01", "x"], ["05-01-26"]])
def test_what_is_no_time_has_no_form(values: list[str | None]) -> None:
    assert TimeForm.of(pl.Series(values, dtype=pl.String)) is None


def test_a_short_year_among_long_ones_is_no_time() -> None:
    form = TimeForm.of(pl.Series(["01.04.2024 12:00"] * 3))
    assert form is not None
    assert form.seconds(pl.Series(["01.04.24 12:00", "01.04.2024 12:00"])).to_list() == [None, NOON]
