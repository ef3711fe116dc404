"""Texts become words, whatever they are wrapped in and written in."""

from __future__ import annotations

import polars as pl

from openpersonalize.algorithms.words import MOST_CHARACTERS, MOST_WITHOUT_SPACES, clean, words


def of(*texts: str | None) -> list[list[str]]:
    found = words(pl.Series(texts, dtype=pl.String))
    return [sorted(found.filter(pl.col("row") == row)["word"]) for row in range(len(texts))]


def test_tags_entities_and_blanks_go() -> None:
    text = "<p class='a'>Fast &amp; light&nbsp;</p>\n\n<!-- <b>no</b> -->\t 3 < 4 &#8211; yes<br/>"
    assert clean(pl.Series([text, None])).to_list() == ["Fast light 3 < 4 yes", None]


def test_long_texts_are_cut_and_those_without_spaces_sooner() -> None:
    cut = clean(pl.Series(["a" * 30_000, "猫" * 30_000, "a" * 28_000 + "猫" * 1_000]))
    assert cut.str.len_chars().to_list() == [MOST_CHARACTERS, MOST_WITHOUT_SPACES, MOST_CHARACTERS]


def test_words_of_spaced_scripts() -> None:
    assert of("Red MUG, 2 cups!", None, "", "Käse-Brot") == [
        ["2", "cups", "mug", "red"],
        [],
        [],
        ["brot", "käse"],
    ]


def test_neighbours_are_the_words_of_unspaced_scripts() -> None:
    assert of("東京都のUSB猫", "猫") == [["usb", "京都", "東京", "猫", "都の"], ["猫"]]


def test_wide_letters_are_letters() -> None:
    assert of("ＵＳＢ") == [["usb"]]
