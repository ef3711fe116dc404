"""Contrastive key phrases, `key_phrases`: what the texts of a group say oftener than others.

Phrases are runs of 1 to `LONGEST` words between punctuation that neither begin nor end with a function word.
One that several texts of the group have is scored by the log-odds ratio of having it, in the group against
the background, with an informative Dirichlet prior, divided by its standard deviation (Monroe, Colaresi and
Quinn, "Fightin' Words", 2008). Longer phrases that as many texts have stand for the shorter ones inside them.
Chinese and Japanese are written without blanks: there every character counts as a word.

Memory: about 300 bytes for each word of `SLICE_BYTES` of text; time: some seconds per million words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from .function_words import FUNCTION_WORDS
from .sparse import spans
from .words import clean, words

LONGEST = 4
SLICE_BYTES = 1_000_000
PRIOR = 10.0
"""Strength of the prior, in texts: as if so many of the background were in every group."""
LONGER = 0.15
"""What each further word adds to a phrase, as a share of its score."""
MOST_CANDIDATES = 300
"""Phrases of a group that are looked for in the background, those of most texts."""
COMMON, FEWEST_COMMON = 0.4, 20
"""Share of the background, and number of its texts, from which a word counts as a function word."""
SWALLOWS = 0.75
"""A longer phrase of so large a share of a phrase's texts takes its place."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー"
_TOKEN = rf"[{_UNSPACED}]|[\w--[{_UNSPACED}]]+(?:['’][\w--[{_UNSPACED}]]+)*|[.!?;:,()\[\]|/…–—•\"“”„«»]"
_WORD = r"^\w"
_ONLY_UNSPACED = f"^[{_UNSPACED}]+$"
_NONE = pl.DataFrame(
    schema={
        "row": pl.Int64,
        "phrase": pl.String,
        "surface": pl.String,
        "first": pl.String,
        "last": pl.String,
        "words": pl.Int32,
    }
)


@dataclass(frozen=True)
class KeyPhrase:
    """One phrase of a group.

    Attributes:
        text: as the group writes it most often. score: of the log-odds, in standard deviations.
        texts: numbers of the group's texts that have it.
    """

    text: str
    score: float
    texts: frozenset[int]


def key_phrases(
    groups: Sequence[pl.Series],
    background: pl.Series,
    most: int = 10,
    check: Callable[[], None] = lambda: None,
) -> list[list[KeyPhrase]]:
    """The at most `most` best phrases of each group of texts, best first; none where no two texts of a group
    of several share one.

    Args:
        groups: texts, perhaps null. background: texts to compare with, a sample of all.
        check: called now and then; may raise to stop.
    """
    common = _common_words(background, check)
    candidates = [_candidates(texts, common, check) for texts in groups]
    wanted = pl.concat([_NONE["phrase"], *(one["phrase"] for one in candidates)]).unique()
    counts = _counted(background, wanted, check)
    return [
        _best(found, len(texts), counts, len(background), most)
        for found, texts in zip(candidates, groups, strict=True)
    ]


def _slices(texts: pl.Series, check: Callable[[], None]) -> Iterator[pl.DataFrame]:
    """The phrases of the texts in slices of them, see `_phrases`."""
    sizes = texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    for start, end in spans(sizes, SLICE_BYTES):
        check()
        yield _phrases(texts.slice(start, end - start)).with_columns(pl.col("row") + start)


def _phrases(texts: pl.Series) -> pl.DataFrame:
    """Every phrase as it comes: ``row``, the text's number; ``phrase``, in lower case; ``surface``, as it is
    written; its ``first`` and its ``last`` word, and how many ``words`` it has."""
    tokens = pl.DataFrame(
        {
            "row": np.arange(len(texts), dtype=np.int64),
            "surface": clean(texts).str.normalize("NFKC").str.extract_all(_TOKEN),
        }
    )
    unspaced = pl.col("surface").str.contains(f"^[{_UNSPACED}]$")
    tokens = tokens.explode("surface").filter(pl.col("surface").is_not_null())
    tokens = tokens.with_columns(
        word=pl.col("surface").str.to_lowercase(),
        inside=pl.col("surface").str.contains(_WORD),
        blank=pl.when(unspaced & unspaced.shift(1)).then(pl.lit("")).otherwise(pl.lit(" ")),
    )
    whole, phrase, surface = pl.col("inside"), [pl.col("word")], [pl.col("surface")]
    parts = []
    for length in range(1, LONGEST + 1):
        ahead = 1 - length
        if ahead:
            whole &= pl.col("inside").shift(ahead) & (pl.col("row") == pl.col("row").shift(ahead))
            phrase += [pl.col("blank").shift(ahead), pl.col("word").shift(ahead)]
            surface += [pl.col("blank").shift(ahead), pl.col("surface").shift(ahead)]
        found = tokens.select(
            "row",
            phrase=pl.concat_str(phrase),
            surface=pl.concat_str(surface),
            first=pl.col("word"),
            last=pl.col("word").shift(ahead),
            words=pl.lit(length),
            whole=whole.fill_null(False),
        )
        parts.append(found.filter("whole").drop("whole"))
    return pl.concat(parts)


def _common_words(background: pl.Series, check: Callable[[], None]) -> pl.Series:
    """Words that say little: those of very many texts, and function words of some languages."""
    sizes = background.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    parts = [pl.DataFrame(schema={"word": pl.String, "len": pl.UInt32})]
    for start, end in spans(sizes, SLICE_BYTES):
        check()
        parts.append(words(background.slice(start, end - start)).unique().group_by("word").len())
    counted = pl.concat(parts).group_by("word").agg(pl.col("len").sum())
    common = counted.filter(pl.col("len") > max(COMMON * len(background), FEWEST_COMMON))["word"]
    return pl.concat([common, pl.Series("word", sorted(FUNCTION_WORDS))]).unique()


def _candidates(texts: pl.Series, common: pl.Series, check: Callable[[], None]) -> pl.DataFrame:
    """Phrases that several of the texts have: ``phrase``, its commonest ``surface``, ``words``, and ``rows``,
    the numbers of the texts."""
    every = pl.concat([_NONE, *_slices(texts, check)])
    told = pl.col("phrase").str.len_chars() >= pl.when(pl.col("phrase").str.contains(_ONLY_UNSPACED)).then(
        2
    ).otherwise(3)
    every = every.filter(
        ~pl.col("first").is_in(common.implode())
        & ~pl.col("last").is_in(common.implode())
        & told
        & pl.col("phrase").str.contains(r"\p{L}")
    )
    found = every.group_by("phrase").agg(
        pl.col("surface").mode().min(), pl.col("words").first(), pl.col("row").unique().sort().alias("rows")
    )
    least = 2 if len(texts) - texts.null_count() > 1 else 1
    found = found.filter(pl.col("rows").list.len() >= least)
    return found.sort([pl.col("rows").list.len(), "words", "phrase"], descending=[True, True, False]).head(
        MOST_CANDIDATES
    )


def _counted(background: pl.Series, wanted: pl.Series, check: Callable[[], None]) -> dict[str, int]:
    """How many texts of the background have each of the `wanted` phrases."""
    parts = [pl.DataFrame(schema={"phrase": pl.String, "len": pl.UInt32})]
    for found in _slices(background, check):
        some = found.select("row", "phrase").join(wanted.to_frame(), on="phrase", how="semi")
        parts.append(some.unique().group_by("phrase").len())
    counted = pl.concat(parts).group_by("phrase").agg(pl.col("len").sum())
    return dict(counted.iter_rows())


def _best(
    found: pl.DataFrame, texts: int, counts: Mapping[str, int], total: int, most: int
) -> list[KeyPhrase]:
    """The best of a group of so many `texts`, against a background of `total`."""
    own = found["rows"].list.len().to_numpy().astype(np.float64)
    others = np.array([counts.get(phrase, 0) for phrase in found["phrase"]], dtype=np.float64)
    prior = PRIOR * (others + 0.5) / (total + 1.0)
    inside = np.log((own + prior) / (texts + PRIOR - own - prior))
    outside = np.log((others + prior) / (total + PRIOR - others - prior))
    score = (inside - outside) / np.sqrt(1 / (own + prior) + 1 / (others + prior))
    score *= 1 + LONGER * (found["words"].to_numpy() - 1)
    chosen: list[tuple[str, KeyPhrase]] = []
    for place in np.argsort(-score, kind="stable").tolist():
        phrase, surface, _, rows = found.row(place)
        one = KeyPhrase(surface, float(score[place]), frozenset(rows))
        longer = [
            other
            for other in _holding(found, phrase)
            if len(one.texts & frozenset(other)) >= SWALLOWS * len(one.texts)
        ]
        if score[place] > 0 and not longer and not any(_overlap(phrase, other) for other, _ in chosen):
            chosen.append((phrase, one))
        if len(chosen) == most:
            break
    return [one for _, one in chosen]


def _holding(found: pl.DataFrame, phrase: str) -> list[list[int]]:
    """The texts of each longer candidate that holds a phrase."""
    padded = pl.concat_str(pl.lit(" "), pl.col("phrase"), pl.lit(" "))
    holds = padded.str.contains(f" {phrase} ", literal=True)
    if re.fullmatch(r"\w+", phrase):  # where no blanks are written, inside a run, too
        holds |= padded.str.contains(phrase, literal=True) & pl.col("phrase").str.contains(_ONLY_UNSPACED)
    return found.filter(holds & (pl.col("phrase") != phrase))["rows"].to_list()


def _overlap(one: str, other: str) -> bool:
    """Whether two phrases share a word, or one stands inside the other."""
    return one in other or other in one or not set(one.split()).isdisjoint(other.split())
