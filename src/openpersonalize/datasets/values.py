"""Rules for the values of a column: one for imports, PutItems, PutUsers and PutEvents alike.

Amazon Personalize developer guide, "Data format guidelines" (spec: data.md 5.2): ids and event types have at
most 256 characters, other strings 1,000; textual values are cut to 20,000 characters, 7,000 where they are
mostly Chinese or Japanese, which here means: more than half of the first 7,000 characters. Numbers are
decimal, blanks around them are ignored, a whole number may have a fraction of zeros (``12.0``), any other may
have an exponent but is finite; a ``float`` has 32 bits, whose limit holds for it while its digits are kept.

A rule that columns and single values follow alike stands here as a pattern that Polars and `re` read in the
same way; `cut` and `cut_column` are held to each other by a test.
"""

from __future__ import annotations

import re

import polars as pl

ID_LENGTH = 256
TEXT_LENGTH = 1000
TEXTUAL_LENGTH = 20_000
TEXTUAL_LENGTH_CJK = 7_000

BLANKS = " \t"
"""Characters that may surround a number in a column; take them off before asking what a text spells."""

WHOLE = r"^([+-]?[0-9]+)(?:\.0*)?$"
"""A whole number; its first group is the number without a fraction."""

DECIMAL = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"

CJK = r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]"
"""One character of Chinese or Japanese: their punctuation, kana, ideographs, full and half width forms."""

_WHOLE = re.compile(WHOLE.removesuffix("$") + r"\Z")  # `$` of Python also stands before a last line break
_DECIMAL = re.compile(DECIMAL.removesuffix("$") + r"\Z")
_CJK = re.compile(CJK)


def whole(text: str) -> int | None:
    """The whole number that a text of at most `TEXT_LENGTH` characters spells, or None."""
    found = _WHOLE.match(text) if len(text) <= TEXT_LENGTH else None
    return None if found is None else int(found[1])


def decimal(text: str) -> float | None:
    """The number that a text spells, infinite where 64 bits do not hold it; None when it spells none."""
    return float(text) if _DECIMAL.match(text) else None


def cut(text: str) -> str:
    """A textual value no longer than allowed."""
    if len(text) <= TEXTUAL_LENGTH_CJK:
        return text
    start = text[:TEXTUAL_LENGTH_CJK]
    if not start.isascii() and 2 * len(_CJK.findall(start)) > len(start):
        return start
    return text[:TEXTUAL_LENGTH]


def cut_column(values: pl.Series) -> tuple[pl.Series, int]:
    """`cut` of many values, and how many were cut."""
    if (values.str.len_bytes().max() or 0) <= TEXTUAL_LENGTH_CJK:  # type: ignore[operator]
        return values, 0
    start = values.str.slice(0, TEXTUAL_LENGTH_CJK)
    mostly_cjk = start.str.count_matches(CJK) * 2 > start.str.len_chars()
    limit = pl.select(pl.when(mostly_cjk).then(TEXTUAL_LENGTH_CJK).otherwise(TEXTUAL_LENGTH)).to_series()
    too_long = values.str.len_chars() > limit
    if not too_long.any():
        return values, 0
    shortened = pl.select(pl.when(too_long).then(values.str.slice(0, limit)).otherwise(values)).to_series()
    return shortened, int(too_long.sum())


def whole_column(texts: pl.Series) -> pl.Series:
    """`whole` of many texts without the blanks around them, as int64; null where that holds none."""
    return texts.str.strip_chars(BLANKS).str.extract(WHOLE, 1).cast(pl.Int64, strict=False)


def decimal_column(texts: pl.Series) -> pl.Series:
    """`decimal` of many texts without blanks around them, as float64, null where one spells no number."""
    trimmed = texts.str.strip_chars(BLANKS)
    spelled = pl.when(trimmed.str.contains(DECIMAL)).then(trimmed.cast(pl.Float64, strict=False))
    return pl.select(spelled).to_series().rename(texts.name)
