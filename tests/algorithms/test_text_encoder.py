"""Texts near in meaning are near as vectors, in a small world whose meanings are known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.algorithms import text_encoder
from openpersonalize.algorithms.text_encoder import TextEncoder

THINGS = {
    "kitchen": ["mug", "plate", "kettle", "teapot", "spoon"],
    "garden": ["shovel", "rake", "hose", "flowerpot", "gloves"],
    "music": ["guitar", "drumsticks", "piano", "trumpet", "violin"],
}
WORDS = {
    "kitchen": ["ceramic", "breakfast", "cooking"],
    "garden": ["outdoor", "planting", "soil"],
    "music": ["orchestra", "tuning", "melody"],
}
TEXTS = [
    f"The {WORDS[kind][a]} {thing} for {WORDS[kind][b]}, new"
    for kind, things in THINGS.items()
    for thing in things
    for a, b in itertools.permutations(range(3), 2)
]
KINDS = [kind for kind, things in THINGS.items() for _ in range(len(things) * 6)]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder.fit(pl.Series(TEXTS), 8)


def vectors(encoder: TextEncoder, *texts: str | None) -> np.ndarray:
    return encoder.transform(pl.Series(texts, dtype=pl.String))


def test_the_nearest_texts_are_of_the_same_kind(encoder: TextEncoder) -> None:
    found = vectors(encoder, *TEXTS)
    near = found @ found.T
    np.fill_diagonal(near, -np.inf)
    for row, order in enumerate(np.argsort(-near, axis=1)[:, :10].tolist()):
        assert {KINDS[other] for other in order} == {KINDS[row]}


def test_words_that_never_met_are_near_by_their_company(encoder: TextEncoder) -> None:
    mug, kettle, guitar = vectors(encoder, "mug", "kettle", "guitar")
    assert mug @ kettle > 0.5 > 0.3 > mug @ guitar


def test_forms_of_a_word_are_near(encoder: TextEncoder) -> None:
    guitar, guitars = vectors(encoder, "guitar", "GUITARS &amp; <b>more</b>")
    assert guitar @ guitars > 0.9


def test_vectors_have_length_one_or_none(encoder: TextEncoder) -> None:
    found = vectors(encoder, "a mug", None, "", "quark xyzzy")
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0, 0, 0], abs=1e-5)
    assert vectors(encoder).shape == (0, encoder.size)


def test_scripts_without_spaces() -> None:
    texts = ["東京の天気は晴れ", "東京の天気は雨", "大阪の料理は美味しい", "大阪の料理は安い"] * 3
    found = TextEncoder.fit(pl.Series(texts), 4).transform(pl.Series(texts))
    assert found[0] @ found[1] > found[0] @ found[2] + 0.3


def test_one_seed_gives_one_encoder_and_slices_change_nothing(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = vectors(encoder, *TEXTS)
    assert np.array_equal(TextEncoder.fit(pl.Series(TEXTS), 8).axes, encoder.axes)
    monkeypatch.setattr(text_encoder, "SLICE_BYTES", 100)
    again = TextEncoder.fit(pl.Series(TEXTS), 8)
    assert again.terms.to_list() == encoder.terms.to_list()
    assert again.transform(pl.Series(TEXTS)) == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize(("limit", "most"), [("MOST_TEXTS", 60), ("MOST_BYTES", 2_500)])
def test_a_sample_is_enough_to_learn_from(monkeypatch: pytest.MonkeyPatch, limit: str, most: int) -> None:
    monkeypatch.setattr(text_encoder, limit, most)
    found = TextEncoder.fit(pl.Series(TEXTS), 8).transform(pl.Series(TEXTS))
    assert found[0] @ found[6] > found[0] @ found[-1]


def test_nothing_to_learn_from() -> None:
    for texts in ([], [None, None], ["one", "two"]):
        fitted = TextEncoder.fit(pl.Series(texts, dtype=pl.String))
        assert fitted.transform(pl.Series(["one", None])).shape == (2, 0)


def test_saved_and_loaded_it_gives_the_same(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path, "plot")
    loaded = TextEncoder.load(tmp_path, "plot")
    assert np.array_equal(vectors(loaded, *TEXTS), vectors(encoder, *TEXTS))


def test_words_that_all_texts_have_say_nothing() -> None:
    alike = TextEncoder.fit(pl.Series(["plain text here"] * 40), 8)
    assert not alike.transform(pl.Series(["plain text here", "something else"])).any()
    some = TextEncoder.fit(pl.Series(["plain text"] * 20 + ["plain text apple", "plain text pear"] * 10), 8)
    vectors = some.transform(pl.Series(["plain text", "plain text apple", "plain text pear"]))
    assert np.isfinite(vectors).all()
    assert not vectors[0].any()
    assert vectors[1:].any(axis=1).all()
