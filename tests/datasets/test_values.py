"""The rules of values: what a text spells, and where it is cut, alike for one value and for a column."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.datasets.values import (
    BLANKS,
    TEXTUAL_LENGTH,
    TEXTUAL_LENGTH_CJK,
    cut,
    cut_column,
    decimal,
    decimal_column,
    whole,
    whole_column,
)

LETTERS = ["a", "é", "漢", "カ", "。", "Ａ", "\U00020000", "\n", "한"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a" * 20_001, 20_000),
        ("漢" * 20_001, 7_000),
        ("漢a" * 10_000, 20_000),
        ("漢漢a" * 10_000, 7_000),
        ("。Ａ" * 10_000, 7_000),
        ("a" * 7_000 + "漢" * 20_000, 20_000),
        ("漢" * 7_000, 7_000),
    ],
)
def test_a_text_is_cut_by_what_most_of_its_beginning_is(text: str, kept: int) -> None:
    assert cut(text) == text[:kept]
    column, number = cut_column(pl.Series([text, None, "short"]))
    assert column.to_list() == [text[:kept], None, "short"]
    assert number == (kept < len(text))


@settings(max_examples=40, deadline=None)
@given(
    parts=st.lists(st.tuples(st.sampled_from(LETTERS), st.integers(1, 12_000)), min_size=1, max_size=4),
    rotated=st.integers(0, 3),
)
def test_one_text_and_a_column_are_cut_alike(parts: list[tuple[str, int]], rotated: int) -> None:
    text = "".join(letter * count for letter, count in [*parts[rotated:], *parts[:rotated]])
    kept = cut(text)
    assert text.startswith(kept)
    assert len(kept) in (len(text), TEXTUAL_LENGTH, TEXTUAL_LENGTH_CJK)
    assert cut_column(pl.Series([text]))[0].to_list() == [kept]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-.eE \t\nx_٣", max_size=24))
def test_numbers_are_spelled_alike_in_one_value_and_in_a_column(text: str) -> None:
    bare = text.strip(BLANKS)
    number = whole(bare)
    in_int64 = number is not None and -(2**63) <= number < 2**63
    assert whole_column(pl.Series([text])).to_list() == [number if in_int64 else None]
    value, in_column = decimal(bare), decimal_column(pl.Series([text]))[0]
    assert in_column == value or (value is not None and math.isnan(value))


@pytest.mark.parametrize("text", ["12.0", "12.", "+12", "0012.000"])
def test_whole_numbers_may_have_a_fraction_of_zeros(text: str) -> None:
    assert whole(text) == 12
    assert decimal(text) == 12.0


@pytest.mark.parametrize("text", ["", " 12", "12.5.1", "1_2", "12\n", "nan", "inf", "1e", "٣", "0x1"])
def test_other_texts_spell_no_number(text: str) -> None:
    assert whole(text) is None
    assert decimal(text) is None
