"""TF-IDF: cosines of rows, of rows that were not learned from, saved and opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.algorithms.tfidf import TfIdf

TEXTS = ["red tea", "green tea", "green tea pot", "saw", "steel saw saw", ""]


def found(texts: list[str]) -> pl.DataFrame:
    rows = [(row, term) for row, text in enumerate(texts) for term in text.split()]
    return pl.DataFrame(rows, schema={"row": pl.UInt32, "term": pl.String}, orient="row")


def test_cosines_are_those_of_the_rows_of_terms_of_more_than_one_row() -> None:
    index = TfIdf.fit(found(TEXTS), len(TEXTS))
    assert index.terms.to_list() == ["tea", "green", "saw"]
    tea, green = np.log(6 / 3), np.log(6 / 2)
    alone = tea / np.hypot(tea, green)
    assert index.cosines(*index.row(0)).tolist() == pytest.approx([1, alone, alone, 0, 0, 0], abs=1e-6)
    assert index.cosines(*index.row(4)).tolist() == pytest.approx([0, 0, 0, 1, 1, 0], abs=1e-6)
    assert not index.cosines(*index.row(5)).any()


def test_other_rows_are_weighed_alike(tmp_path: Path) -> None:
    index = TfIdf.fit(found(TEXTS), len(TEXTS))
    index.save(tmp_path, "x")
    opened = TfIdf.load(tmp_path, "x")
    rows = opened.weighed(found(["unknown green tea", "unknown"]), 2)
    assert np.diff(rows.ptr).tolist() == [2, 0]
    expected = index.cosines(*index.row(1))
    assert np.allclose(opened.cosines(rows.col[:2], rows.value[:2]), expected, atol=1e-6)


def test_a_term_of_very_many_rows_costs_at_most_its_champions() -> None:
    texts = ["common"] * 20 + ["common rare", "common rare", "other"]
    index = TfIdf.fit(found(texts), len(texts), most_postings=5)
    assert (index.cosines(*index.row(0)) > 0).sum() == 5
    assert (index.cosines(*index.row(20)) > 0).sum() == 7
