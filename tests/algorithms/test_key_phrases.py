"""Key phrases: what the texts of a group say and others do not."""

from __future__ import annotations

import itertools

import polars as pl
import pytest

from openpersonalize.algorithms import key_phrases as module
from openpersonalize.algorithms.key_phrases import KeyPhrase, key_phrases

SPACE = [
    "A crew of astronauts fights an alien invasion on Mars.",
    "Alien invasion! The Space Station must hold out.",
    "In deep space, an alien invasion begins; the crew of a space station resists.",
    "A lonely pilot dreams of Mars and the space station.",
]
LOVE = ["A romantic comedy set in New York about two chefs.", "Two chefs fall in love: a romantic comedy."]
OTHERS = [
    "A war drama about soldiers.",
    "A detective hunts a killer in New York City.",
    "A cooking show with chefs.",
    "Family drama on a farm.",
    "A heist in Las Vegas.",
] * 4
BACKGROUND = pl.Series(SPACE + LOVE * 4 + OTHERS)


def best(*groups: list[str | None]) -> list[list[KeyPhrase]]:
    return key_phrases([pl.Series(one, dtype=pl.String) for one in groups], BACKGROUND)


def test_what_a_group_shares_and_others_lack_is_its_phrase() -> None:
    [space, love] = best([*SPACE], [*LOVE])
    assert {space[0].text.lower(), space[1].text.lower()} == {"alien invasion", "space station"}
    assert {frozenset({0, 1, 2}), frozenset({1, 2, 3})} == {one.texts for one in space[:2]}
    assert love[0].text == "romantic comedy"
    assert all(one.score >= other.score > 0 for one, other in itertools.pairwise(space))


def test_a_phrase_stands_for_the_words_inside_it_and_is_written_as_the_texts_write_it() -> None:
    [found] = best(["The Black Hole Sun of Rome.", "black Hole Sun", "a Black Hole Sun: again", "Rome"])
    assert found[0].text == "Black Hole Sun"
    assert not {"black", "hole", "sun", "black hole", "hole sun"} & {one.text.lower() for one in found}


def test_punctuation_ends_a_phrase_and_function_words_are_no_ends_of_one() -> None:
    [found] = best(["the end of days, blue whales", "the end of days; blue whales. The", "1999 1999"])
    texts = {one.text for one in found}
    assert "end of days" in texts
    assert all("days blue" not in one and not one.startswith("the") for one in texts)
    assert "1999" not in texts


def test_a_word_of_one_text_alone_is_no_theme_of_several() -> None:
    assert best(["zebra", "giraffe", None]) == [[]]
    [[found]] = best(["zebra", None])
    assert found.text == "zebra"


@pytest.mark.parametrize("group", [[], [None, None], ["", " "], ["<b></b>&nbsp;"]])
def test_of_nothing_there_is_no_phrase(group: list[str | None]) -> None:
    assert best(group) == [[]]
    assert key_phrases([], BACKGROUND) == []


def test_scripts_without_blanks_have_phrases_too() -> None:
    [found] = best(["宇宙戦争と宇宙人の侵略", "宇宙人の侵略が始まる"])
    assert "侵略" in found[0].text
    assert " " not in found[0].text


def test_slices_of_the_background_count_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = best([*SPACE], [*LOVE])
    monkeypatch.setattr(module, "SLICE_BYTES", 60)
    assert best([*SPACE], [*LOVE]) == whole


def test_it_can_be_stopped() -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        key_phrases([pl.Series(SPACE)], BACKGROUND, check=stop)
