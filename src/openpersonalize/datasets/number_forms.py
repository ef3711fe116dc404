"""Numbers as files write them (decimal commas, thousands apart, a currency), turned into plain ones:
`NumberForm`."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_CURRENCY = r"[$€£¥₹]|\b(?:EUR|USD|GBP|CHF|JPY)\b"
_BLANKS = r"[\s\u00A0\u202F']"
_COMMA = r"^[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?$"
_POINT = r"^[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?$"
_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(?:[.,][0-9]{3})+$"
_PLAIN = r"^\s*[+-]?[0-9]+(?:\.[0-9]+)?\s*$"


@dataclass(frozen=True)
class NumberForm:
    """How a column writes numbers that are not plain already.

    Attributes:
        comma: whether the comma is the decimal sign, and the point parts thousands; else the other way round.
        example: a value, as it is written.
    """

    comma: bool
    example: str

    @classmethod
    def of(cls, sample: pl.Series) -> NumberForm | None:
        """The form of all texts in a sample; None where they are plain numbers, or not all numbers, or it
        cannot be told whether ``1,234`` is more than a thousand."""
        texts = sample.drop_nulls()
        texts = texts.filter(texts.str.strip_chars() != "")
        if not len(texts) or texts.str.contains(_PLAIN).all():
            return None
        bare = pl.select(_bare(pl.lit(texts))).to_series()
        other = texts.filter(~texts.str.contains(_PLAIN))
        signs = bare.filter(bare.str.contains("[.,]"))
        doubtful = len(signs) > 0 and bool(signs.str.contains(_THOUSANDS).all())
        if doubtful and not signs.str.contains(r"[.,][0-9]{3}[.,]").any():
            return None
        if bare.str.contains(_POINT).all():
            return cls(False, str(other[0]))
        return cls(True, str(other[0])) if bare.str.contains(_COMMA).all() else None

    @property
    def words(self) -> str:
        """The form in words."""
        return f"like {self.example.strip()} ({'decimal comma' if self.comma else 'decimal point'})"

    def expression(self, texts: pl.Expr) -> pl.Expr:
        """Texts with the numbers plain; what is none is left as it is."""
        bare = _bare(texts)
        if self.comma:
            plain = bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        else:
            plain = bare.str.replace_all(",", "", literal=True)
        return pl.when(bare.str.contains(_COMMA if self.comma else _POINT)).then(plain).otherwise(texts)


def _bare(texts: pl.Expr) -> pl.Expr:
    """Without a currency, and without blanks between digits."""
    return texts.str.replace_all(_CURRENCY, "").str.replace_all(_BLANKS, "")
