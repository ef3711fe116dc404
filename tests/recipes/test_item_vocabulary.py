"""What is known about items becomes numbered values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.algorithms.item_attribute import ItemAttribute
from openpersonalize.recipes.item_vocabulary import ItemVocabulary


def sets(feature: ItemAttribute) -> list[set[int]]:
    return [set(feature.code[a:b].tolist()) for a, b in zip(feature.ptr[:-1], feature.ptr[1:], strict=True)]


def test_categories_are_split_and_rare_values_left_out() -> None:
    items = pl.DataFrame({"ITEM_ID": list("abcd"), "GENRE": ["x| y", "y|x", None, "once|y"]})
    (genre,) = ItemVocabulary.fit(items).attributes
    a, b, c, d = sets(genre)
    assert genre.size == 2
    assert a == b
    assert len(a) == 2
    assert c == set()
    assert d < a


def test_titles_give_their_words() -> None:
    items = pl.DataFrame({"TITLE": ["Red mug", "red box", "Blue mug", "blue box"]})
    title, vectors = ItemVocabulary.fit(items, {"TITLE"}).attributes
    red, box, mug, _ = sets(title)
    assert title.size == 4
    assert len(red & box) == len(red & mug) == 1
    assert vectors.dense is not None
    assert vectors.dense.shape == (4, vectors.size)


def test_numbers_are_cut_into_quantiles() -> None:
    items = pl.DataFrame({"PRICE": [*range(100), None], "CREATION_TIMESTAMP": range(101)})
    (price,) = ItemVocabulary.fit(items).attributes
    assert price.size == 20
    assert np.bincount(price.code).tolist() == [5] * 20
    assert sets(price)[100] == set()


def test_nothing_known_is_no_feature() -> None:
    assert ItemVocabulary.fit(None).attributes == []
    assert ItemVocabulary.fit(pl.DataFrame({"A": [None, None], "B": ["x", "y"]})).attributes == []


def test_features_of_some_items() -> None:
    (genre,) = ItemVocabulary.fit(pl.DataFrame({"GENRE": ["x|y", "y", "x", None]})).attributes
    some = genre.of(np.array([3, 0, 2]))
    assert sets(some) == [sets(genre)[3], sets(genre)[0], sets(genre)[2]]


ITEMS = pl.DataFrame(
    {
        "ITEM_ID": list("abcd"),
        "GENRE": ["x|y", "y", "x", None],
        "TITLE": ["Red mug", "red box", "Blue mug", "blue box"],
        "PRICE": [1.0, 2.0, 3.0, None],
        "NEW": [True, False, True, None],
    }
)


def test_new_records_get_the_numbers_of_training() -> None:
    fitted = ItemVocabulary.fit(ITEMS, {"TITLE"})
    again = fitted.of(ITEMS)
    for one, other in zip(fitted.attributes, again, strict=True):
        assert sets(one) == sets(other)
        assert one.size == other.size
    records = {"TITLE": ["red thing", None], "GENRE": ["new|y", "new"], "PRICE": [99, -1]}
    genre, title, vectors, price = fitted.of(pl.DataFrame(records))
    of_training = [sets(one) for one in fitted.attributes]
    assert sets(genre) == [of_training[0][1], set()]
    assert sets(title) == [of_training[1][0] & of_training[1][1], set()]
    assert sets(price) == [of_training[3][2], of_training[3][0]]
    trained = fitted.attributes[2].dense
    assert vectors.dense is not None
    assert trained is not None
    near = trained @ vectors.dense[0]
    assert min(near[0], near[1]) > max(near[2], near[3])
    assert not vectors.dense[1].any()


def test_a_column_that_records_lack_says_nothing() -> None:
    fitted = ItemVocabulary.fit(ITEMS, {"TITLE"})
    features = fitted.of(pl.DataFrame({"ITEM_ID": ["e"]}))
    assert [sets(one) for one in features] == [[set()]] * 4
    assert [one.size for one in features] == [one.size for one in fitted.attributes]


def test_saved_and_loaded_it_gives_the_same_numbers(tmp_path: Path) -> None:
    fitted = ItemVocabulary.fit(ITEMS, {"TITLE"})
    fitted.save(tmp_path)
    loaded = ItemVocabulary.load(tmp_path)
    for one, other in zip(fitted.attributes, loaded.of(ITEMS), strict=True):
        assert one.code.tolist() == other.code.tolist()
        assert one.ptr.tolist() == other.ptr.tolist()
        assert (one.dense is None) == (other.dense is None)
        assert one.dense is None or np.array_equal(one.dense, other.dense)
    with pytest.raises(ValueError, match="ask `of`"):
        _ = loaded.attributes


def test_a_vocabulary_of_nothing_is_saved_too(tmp_path: Path) -> None:
    ItemVocabulary.fit(None).save(tmp_path)
    assert ItemVocabulary.load(tmp_path).of(ITEMS) == []
