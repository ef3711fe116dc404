"""Times as files write them (dates, milliseconds), turned into seconds since 1970: `TimeForm`."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from .schemas import MAX_TIMESTAMP

_DATES = (
    ("%Y-%m-%d", "year, month, day"),
    ("%Y/%m/%d", "year, month, day"),
    ("%Y.%m.%d", "year, month, day"),
    ("%Y%m%d", "year, month, day"),
    ("%d.%m.%Y", "day, month, year"),
    ("%m/%d/%Y", "month, day, year"),
    ("%d/%m/%Y", "day, month, year"),
    ("%d-%m-%Y", "day, month, year"),
    ("%d.%m.%y", "day, month, year"),
    ("%m/%d/%y", "month, day, year"),
    ("%d/%m/%y", "day, month, year"),
    ("%d %b %Y", "day, month, year"),
    ("%d. %B %Y", "day, month, year"),
    ("%b %d, %Y", "month, day, year"),
)
_CLOCKS = ("", " %H:%M:%S%.f", " %H:%M", "T%H:%M:%S%.f", "T%H:%M", " %I:%M:%S %p", " %I:%M %p")
_UNITS = (
    (MAX_TIMESTAMP, 1, "seconds since 1970"),
    (MAX_TIMESTAMP * 10**3, 10**3, "milliseconds since 1970"),
    (MAX_TIMESTAMP * 10**6, 10**6, "microseconds since 1970"),
    (MAX_TIMESTAMP * 10**9, 10**9, "nanoseconds since 1970"),
)
_NUMBER = r"^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$"
_DAY = r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"
_ZONE = r"([+-][0-9]{2}):?([0-9]{2})$"
_SHORT_YEAR = r"^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{1,3}(?:[^0-9]|$)"
"""A year without its century, which the parser's %Y takes for one of the first hundred."""
_ENOUGH = 0.95
"""Share of the values of a sample that have to be of a form."""


@dataclass(frozen=True)
class TimeForm:
    """How a column writes times.

    Attributes:
        format: of a date, in the words of strptime; empty for numbers.
        unit: how many make a second, of numbers. zoned: whether each value names its offset from UTC.
        words: the form in words.
    """

    format: str
    unit: int
    zoned: bool
    words: str

    @classmethod
    def of(cls, sample: pl.Series) -> TimeForm | None:
        """The form of most of the texts in a sample; None when there is none."""
        texts = _clean(sample.drop_nulls())
        texts = texts.filter(texts != "")
        if not len(texts):
            return None
        if (texts.str.contains(_NUMBER).mean() or 0) >= _ENOUGH and not texts.str.contains(_DAY).all():  # type: ignore[operator]
            largest = texts.cast(pl.Float64, strict=False).quantile(0.5) or 0.0
            return next(
                (cls("", unit, False, words) for limit, unit, words in _UNITS if largest < limit), None
            )
        zoned = bool((texts.str.contains(_ZONE) & texts.str.contains(":")).all())
        for clock in _CLOCKS:
            for date, words in _DATES:
                form = cls(
                    date + clock, 1, zoned, f"dates like {texts[0]} ({words}{'' if zoned else '; UTC'})"
                )
                if form.seconds(texts).is_not_null().mean() >= _ENOUGH:  # type: ignore[operator]
                    return form
        return None

    def seconds(self, texts: pl.Series) -> pl.Series:
        """Texts as int64 seconds, null where one is not of this form."""
        return pl.select(self.expression(pl.lit(texts))).to_series()

    def expression(self, texts: pl.Expr) -> pl.Expr:
        """`seconds` of a column of texts."""
        plain = _clean_expression(texts)
        if not self.format:
            return (plain.cast(pl.Float64, strict=False) / self.unit).floor().cast(pl.Int64, strict=False)
        if "%Y" in self.format:
            plain = pl.when(~plain.str.contains(_SHORT_YEAR)).then(plain)
        if self.zoned:
            plain, form = plain.str.replace(_ZONE, "${1}${2}"), f"{self.format}%z"
            return plain.str.to_datetime(form, time_unit="us", strict=False).dt.epoch("s")
        if self.format in [date for date, _ in _DATES]:
            return plain.str.to_date(self.format, strict=False).cast(pl.Datetime("us")).dt.epoch("s")
        return plain.str.to_datetime(self.format, time_unit="us", strict=False).dt.epoch("s")


def _clean(texts: pl.Series) -> pl.Series:
    return pl.select(_clean_expression(pl.lit(texts))).to_series()


def _clean_expression(texts: pl.Expr) -> pl.Expr:
    """Without blanks around and without a mark of UTC, which is meant anyway."""
    return texts.str.strip_chars().str.replace(r"\s?(Z|UTC|GMT)$", "")
