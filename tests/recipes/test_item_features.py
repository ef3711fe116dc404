"""What is known about items becomes numbered values."""

from __future__ import annotations

import numpy as np
import polars as pl

from openpersonalize.algorithms.encoder_plan import Feature
from openpersonalize.recipes.item_features import item_features


def sets(feature: Feature) -> list[set[int]]:
    return [set(feature.code[a:b].tolist()) for a, b in zip(feature.ptr[:-1], feature.ptr[1:], strict=True)]


def test_categories_are_split_and_rare_values_left_out() -> None:
    items = pl.DataFrame({"ITEM_ID": list("abcd"), "GENRE": ["x| y", "y|x", None, "once|y"]})
    (genre,) = item_features(items)
    a, b, c, d = sets(genre)
    assert genre.size == 2
    assert a == b
    assert len(a) == 2
    assert c == set()
    assert d < a


def test_titles_give_their_words() -> None:
    items = pl.DataFrame({"TITLE": ["Red mug", "red box", "Blue mug", "blue box"]})
    (title,) = item_features(items)
    red, box, mug, _ = sets(title)
    assert title.size == 4
    assert len(red & box) == len(red & mug) == 1


def test_numbers_are_cut_into_quantiles() -> None:
    items = pl.DataFrame({"PRICE": [*range(100), None], "CREATION_TIMESTAMP": range(101)})
    (price,) = item_features(items)
    assert price.size == 20
    assert np.bincount(price.code).tolist() == [5] * 20
    assert sets(price)[100] == set()


def test_nothing_known_is_no_feature() -> None:
    assert item_features(None) == []
    assert item_features(pl.DataFrame({"A": [None, None], "B": ["x", "y"]})) == []


def test_features_of_some_items() -> None:
    (genre,) = item_features(pl.DataFrame({"GENRE": ["x|y", "y", "x", None]}))
    some = genre.of(np.array([3, 0, 2]))
    assert sets(some) == [sets(genre)[3], sets(genre)[0], sets(genre)[2]]
