"""Tokenisation of texts in any script, cleaned of markup and in lower case: `words`.

Chinese and Japanese are written without spaces; of a run of their characters every two neighbours are a word
("character bigrams", Nie et al., "On the use of words and n-grams for Chinese information retrieval", 2000).
"""

from __future__ import annotations

import numpy as np
import polars as pl

MOST_CHARACTERS = 20_000
MOST_WITHOUT_SPACES = 7_000
"""Characters that count of a text; the rest is cut off."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー"
_SHARE_UNSPACED = 0.1


def clean(texts: pl.Series) -> pl.Series:
    """Texts without tags, entities and repeated blanks, cut at `MOST_CHARACTERS`; nulls stay null.

    A text counts as Chinese or Japanese when a tenth of its characters are.
    """
    plain = (
        texts.cast(pl.String)
        .str.replace_all(r"(?s)<!--.*?-->|</?[A-Za-z!?][^<>]*>", " ")
        .str.replace_all(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});", " ")
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
    )
    unspaced = plain.str.count_matches(f"[{_UNSPACED}]") > _SHARE_UNSPACED * plain.str.len_chars()
    most = unspaced.replace_strict(
        {True: MOST_WITHOUT_SPACES, False: MOST_CHARACTERS}, return_dtype=pl.UInt32
    )
    return plain.str.slice(0, most)


def words(texts: pl.Series) -> pl.DataFrame:
    """The words of texts as they come: ``row`` (UInt32, the text's) and ``word``, lower case.

    Memory: about 60 bytes per word of the texts. Ask in slices where that is much.
    """
    rows = pl.DataFrame(
        {
            "row": np.arange(len(texts), dtype=np.uint32),
            "word": clean(texts)
            .str.normalize("NFKC")
            .str.to_lowercase()
            .str.extract_all(f"[{_UNSPACED}]+|[\\w--[{_UNSPACED}]]+"),
        }
    )
    rows = rows.explode("word").filter(pl.col("word").is_not_null())
    run = pl.col("word").str.contains(f"^[{_UNSPACED}]{{2}}")
    if not rows.select(run.any()).item():
        return rows
    pairs = (pl.col("word").str.extract_all(".."), pl.col("word").str.slice(1).str.extract_all(".."))
    unspaced = rows.filter(run)
    return pl.concat(
        [rows.filter(~run), *(unspaced.select("row", one).explode("word") for one in pairs)]
    ).filter(pl.col("word").is_not_null())
